"""Progressive growing: phases of one run, from small pictures to full size."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.main import main
from flaxgan.methods import gan, gan_batch
from flaxgan.methods.gan import create_state, train_step
from flaxgan.methods.growing import as_trained, begun, ended, reduced
from flaxgan.models.growth import (
    faded,
    growth_of,
    halved,
    is_full_size,
    mean_cost,
    resolution,
    steps_left,
)
from flaxgan.presets import Facts, choose
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import load_run
from flaxgan.sample import main as sample_main
from flaxgan.system.errors import UserError
from flaxgan.trainer import Trainer
from tests.conftest import TINY

SMALL = {"image_size": 16, "channels": 3, "features": 4, "latent_dim": 8, "batch_size": 8}
PLAIN = Config.make(**SMALL, flip=True)
# 4, 8 and 16 pixels, two steps each, faded in over two
GROWING = PLAIN.replace(grow=4, grow_images=16, fade_images=16)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 3, 40, np.int32)


@pytest.fixture(scope="module")
def plain():
    return jax.jit(lambda: create_state(PLAIN))()


@pytest.fixture(scope="module")
def growing():
    return jax.jit(lambda: create_state(GROWING))()


def names(tree):
    return {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tree)}


def test_phases_follow_from_the_pictures_seen():
    growth = growth_of(PLAIN.replace(image_size=64, grow=8, grow_images=100, fade_images=40))
    assert [growth.resolution(stage) for stage in range(4)] == [8, 16, 32, 64]
    # 8 pictures a step: 100 are seen after 12.5 steps, 200 after 25
    starts = [growth.starts(stage) for stage in range(4)]
    assert starts == [0, 13, 25, 38]
    assert [growth.stage(step) for step in (0, 12, 13, 24, 25, 37, 38, 10**6)] == [
        *(0, 0, 1, 1, 2, 2, 3, 3)
    ]
    assert growth.fade(0, 5) is None
    fades = [float(growth.fade(1, 13 + k)) for k in range(7)]
    assert fades == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])
    assert float(jax.jit(functools.partial(growth.fade, 1))(jnp.int32(14))) == pytest.approx(0.4)


def test_a_phase_goes_through_its_batch_in_as_few_parts_as_take_no_more_memory():
    growth = growth_of(PLAIN.replace(image_size=64, grow=8, grow_images=100, fade_images=40))
    assert [growth.parts(stage, 32) for stage in range(4)] == [1, 2, 8, 32]
    assert [growth.parts(stage, 9) for stage in range(4)] == [1, 1, 3, 9], "equal parts only"
    assert [growth.parts(stage, 1) for stage in range(4)] == [1] * 4


def test_the_log_counts_after_a_step_and_says_its_phase():
    config = PLAIN.replace(image_size=64, grow=8, grow_images=100, fade_images=40)
    sides = [resolution(config, step) for step in (0, 1, 13, 14, 25, 26, 38, 39)]
    assert sides == [8, 8, 8, 16, 16, 32, 32, 64]
    assert not is_full_size(config, 38) and is_full_size(config, 39)
    assert resolution(PLAIN, 5) is None and is_full_size(PLAIN, 0)
    # in steps of the smallest pictures: each doubling takes 1.6 times as long
    costs = 13 + 12 * 1.6 + 13 * 1.6**2 + 2 * 1.6**3
    assert steps_left(config, 0, 40) == pytest.approx(costs)
    assert steps_left(config, 20, 40) == pytest.approx(5 + 13 * 1.6 + 2 * 1.6**2)
    assert steps_left(config, 39, 40) == 1 and steps_left(config, 40, 40) == 0
    assert steps_left(config, 3, 10) == 7 == steps_left(PLAIN, 3, 10)
    assert mean_cost(config) == pytest.approx(0.5 + 0.5 * (1 / 1.6 + 1 / 1.6**2 + 1 / 1.6**3) / 3)
    assert mean_cost(PLAIN) == 1


def test_a_preset_leaves_half_of_the_run_for_full_size():
    for preset, num in (("plain", 25 * 1000), ("auto", 100_000)):
        config = Config.make(image_size=64, grow=8, preset=preset, images=num, batch_size=8)
        given = {"image_size", "grow", "images", "batch_size"}
        chosen = choose(config, given, Facts(num_images=1000))
        assert chosen["grow_images"].value == num // 2 // 3
        assert "grow_images" not in choose(config.replace(grow=None), given, Facts(1000))


# The networks.


@pytest.mark.slow
def test_all_weights_are_there_from_the_start_and_begin_as_without(plain, growing):
    for name in ("generator", "discriminator"):
        without, net = getattr(plain, name), getattr(growing, name)
        added = names(net.params) - names(without.params)
        assert {path[2:].partition("_image_")[0] for path in added} == {
            "to" if name == "generator" else "from"
        }
        assert len(added) == 2 * 2 and names(without.params) < names(net.params)
        assert names(net.batch_stats) == names(without.batch_stats)
        common = {layer: net.params[layer] for layer in without.params}
        assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), common, without.params))


def test_without_growth_the_tree_is_what_it_was(plain):
    names = {
        "generator": {
            *("Dense_0", "BatchNorm_0", "BatchNorm_1", "ConvTranspose4x4_0", "ConvTranspose4x4_1")
        },
        "discriminator": {"Conv4x4_0", "Conv4x4_1", "BatchNorm_0", "Dense_0"},
    }
    for name, layers in names.items():
        assert getattr(plain, name).params.keys() == layers
    assert len(jax.tree.leaves(plain)) == len(
        jax.tree.leaves(jax.eval_shape(lambda: create_state(PLAIN.replace(seed=1))))
    )


def in_phase(growing, stage, step):
    return begun(growing.replace(step=jnp.int32(step)), growth_of(GROWING), stage)


@pytest.mark.slow
def test_the_last_phase_at_full_share_is_the_plain_network(plain, growing):
    z = jax.random.normal(jax.random.key(0), (8, 8))
    images = jnp.asarray(IMAGES[:8] / 127.5 - 1, jnp.float32)

    @jax.jit
    def outputs(state):
        images_, stats, _ = state.generator.train_mode(z)
        logits, d_stats, _ = state.discriminator.train_mode(reduced(images, state.discriminator))
        return images_, stats, logits, d_stats

    expected = outputs(plain)
    for state in (in_phase(growing, 2, 5), in_phase(growing, 2, 100), growing):
        got = outputs(state)
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    half = outputs(in_phase(growing, 2, 4))
    assert float(abs(half[0] - expected[0]).max()) > 1e-3
    assert float(abs(half[2] - expected[2]).max()) > 1e-6


@pytest.mark.slow
def test_a_phase_begins_with_the_pictures_of_the_one_before(growing):
    """Generated ones, and the maps of the discriminator, where next to nothing is faded in."""
    z = jax.random.normal(jax.random.key(0), (8, 8))
    before = in_phase(growing, 1, 3)
    after = in_phase(growing, 2, 4)
    after = after.replace(generator=after.generator.replace(fade=jnp.float32(0)))
    small, large = (jax.jit(lambda net: net.train_mode(z)[0])(s.generator) for s in (before, after))
    assert small.shape == (8, 8, 8, 3) and large.shape == (8, 16, 16, 3)
    np.testing.assert_allclose(small.repeat(2, 1).repeat(2, 2), large, atol=1e-6)
    # outside of training all pictures have full size
    shown = jax.jit(lambda net: net.eval_mode(z))
    first = shown(in_phase(growing, 0, 0).generator)
    assert first.shape == (8, 16, 16, 3)
    assert (first == first[:, ::4, ::4].repeat(4, 1).repeat(4, 2)).all()


def test_real_pictures_are_averaged_and_faded_as_generated_ones():
    images = jnp.asarray(IMAGES[:2], jnp.float32)
    quarters = IMAGES[:2].reshape(2, 4, 4, 4, 4, 3).mean((2, 4))
    np.testing.assert_allclose(halved(images, 2), quarters, rtol=1e-5)
    halves = IMAGES[:2].reshape(2, 8, 2, 8, 2, 3).mean((2, 4)).repeat(2, 1).repeat(2, 2)
    mixed = faded(images, jnp.float32(0.25))
    np.testing.assert_allclose(mixed, 0.25 * images + 0.75 * halves, rtol=1e-5)
    assert faded(images, None) is images


# The step.


def trained(config, devices=1, steps=7):
    """-> (state on the host, metrics of each step)."""
    dataset = Dataset.of(IMAGES, LABELS, ("a", "b", "c"))
    trainer = Trainer(config, jax.devices()[:devices], dataset)
    state, rows = trainer.create_state(), []
    for step in range(steps):
        rows_of_step = (step * config.images_per_step + np.arange(config.images_per_step)) % 40
        indices = trainer.dataset.rows(rows_of_step[None])
        state, metrics = trainer.train_steps(state, indices, trainer.stage(step))
        rows.append({name: float(values[0]) for name, values in metrics.items()})
    return jax.device_get(state), rows


@pytest.mark.slow
def test_a_phase_trains_its_own_weights_and_leaves_the_others(growing):
    step = jax.jit(functools.partial(train_step, config=GROWING), static_argnames="stage")

    def changed(before, after):
        return {
            layer
            for layer in before
            if not jax.tree.all(
                jax.tree.map(lambda a, b: (a == b).all(), before[layer], after[layer])
            )
        }

    batch = {"image": IMAGES[:8]}
    first, metrics = step(growing, batch, stage=0)
    assert metrics["resolution"] == 4 and "fade" not in metrics
    assert changed(growing.generator.params, first.generator.params) == {
        *("Dense_0", "BatchNorm_0", "to_image_4")
    }
    assert changed(growing.discriminator.params, first.discriminator.params) == {
        *("from_image_4", "Dense_0")
    }
    assert jax.tree.structure(first) == jax.tree.structure(growing), "whole again"
    later = first.replace(step=jnp.int32(4))
    last, metrics = step(later, batch, stage=2)
    assert (metrics["resolution"], metrics["fade"]) == (16, 0.5)
    changes = changed(first.discriminator.params, last.discriminator.params)
    assert changes == first.discriminator.params.keys() - {"from_image_4"}
    # a count of 1: a new weight's first update is Adam's first, of a rate's size
    count = optax.tree.get(last.generator.opt_state, "count")
    assert int(count) == 1
    moved = jax.tree.map(
        lambda a, b: float(abs(a - b).max()),
        first.generator.params["ConvTranspose4x4_1"],
        last.generator.params["ConvTranspose4x4_1"],
    )
    assert moved["kernel"] == pytest.approx(2e-4, rel=1e-2)


@pytest.mark.slow
def test_style_networks_grow_into_the_plain_ones():
    style = {"architecture": "style", "mapping_layers": 2}
    plain, growing = (
        jax.jit(lambda config=config: create_state(config.replace(**style)))()
        for config in (PLAIN, GROWING)
    )
    added = names(growing.discriminator.params) - names(plain.discriminator.params)
    assert {path.split("'")[1] for path in added} == {"from_image_8", "from_image_4"}
    assert names(growing.generator.params) == names(plain.generator.params)
    z = jax.random.normal(jax.random.key(0), (8, 8))
    images = jnp.asarray(IMAGES[:8] / 127.5 - 1, jnp.float32)

    @jax.jit
    def outputs(state):
        shown = reduced(images, state.discriminator)
        return state.generator.eval_mode(z), state.discriminator.train_mode(shown)[0]

    expected, half = outputs(plain), outputs(in_phase(growing, 2, 4))
    for state in (in_phase(growing, 2, 100), growing):
        for a, b in zip(outputs(state), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    assert all(float(abs(a - b).max()) > 1e-4 for a, b in zip(half, expected, strict=True))
    first = outputs(in_phase(growing, 0, 0))[0]
    assert (first == first[:, ::4, ::4].repeat(4, 1).repeat(4, 2)).all()
    # each style by the map that it shapes, the last one colours
    phases = [in_phase(growing, stage, 100).generator.module.sides for stage in range(3)]
    assert phases == [[4, 4], [4, 8, 8, 8], [4, 8, 8, 16, 16, 16]]
    # latents are drawn as pictures of z are
    fading = in_phase(growing, 1, 2).generator
    by_w = jax.jit(
        lambda net: net.call("synthesis", jnp.repeat(net.call("mapping", z)[:, None], 4, 1))
    )
    np.testing.assert_allclose(by_w(fading), outputs(in_phase(growing, 1, 2))[0], atol=1e-5)

    step = jax.jit(functools.partial(train_step, config=GROWING.replace(**style), stage=1))
    after, metrics = step(growing.replace(step=jnp.int32(2)), {"image": IMAGES[:8]})
    assert (metrics["resolution"], metrics["fade"]) == (8, 0.5)
    before, after = (x.generator.params["synthesis_network"] for x in (growing, after))
    same = {
        layer: jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), before[layer], after[layer]))
        for layer in before
    }
    assert {layer for layer, is_same in same.items() if is_same} == {
        *("conv_3", "conv_4", "colours_5")
    }


ABILITIES = {
    "condition": "class",
    "num_classes": 3,
    "augment": "color,translation,cutout",
    "augment_target": 0.8,
    "dropout": 0.1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"parallelism": "pmap", "grow_images": 16, "fade_images": 12} | ABILITIES,
        {"d_steps": 2, "accumulate": 2, "batch_size": 16, "grow_images": 64, "fade_images": 64},
    ],
    ids=["pmap and abilities", "jit, parts and d-steps"],
)
def test_eight_devices_agree_with_one(fields):
    config = GROWING.replace(grow=8, **fields)
    eight, one = (trained(config, devices, 3) for devices in (8, 1))
    assert [row["resolution"] for row in one[1]] == [8, 8, 16]
    for got, want in zip(eight[1], one[1], strict=True):
        assert got == pytest.approx(want, abs=2e-4)
    for a, b in zip(
        jax.tree.leaves(eight[0].generator.batch_stats),
        jax.tree.leaves(one[0].generator.batch_stats),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-4)


def test_without_growth_the_step_is_compiled_as_before(plain, monkeypatch):
    """Nothing of growth is in the program, and where a step may grow costs no operation."""
    step = functools.partial(gan._step, config=PLAIN)

    def program(step):
        return jax.jit(step).lower(plain, {"image": IMAGES[:8]}).as_text()

    entered = program(lambda state, batch: train_step(state, batch, config=PLAIN))
    monkeypatch.setattr(gan_batch, "reduced", lambda images, network: images)
    without = program(lambda state, batch: step(state, batch))
    assert entered == without


# The run.


def flags(run_dir, pictures, *more):
    grow = ["--grow", 4, "--grow-images", 24, "--fade-images", 16, "--log-every", 1]
    return ["--dataset", pictures, "--run-dir", run_dir, *TINY, *grow, *more]


def leaves(run_dir, step):
    state = load(load_run(run_dir), CheckpointName("step", step), jax.devices()[0])
    return jax.tree.map(np.asarray, jax.tree.leaves(state))


def rows(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    hidden = ("images_per_second", "time")
    return [{k: v for k, v in json.loads(line).items() if k not in hidden} for line in lines]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures):
    """Phases of three steps from 4 to 16 pixels, ten steps in all, evaluated each two."""
    folder = tmp_path_factory.mktemp("growing") / "run"
    argv = flags(folder, pictures, "--max-steps", 10, "--checkpoint-every", "2 steps")
    argv += ["--evaluate-every", "2 steps", "--evaluate-num", 16, "--keep-checkpoints", 9]
    main([str(arg) for arg in argv])
    return folder


@pytest.mark.slow
def test_stopped_inside_a_fade_it_goes_on_to_the_bit(run, train, pictures, tmp_path):
    broken = tmp_path / "broken"
    train(*flags(broken, pictures, "--max-steps", 4, "--checkpoint-every", "2 steps"))
    assert rows(broken)[-1]["fade"] == 0.5
    train("--run-dir", broken, "--max-steps", 10)
    assert all((a == b).all() for a, b in zip(leaves(run, 10), leaves(broken, 10), strict=True))
    trained_rows = [row for row in rows(run) if "g_loss" in row]
    assert rows(broken) == trained_rows
    assert [row["resolution"] for row in trained_rows] == [4] * 3 + [8] * 3 + [16] * 4
    assert [row.get("fade") for row in trained_rows] == [*[None] * 3, *[0.5, 1, 1] * 2, 1]
    picture = "step_00000008.png"
    assert (run / "generated_images" / picture).read_bytes() == (
        broken / "generated_images" / picture
    ).read_bytes()


@pytest.mark.slow
def test_what_is_seen_on_the_way_says_its_phase(run, printed, tmp_path):
    evaluations = [row for row in rows(run) if "g_loss" not in row]
    assert [(row["step"], row["resolution"]) for row in evaluations] == [
        *((2, 4), (4, 8), (6, 8), (8, 16), (10, 16))
    ]
    kept = [int(path.name) for path in (run / "best_checkpoint").iterdir() if path.name.isdecimal()]
    assert len(kept) == 1 and kept[0] in (8, 10), "of full size"
    said = printed(sample_main, run, "--checkpoint", 2, "--num", 4, "--output", tmp_path / "a.png")
    assert "step 2 makes pictures of 4, here enlarged" in said
    images = flaxgan.load(run, 2).sample(4)
    assert images.shape == (4, 16, 16, 3)
    assert (images == images[:, ::4, ::4].repeat(4, 1).repeat(4, 2)).all()
    last = flaxgan.load(run).sample(4)
    assert not (last == last[:, ::2, ::2].repeat(2, 1).repeat(2, 2)).all()
    report = (run / "report.html").read_text()
    assert '"resolution":4' in report.replace(" ", "") and '"pixels"' in report
    result = flaxgan.evaluate(run, checkpoint=4, num=16, metrics=["accuracy"])
    assert result["generated"]["resolution"] == 8
    assert 0 <= result["metrics"]["d_real_accuracy"]["value"] <= 1


@pytest.mark.slow
def test_a_generator_leaves_the_house_once_it_is_grown(run, tmp_path):
    with pytest.raises(UserError, match="from step 8 on"):
        flaxgan.load(run, 6).export(tmp_path / "early", "safetensors")
    with pytest.raises(UserError, match="still grows"):
        flaxgan.load(run, 6).page(tmp_path / "early")
    assert not (tmp_path / "early").exists()
    model = flaxgan.load(run)
    files = model.export(tmp_path / "whole", "safetensors")
    (file,) = (path for path in files if path.suffix == ".safetensors")
    assert (flaxgan.load(file).sample(3) == model.sample(3)).all()


def test_a_sample_uses_what_the_last_step_used(growing):
    for step, halvings, fade in (
        (0, 2, None),
        (2, 2, None),
        (3, 1, 0.5),
        (4, 1, None),
        (5, 0, 0.5),
    ):
        net = as_trained(growing.generator, jnp.int32(step))
        assert (net.module.halvings, net.fade) == (halvings, fade), step
    whole = as_trained(growing.generator, jnp.int32(6))
    assert whole.module == growing.generator.module and whole.fade is None
    assert ended(in_phase(growing, 1, 3)).generator.module == growing.generator.module


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--grow", 5], "at this --image-size the first phase may have pictures of 4 or 8"),
        (["--grow", 16], "may have pictures of 4 or 8"),
        (["--grow", 4, "--architecture", "resnet"], "is for --architecture dcgan"),
        (["--fade-images", 9], "say how a run is to --grow"),
        (["--grow", 4, "--grow-images", 8, "--fade-images", 9], "more than a phase has"),
    ],
)
def test_what_does_not_fit_is_refused(refused, pictures, tmp_path, argv, words):
    error = refused("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, *argv)
    assert words in error
    assert not (tmp_path / "run").exists()


def test_only_the_gan_grows():
    with pytest.raises(UserError, match="there is no --grow for --method pix2pix"):
        Config.make(method="pix2pix", grow=8)
