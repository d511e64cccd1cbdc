"""The training step: pure functions of state and data.

All take `axis_name`, the name of pmap's axis of devices, each of which then has its part of the batch; under jit it is None,
and the batch is the whole one, wherever its parts lie.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.losses import discriminator_loss, generator_loss
from flaxgan.state import TRAINING, GANState, random_key

Metrics = dict[str, Array]


def preprocess(images: Array, mirrored: Array | None = None) -> Array:
    """uint8 (N, H, W, C) -> float32 in [-1, 1]; those of `mirrored`, bool (N,), are mirrored."""
    x = images.astype(jnp.float32) / 127.5 - 1
    return x if mirrored is None else jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def to_uint8(x: Array) -> Array:
    """The inverse of preprocess: [-1, 1] -> uint8, rounded."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)


Gradients = Callable[..., tuple[Any, Metrics, Any]]  # (batch_stats, *arrays) -> (grads, metrics, batch_stats)


def _mean_gradients(
    gradients: Gradients, batch_stats: Any, arrays: tuple[Array, ...], accumulate: int, axis_name: str | None
) -> tuple[Any, Metrics, Any]:
    """`gradients` of a batch, as the mean over `accumulate` parts of it, and over devices.

    As in every framework, each part is normalised by its own statistics, and the running ones take in one part after another.
    """
    if accumulate == 1:
        *means, batch_stats = gradients(batch_stats, *arrays)
    else:
        # Part i is every accumulate-th picture from i on, so that each device goes through its own pictures.
        parts = tuple(jnp.moveaxis(x.reshape(-1, accumulate, *x.shape[1:]), 1, 0) for x in arrays)

        def add(carry, part):
            batch_stats, sums = carry
            *values, batch_stats = gradients(batch_stats, *part)
            return (batch_stats, jax.tree.map(jnp.add, sums, values)), None

        *shapes, _ = jax.eval_shape(gradients, batch_stats, *(x[0] for x in parts))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        (batch_stats, sums), _ = lax.scan(add, (batch_stats, zeros), parts)
        means = jax.tree.map(lambda x: x / accumulate, sums)
    grads, metrics = means if axis_name is None else lax.pmean(means, axis_name)
    return grads, metrics, batch_stats


def discriminator_step(
    state: GANState, images: Array, z: Array, accumulate: int = 1, axis_name: str | None = None
) -> tuple[GANState, Metrics]:
    """One update of the discriminator on pictures (N, H, W, C) in [-1, 1] and on those generated from z (N, latent_dim).

    The two pass separately, each normalised by its own batch's statistics (DCGAN practice); the running statistics
    take in both. The generator is left as it was.
    """
    g, d = state.generator, state.discriminator

    def gradients(batch_stats, images, z):
        # XLA computes these pictures once for both steps (a test counts), unless the batch goes through in parts.
        fake_images, _ = g.train_mode(g.params, g.batch_stats, z, axis_name)

        def loss_fn(params):
            real_logits, stats = d.train_mode(params, batch_stats, images, axis_name)
            fake_logits, stats = d.train_mode(params, stats, fake_images, axis_name)
            return discriminator_loss(real_logits, fake_logits), (real_logits, fake_logits, stats)

        (loss, (real_logits, fake_logits, stats)), grads = jax.value_and_grad(loss_fn, has_aux=True)(d.params)
        accuracies = {"d_real_accuracy": (real_logits > 0).mean(), "d_fake_accuracy": (fake_logits < 0).mean()}
        return grads, {"d_loss": loss} | accuracies, stats

    grads, metrics, batch_stats = _mean_gradients(gradients, d.batch_stats, (images, z), accumulate, axis_name)
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(state: GANState, z: Array, accumulate: int = 1, axis_name: str | None = None) -> tuple[GANState, Metrics]:
    """One update of the generator against the discriminator, which is left as it was, running statistics included."""
    g, d = state.generator, state.discriminator

    def gradients(batch_stats, z):
        def loss_fn(params):
            fake_images, stats = g.train_mode(params, batch_stats, z, axis_name)
            fake_logits, _ = d.train_mode(d.params, d.batch_stats, fake_images, axis_name)
            return generator_loss(fake_logits), stats

        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(g.params)
        return grads, {"g_loss": loss}, stats

    grads, metrics, batch_stats = _mean_gradients(gradients, g.batch_stats, (z,), accumulate, axis_name)
    return state.replace(generator=g.update(grads, batch_stats)), metrics


def train_step(
    state: GANState,
    images: Array,
    *,
    flip: bool,
    accumulate: int = 1,
    axis_name: str | None = None,
    split: Callable[[Array], Array] = lambda drawn: drawn,
) -> tuple[GANState, Metrics]:
    """uint8 images (N, H, W, C) -> the next state and the step's metrics (float32 scalars, on the device).

    Random numbers are drawn for the whole batch, whatever the devices; `split` then leaves each device its own rows.
    """
    num = len(images) * (1 if axis_name is None else lax.axis_size(axis_name))
    key = jax.random.fold_in(random_key(state.seed, TRAINING), state.step)
    z_key, flip_key = jax.random.split(key)
    z = split(jax.random.normal(z_key, (num, state.generator.module.latent_dim)))
    mirrored = split(jax.random.bernoulli(flip_key, shape=(num,))) if flip else None
    state, d_metrics = discriminator_step(state, preprocess(images, mirrored), z, accumulate, axis_name)
    state, g_metrics = generator_step(state, z, accumulate, axis_name)
    return state.replace(step=state.step + 1), d_metrics | g_metrics
