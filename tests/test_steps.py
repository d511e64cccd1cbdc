import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flaxgan import steps
from flaxgan.config import Config
from flaxgan.losses import discriminator_loss, generator_loss
from flaxgan.parallel import Compiled
from flaxgan.state import TRAINING, create_state, random_key
from flaxgan.steps import preprocess, to_uint8, train_step

# Compiled: operation by operation, each would be a compilation of its own.
discriminator_step, generate, generator_step = map(jax.jit, (steps.discriminator_step, steps.generate, steps.generator_step))
train_mode = jax.jit(lambda network, x: network.train_mode(network.params, network.batch_stats, x))

CONFIG = Config(image_size=16, channels=3, features=4, latent_dim=8, batch_size=8, flip=True)


@pytest.fixture(scope="module")
def state():
    return jax.jit(lambda: create_state(CONFIG))()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def z():
    return jax.random.normal(jax.random.key(5), (8, 8))


def same(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))


def close(a, b, atol):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=0, atol=atol), a, b)


def test_every_byte_survives_the_round_trip():
    levels = jnp.arange(256, dtype=jnp.uint8).reshape(1, 16, 16, 1)
    x = preprocess(levels)
    assert (float(x.min()), float(x.max())) == (-1, 1)
    assert (to_uint8(x) == levels).all()


def test_about_half_the_pictures_are_mirrored_each_as_a_whole():
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 3), np.uint8)
    plain, flipped = preprocess(images), preprocess(images, jax.random.key(0))
    mirrored = (flipped == plain[:, :, ::-1]).all((1, 2, 3))
    assert ((flipped == plain).all((1, 2, 3)) | mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def adam_first_step(params, grads, rate=2e-4, eps=1e-8):
    """Adam's first step, worked by hand: both moments are unbiased to g and g**2, so it is rate * g / (|g| + eps)."""
    return jax.tree.map(lambda p, g: p - rate * g / (abs(g) + eps), params, grads)


def test_discriminator_step_is_one_adam_step_on_the_loss_written_out(state, images, z):
    g, d = state.generator, state.discriminator
    fakes = generate(g, z).images

    def loss(params):
        def logits(x):
            return d.module.apply({"params": params, "batch_stats": d.batch_stats}, x, train=True, mutable=["batch_stats"])[0]

        return discriminator_loss(logits(preprocess(images)), logits(fakes))

    value, grads = jax.jit(jax.value_and_grad(loss))(d.params)
    after, metrics = discriminator_step(state, preprocess(images), fakes)
    close(after.discriminator.params, adam_first_step(d.params, grads), 2e-6)
    np.testing.assert_allclose(metrics["d_loss"], value, rtol=1e-6)
    assert same(after.generator, g)


def test_running_statistics_take_in_real_then_generated(state, images, z):
    d = state.discriminator
    fakes = generate(state.generator, z).images
    after, _ = discriminator_step(state, preprocess(images), fakes)
    _, stats = train_mode(d, preprocess(images))
    _, stats = train_mode(d.replace(batch_stats=stats), fakes)
    close(after.discriminator.batch_stats, stats, 1e-6)


def test_generator_step_is_one_adam_step_through_both_networks(state, z):
    g, d = state.generator, state.discriminator

    def loss(params):
        images, _ = g.train_mode(params, g.batch_stats, z)
        return generator_loss(d.train_mode(d.params, d.batch_stats, images)[0])

    value, grads = jax.jit(jax.value_and_grad(loss))(g.params)
    after, metrics = generator_step(state, generate(g, z))
    # Adam's first step is the gradient's sign: where rounding decides that, compare the moments instead.
    close(optax.tree.get(after.generator.opt_state, "mu"), jax.tree.map(lambda g: 0.5 * g, grads), 1e-6)
    np.testing.assert_allclose(metrics["g_loss"], value, rtol=1e-6)
    assert same(after.discriminator, d)
    assert not same(after.generator.batch_stats, g.batch_stats)


def test_accuracies_count_logits_on_the_right_side(state, images, z):
    d, fakes = state.discriminator, generate(state.generator, z).images
    _, metrics = discriminator_step(state, preprocess(images), fakes)
    real_logits, _ = train_mode(d, preprocess(images))
    fake_logits, _ = train_mode(d, fakes)
    assert metrics["d_real_accuracy"] == (real_logits > 0).mean()
    assert metrics["d_fake_accuracy"] == (fake_logits < 0).mean()


def test_train_step_composes_the_two_and_counts(state, images):
    step = jax.jit(functools.partial(train_step, flip=False))
    once, metrics = step(state, images)
    assert int(once.step) == 1
    assert set(metrics) == {"d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy"}
    again, _ = step(state, images)
    assert same(once, again), "the same state and pictures give the same next state"
    key = jax.random.split(jax.random.fold_in(random_key(0, TRAINING), 0))[0]
    generated = generate(state.generator, jax.random.normal(key, (8, 8)))
    expected, d_metrics = discriminator_step(state, preprocess(images), generated.images)
    expected, g_metrics = generator_step(expected, generated)
    np.testing.assert_allclose([metrics["d_loss"], metrics["g_loss"]], [d_metrics["d_loss"], g_metrics["g_loss"]], rtol=1e-5)
    for got, want in ((once.generator, expected.generator), (once.discriminator, expected.discriminator)):
        close(got.batch_stats, want.batch_stats, 1e-5)
        close(optax.tree.get(got.opt_state, "mu"), optax.tree.get(want.opt_state, "mu"), 1e-5)


def test_randomness_follows_seed_and_step(state, images):
    step = jax.jit(functools.partial(train_step, flip=True))
    first, other_step, other_seed = (step(s, images)[1] for s in (state, state.replace(step=7), state.replace(seed=jnp.uint32(1))))
    assert len({float(metrics["d_loss"]) for metrics in (first, other_step, other_seed)}) == 3


def test_eight_devices_agree_with_one(images):
    results = []
    for devices in (jax.devices()[:1], jax.devices()):
        compiled = Compiled(CONFIG, devices)
        state = compiled.create_state()
        for _ in range(3):
            state, metrics = compiled.train_step(state, images)
        results.append((metrics, state.generator.batch_stats, state.discriminator.batch_stats))
    assert len(jax.devices()) == 8
    close(*results, 1e-5)


def test_the_generator_runs_once_a_step_and_nothing_needless_is_differentiated():
    """Matrix products in a compiled step, by hand: each pass through a layer, or gradient of it, is `cost` products."""
    config = Config(image_size=32, channels=3, features=8, batch_size=8, flip=False)
    compiled = Compiled(config, jax.devices()[:1])
    products = compiled._train_step.as_text().count(" dot(")
    filtered, gathered, dense = 2 * 9, 1, 1  # the two inner layers by minimal filtering, that with three channels, the dense one
    # One network pass, and its gradients by parameters and by inputs.
    d_forward = d_params = filtered + gathered + dense
    d_inputs_inside = filtered + dense  # down to the first layer's output, not to the real pictures
    g_forward = g_params = dense + filtered + gathered
    g_inputs = filtered + gathered  # not to z
    d_step = 2 * (d_forward + d_params + d_inputs_inside)
    g_step = d_forward + (d_inputs_inside + gathered) + g_params + g_inputs
    assert 0.8 * (g_forward + d_step + g_step) < products <= g_forward + d_step + g_step
