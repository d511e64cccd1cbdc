"""The style networks: modulation, noise, styles mixed and truncated, and what restrains them."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from PIL import Image

import flaxgan
from flaxgan.config import Config
from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_up
from flaxgan.data import Dataset
from flaxgan.data.pixels import preprocess
from flaxgan.methods import gan as steps
from flaxgan.methods import state_shape
from flaxgan.methods.gan import create_state
from flaxgan.methods.noise import noise_numbers
from flaxgan.methods.path_length import path_lengths
from flaxgan.methods.sampling import averaged_generator, draw
from flaxgan.methods.styles import draw_between, draw_mixed, truncated
from flaxgan.methods.updates import Sometimes
from flaxgan.models.style import style_sides
from flaxgan.models.style_layers import ModulatedConv, with_deviation
from flaxgan.presets import Facts, choose
from flaxgan.rng import Rng, RowRng
from flaxgan.sample import main as sample_main
from flaxgan.system.errors import UserError
from flaxgan.trainer import Trainer
from tests.conftest import TINY, size_of

CONFIG = Config.make(
    image_size=16,
    channels=3,
    features=2,
    latent_dim=8,
    batch_size=8,
    flip=True,
    beta1=0.0,
    architecture="style",
    mapping_layers=2,
)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


def randomised(network):
    """A network with noise, biases and styles that matter, and another mean of w than 0."""
    rng = np.random.default_rng(1)

    def moved(tree):
        return jax.tree.map(lambda x: x + rng.uniform(-0.3, 0.3, x.shape).astype("f"), tree)

    return network.replace(params=moved(network.params), batch_stats=moved(network.batch_stats))


@pytest.fixture(scope="module")
def generator():
    return randomised(jax.jit(lambda: create_state(CONFIG))().generator)


def rows_of(n, seed=0):
    """(z, noise numbers) of n pictures."""
    z = np.random.default_rng(seed).standard_normal((n, 8)).astype("f")
    return z, noise_numbers(seed, np.arange(n))


@pytest.mark.slow
@pytest.mark.parametrize("convolution", [conv_stride1, conv_up])
def test_modulation_is_scaling_each_pictures_kernel(convolution):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype("f") for shape in ((3, 8, 8, 5), (3, 6)))
    layer = ModulatedConv(4, convolution=convolution)
    params = layer.init(jax.random.key(0), x, w)["params"]
    params = jax.tree.map(
        lambda p: np.asarray(p) + 0.1 * rng.standard_normal(p.shape).astype("f"), params
    )
    got = jax.jit(layer.apply)({"params": params}, x, w)
    affine = params["affine"]
    styles = w @ affine["kernel"] / np.sqrt(6) + affine["bias"]
    for picture, style, image in zip(x, styles, got, strict=True):
        kernel = params["kernel"] * style[None, None, :, None]
        kernel = kernel / np.sqrt(np.square(kernel).sum((0, 1, 2)))
        if convolution is conv_up:
            picture = picture.repeat(2, 0).repeat(2, 1)
        want = lax.conv_general_dilated(
            picture[None], kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        np.testing.assert_allclose(image, np.asarray(want[0]) + params["bias"], atol=1e-5)


@pytest.mark.slow
def test_the_demodulated_variance_is_one_whatever_the_style():
    x = jax.random.normal(jax.random.key(0), (2, 96, 96, 6))
    w = 3 * jax.random.normal(jax.random.key(1), (2, 5))
    layer = ModulatedConv(4)
    y = layer.apply(layer.init(jax.random.key(2), x, w), x, w)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(y.var((1, 2)), 1, atol=0.1)
    plain = ModulatedConv(4, demodulated=False)
    y = plain.apply(plain.init(jax.random.key(2), x, w), x, w)
    assert abs(np.log(y.var((1, 2)))).max() > 0.5


@pytest.mark.slow
def test_layers_are_equally_strong_at_first_and_pictures_are_not_all_alike():
    state = jax.jit(lambda: create_state(CONFIG.replace(features=16)))()
    images = jax.jit(lambda z: state.generator.eval_mode(z))(
        jax.random.normal(jax.random.key(0), (8, 8))
    )
    assert 0.1 < images.std() < 0.95 and images.std(0).mean() > 0.01
    for path, leaf in jax.tree.leaves_with_path(state.generator.params):
        names = [key.key for key in path]
        if names[-1] == "kernel":
            assert leaf.std() == pytest.approx(100 if "mapping_network" in names else 1, rel=0.2)


@pytest.mark.slow
def test_adain_normalises_each_map():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype("f") for shape in ((2, 8, 8, 5), (2, 6)))
    layer = ModulatedConv(4, adain=True)
    y = layer.apply(layer.init(jax.random.key(0), x, w), x + 3 * w[0, 0], w)
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), 1, atol=1e-3)
    plain, adain = (
        state.generator.module.adain
        for state in (state_shape(CONFIG), state_shape(CONFIG.replace(adain=True)))
    )
    assert (plain, adain) == (False, True)


def test_one_style_for_each_map_the_coarse_first():
    assert style_sides((16, 16)) == [4, 8, 8, 16, 16, 16]
    assert style_sides((40, 16)) == [4, 8, 8, 16, 16, 16]
    assert style_sides((28, 28)) == [7, 14, 14, 28, 28, 28]


@pytest.mark.slow
def test_noise_is_of_the_picture_alone_and_absent_without(generator):
    z, noise = rows_of(6)
    six = draw(generator, z, None, noise)
    assert (draw(generator, z[4:], None, noise[4:]) == six[4:]).all()
    plain = draw(generator, z)
    assert (plain != six).any((1, 2, 3)).all()
    assert (draw(generator, z) == plain).all()
    assert (draw(generator, z, None, noise[::-1].copy()) != six).any()
    assert len({*noise_numbers(0, np.arange(100)), *noise_numbers(1, np.arange(100))}) == 200


@pytest.mark.slow
def test_mixing_at_nothing_and_at_the_end_is_either_parent(generator):
    z, noise = rows_of(3)
    parents = draw(generator, z, None, noise)
    table = {at: draw_mixed(generator, z, None, noise, at) for at in (0, 8, 16, 17)}
    table = {at: images.reshape(3, 3, 16, 16, 3) for at, images in table.items()}
    near = functools.partial(np.testing.assert_allclose, atol=1)  # a grey level
    for i in range(3):
        for j in range(3):
            near(table[0][i, j].astype(int), parents[j].astype(int))
            near(table[17][i, j].astype(int), parents[i].astype(int))
        near(table[8][i, i].astype(int), parents[i].astype(int))
    mixed, by_layout, by_details = (x[0, 1].astype(int) for x in (table[8], table[17], table[0]))
    assert abs(mixed - by_layout).max() > 5 and abs(mixed - by_details).max() > 5
    assert (table[8] != table[16]).any()


@pytest.mark.slow
def test_truncation_goes_to_the_mean_of_w(generator):
    z, _ = rows_of(8)
    plain = draw(generator, z)
    assert (draw(truncated(generator, 1.0), z) == plain).all()
    half, hardly = (draw(truncated(generator, psi), z) for psi in (0.5, 0.01))
    assert plain.std(0).mean() > half.std(0).mean() > 5 * hardly.std(0).mean()
    w = generator.call("mapping", z)
    mean = generator.batch_stats["w_mean"]
    got = truncated(generator, 0.5).call("truncated", w)
    np.testing.assert_allclose(got, mean[None] + 0.5 * (w - mean[None]), rtol=1e-5, atol=1e-6)
    for wrong in (0.0, 1.5):
        with pytest.raises(UserError, match="above 0 and up to 1"):
            truncated(generator, wrong)


@pytest.mark.slow
def test_interpolation_is_straight_in_w_and_ends_at_the_seeds(generator):
    z, noise = rows_of(3)
    images = draw_between(generator, z, 4, None, np.repeat(noise[:1], 9))
    assert images.shape == (9, 16, 16, 3)
    ends = draw(generator, z, None, np.repeat(noise[:1], 3))
    np.testing.assert_allclose(images[::4].astype(int), ends.astype(int), atol=1)
    w = generator.call("mapping", z)
    middle = jnp.repeat((w[0] + w[1])[None, None] / 2, 6, 1)
    maps = generator.call("noise_maps", RowRng.of(noise[:1]))
    want = np.asarray(generator.call("synthesis", middle, maps))[0]
    np.testing.assert_allclose(images[2], (want + 1) * 127.5, atol=1.01)


@pytest.mark.slow
def test_styles_are_mixed_in_training_alone(generator):
    z, noise = rows_of(8)
    rng = RowRng.of(noise)

    def made(mixing, mode):
        network = generator.replace(module=generator.module.clone(mixing=mixing))
        images = network.train_mode(z, None, rng)[0] if mode else network.eval_mode(z, None, rng)
        return np.asarray(images)

    never, always, some = (made(share, True) for share in (0.0, 1.0, 0.5))
    used = made(1.0, False)
    np.testing.assert_allclose(never, used, atol=1e-6)
    changed = [(abs(x - never) > 1e-4).any((1, 2, 3)) for x in (always, some)]
    assert changed[0].all() and 0 < changed[1].sum() < 8


@pytest.mark.slow
def test_the_mean_of_w_is_that_of_the_averaged_weights(generator):
    other = jax.tree.map(lambda x: 1.1 * x, generator.params)
    network = averaged_generator(generator, other, {})
    z = jax.random.normal(jax.random.key(9), (4096, 8))
    want = network.call("mapping", z).mean(0)
    spread = float(network.call("mapping", z).std())
    np.testing.assert_allclose(network.batch_stats["w_mean"], want, atol=0.2 * spread)
    updated = generator.train_mode(z)[1]["w_mean"]
    own = generator.call("mapping", z).mean(0)
    np.testing.assert_allclose(updated, 0.9 * generator.batch_stats["w_mean"] + 0.1 * own, 1e-4)


@pytest.mark.slow
def test_the_deviation_of_a_batch_is_of_each_kind_of_pictures():
    x = np.random.default_rng(0).standard_normal((6, 2, 2, 3)).astype("f")
    got = np.asarray(with_deviation(x, 2, None))
    assert (got[..., :3] == x).all()
    for kind in range(2):
        want = x[kind::2].std(0).mean()
        np.testing.assert_allclose(got[kind::2, ..., 3], want, rtol=1e-5)


def written_out(state, config, images, z, **more):
    """The discriminator's gradient (Adam's first moment, as beta1 is 0) and metrics of a step."""
    batch = {"image": preprocess(images), "z": z, "noise": jnp.arange(8), **more}
    if config.options.architecture != "style":
        batch.pop("noise")
    after, metrics = steps.discriminator_step(state, batch, Rng(jax.random.key(6)), config)
    return optax.tree.get(after.discriminator.opt_state, "mu"), metrics


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["style", "dcgan"])
def test_the_mean_of_lazy_r1_is_that_of_the_eager_one(architecture):
    layers = 2 if architecture == "style" else None
    eager = CONFIG.replace(architecture=architecture, r1=0.5, mapping_layers=layers)
    lazy = eager.replace(r1_every=4)
    state, (z, _) = jax.jit(lambda: create_state(eager))(), rows_of(8)

    def gradients(config):
        return jax.jit(lambda step: written_out(state.replace(step=step), config, IMAGES, z))

    want, metrics = gradients(eager)(jnp.int32(0))
    lazily = gradients(lazy)
    of_steps = [lazily(jnp.int32(step)) for step in range(4)]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 4, *(grads for grads, _ in of_steps))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), mean, want)
    penalties = [metrics["d_penalty"] for _, metrics in of_steps]
    assert all(isinstance(penalty, Sometimes) for penalty in penalties)
    assert [bool(penalty.present) for penalty in penalties] == [False, False, False, True]
    np.testing.assert_allclose(penalties[3].value, metrics["d_penalty"], rtol=1e-5)


@pytest.mark.slow
def test_path_lengths_are_those_of_the_jacobian(generator):
    z, noise = rows_of(2)
    got = jax.jit(lambda z: path_lengths(generator, {"z": z, "noise": noise}))(z)
    rng = RowRng.of(noise)
    w = generator.call("mapping", z)
    maps = generator.call("noise_maps", rng)
    y = rng.fold(2).normal((16, 16, 3)) / 16
    for i in range(2):
        own = [x[i : i + 1] for x in maps]
        made = lambda ws, own=own: generator.call("synthesis", ws[None], own)[0]  # noqa: E731
        jacobian = jax.jit(jax.jacrev(made))(jnp.repeat(w[i : i + 1], 6, 0))
        product = (jacobian * y[i][..., None, None]).sum((0, 1, 2))
        np.testing.assert_allclose(got[i], jnp.sqrt(jnp.square(product).sum(1).mean()), rtol=1e-4)


def trained(num_devices, **fields):
    """(state, metrics) after three steps of everything, on the host."""
    config = CONFIG.replace(
        **{
            "conditional": True,
            "num_classes": 3,
            "r1": 0.1,
            "r1_every": 2,
            "path_length": 2.0,
            "augment": "color,translation",
            "augment_target": 0.6,
            "batch_size": 16,
        }
        | fields
    )
    pictures = np.random.default_rng(1).integers(0, 256, (50, 16, 16, 3), np.uint8)
    labels = np.random.default_rng(2).integers(0, 3, 50, np.int32)
    data = Dataset.of(pictures, labels, ("a", "b", "c"))
    trainer = Trainer(config, jax.devices()[:num_devices], data)
    state, rows = trainer.create_state(), []
    # path lengths are computed in every eighth step
    state = state.replace(step=jax.device_put(jnp.int32(5), state.step.sharding))
    for step in range(3):
        order = np.random.default_rng(step).permutation(50)[:16][None]
        state, metrics = trainer.train_steps(state, trainer.dataset.rows(order))
        rows.append([np.asarray(x).item() for x in jax.tree.leaves(metrics)])
    return jax.device_get(state), np.array(rows)


@pytest.mark.slow
def test_eight_devices_agree_with_one():
    state, rows = trained(1)
    for parallelism in ("jit", "pmap"):
        other, other_rows = trained(8, parallelism=parallelism)
        np.testing.assert_allclose(other_rows, rows, rtol=2e-3, atol=2e-4)
        np.testing.assert_allclose(other.path_length, state.path_length, rtol=1e-4)
        means = other.generator.batch_stats["w_mean"], state.generator.batch_stats["w_mean"]
        np.testing.assert_allclose(*means, atol=1e-3)


@pytest.mark.slow
def test_in_bfloat16_it_learns_in_float32():
    state, rows = trained(1, dtype="bfloat16", accumulate=2)
    assert np.isfinite(rows).all()
    leaves = jax.tree.leaves((state.generator.params, state.discriminator.params))
    assert {leaf.dtype for leaf in leaves} == {np.dtype("float32")}


STYLE = [
    *TINY,
    "--architecture",
    "style",
    "--mapping-layers",
    "2",
    "--r1",
    "0.1",
    "--r1-every",
    "2",
    "--path-length",
    "1",
]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("style") / "run"
    flags = {"preset": "plain", "image_size": 16, "features": 2, "latent_dim": 8, "batch_size": 8}
    flaxgan.train(
        dataset=str(pictures),
        run_dir=str(folder),
        architecture="style",
        conditional=True,
        mapping_layers=2,
        max_steps=2,
        **flags,
    )
    return folder


@pytest.mark.slow
def test_the_preset_chooses_what_the_paper_does(run_dir):
    config = json.loads((run_dir / "config.json").read_text())
    names = ("beta1", "beta2", "learning_rate", "r1", "r1_every", "batch_size")
    assert [config[name] for name in names] == [0.0, 0.99, 0.002, 0.0064, 16, 8]


def test_r1_follows_pixels_and_batch_unless_something_else_restrains():
    facts = Facts(num_images=4000)
    config = Config.make(architecture="style")
    chosen = choose(config, {"architecture"}, facts)
    names = ("features", "batch_size", "r1", "r1_every")
    assert [chosen[name].value for name in names] == [16, 8, 0.102, 16]
    other = choose(config.replace(r2=1.0), {"architecture", "r2"}, facts)
    assert not {"r1", "r1_every"} & other.keys()
    assert not {"r1", "beta1"} & choose(Config(), set(), facts).keys()


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_bit(tmp_path, pictures, train):
    common = ["--dataset", pictures, *STYLE, "--checkpoint-every", "2 steps"]
    for name, ends in (("whole", [4]), ("parts", [2, 4])):
        for end in ends:
            train(*common, "--run-dir", tmp_path / name, "--max-steps", end)
    states = [flaxgan.load(tmp_path / name) for name in ("whole", "parts")]
    assert [state.step for state in states] == [4, 4]
    for a, b in zip(*(jax.tree.leaves(x.generators["result"].params) for x in states), strict=True):
        assert (np.asarray(a) == np.asarray(b)).all()
    grids = [tmp_path / name / "generated_images/step_00000004.png" for name in ("whole", "parts")]
    assert grids[0].read_bytes() == grids[1].read_bytes()


@pytest.mark.slow
def test_sampling_a_run(run_dir, tmp_path, printed, sample_refused):
    model = flaxgan.load(run_dir)
    pictures = model.sample(9, seed=3)
    assert (model.sample(4, seed=3) == pictures[:4]).all()
    assert model.sample(9, seed=3, truncation=0.1).std(0).mean() < pictures.std(0).mean()
    said = printed(
        sample_main, run_dir, "--mix", "3,7,1", "--mix-at", 8, "--output", tmp_path / "table.png"
    )
    assert "9 pictures" in said and "rows give the coarse styles" in said
    width, height = size_of(tmp_path / "table.png")
    assert width > 3 * 18 + 2 and height > 3 * 18 + 2, "names beside rows and above columns"
    table = model.sample(mix=[3, 7, 1], mix_at=8)
    inside = np.asarray(Image.open(tmp_path / "table.png"))[-54:, -54:]
    assert (inside[:16, :16] == table[0]).all() and (inside[18:34, 36:52] == table[5]).all()
    parents = model.sample(8)[[3, 7, 1]].astype(int)
    np.testing.assert_allclose(model.sample(mix=[3, 7, 1], mix_at=0)[:3].astype(int), parents, 0, 1)
    strip = model.directions([1], 2.0, 3, num=2, seed=3)
    assert abs(strip[0, :, 1].astype(int) - pictures[:2]).max() <= 1, "noise and all"
    for words, *flags in (
        ("takes --mix-at", "--mix", "3,7"),
        ("is for --mix", "--mix-at", 8),
        ("two or more", "--mix", "3,3", "--mix-at", 8),
        ("up to 1", "--truncation", 2),
        ("name one --class", "--mix", "3,7", "--mix-at", 8, "--class", "all"),
        ("leave --num", "--mix", "3,7", "--mix-at", 8, "--num", 3),
    ):
        assert words in sample_refused(run_dir, *flags, "--output", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
