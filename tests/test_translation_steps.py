"""Steps of the methods that translate: on several devices, in micro-batches, until they overfit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.data import Dataset
from flaxgan.methods import METHODS
from flaxgan.trainer import Trainer
from tests.test_translation import OWN, batch_of, config_of


def _leaves(params):
    """The kernels: the gradient of a bias before instance norm is 0, and Adam divides by it."""
    return [x for path, x in jax.tree.leaves_with_path(params) if "bias" not in str(path)]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.slow
def test_eight_devices_agree_with_one(name):
    """Under jit and under pmap, pool and patches included."""
    config = config_of(name, batch_size=8, jitter=1.0, flip=True, ema=10)
    arrays = batch_of(config, 8)
    dataset = Dataset({"source": arrays["source"]}, second=Dataset({"image": arrays["image"]}))
    if config.options.DATA != "unpaired":
        dataset = Dataset(arrays)
    results = []
    ways = [(1, "jit"), (8, "pmap"), *[(8, "jit")] * (name == "pix2pix")]
    for devices, parallelism in ways:
        config = config.replace(parallelism=parallelism)
        trainer = Trainer(config, jax.devices()[:devices], dataset)
        state, row = trainer.create_state(), np.arange(8)[None]
        for step in range(2):
            stage = trainer.stage(step)
            state, metrics = trainer.train_steps(state, dataset.rows(row, row), stage)
        results.append((metrics, _leaves(state.ema_params)))
    for metrics, params in results[1:]:
        for key, value in results[0][0].items():
            np.testing.assert_allclose(metrics[key], value, rtol=2e-3, atol=2e-3, err_msg=key)
        for got, want in zip(params, results[0][1], strict=True):
            np.testing.assert_allclose(got, want, atol=3e-4)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
@pytest.mark.slow
def test_micro_batches_learn_as_the_whole_batch(name):
    """Their networks normalise each picture by itself; so gradients are means over pictures."""
    whole = (
        config_of(name, batch_size=4, ema=0, pool=0)
        if name == "cyclegan"
        else config_of(name, batch_size=4, ema=0)
    )
    if name == "pix2pix":
        whole = whole.replace(dropout=0.0)
    method = METHODS[name]
    state, batch = method.create_state(whole), batch_of(whole, 4)
    results = [
        jax.jit(lambda s, b, c=c: method.train_step(s, b, config=c))(state, batch)
        for c in (whole, whole.replace(accumulate=2))
    ]
    for got, want in zip(*(_leaves(r[0].generator.params) for r in results), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4)
    for key, value in results[0][1].items():
        np.testing.assert_allclose(results[1][1][key], value, rtol=2e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.slow
def test_it_overfits_the_pictures_that_it_has_seen(name):
    """Two pairs, or one picture of each set: the difference that it minimises all but goes."""
    fields = {"features": 8, "learning_rate": 2e-3, "ema": 0, "pixel_images": 1000}
    fields = {k: v for k, v in fields.items() if k != "pixel_images" or name == "srgan"}
    config = config_of(name, **fields)
    method, metric = (
        METHODS[name],
        {"pix2pix": "l1_loss", "cyclegan": "cycle_loss", "cut": "nce_loss", "srgan": "l1_loss"}[
            name
        ],
    )
    y, x = np.mgrid[:16, :16] / 16
    image = np.stack([255 * y, 255 * x, 0 * x + 90], -1).astype(np.uint8)
    images = np.stack([image, image[::-1]])
    scale = getattr(config.options, "scale", 1)
    sources = images[:, ::scale, ::scale]
    if name == "pix2pix":
        sources = sources[..., :1]
    if config.options.DATA == "unpaired":
        images = 255 - images
    batch = {"image": jnp.asarray(images), "source": jnp.asarray(sources)}
    step = jax.jit(lambda s: method.train_step(s, batch, config=config), donate_argnums=0)
    state, losses = method.create_state(config), []
    for _ in range(150):
        state, metrics = step(state)
        losses.append(float(metrics[metric]))
    assert np.mean(losses[-10:]) < 0.5 * losses[0], (losses[0], losses[-1])
