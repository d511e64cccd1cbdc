"""The training step: pure functions of state and data.

All take `axis_name`, the name of pmap's axis of devices, each of which then has its part of the batch; under jit it is None,
and the batch is the whole one, wherever its parts lie.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.losses import discriminator_loss, generator_loss
from flaxgan.state import TRAINING, GANState, Network, random_key

Metrics = dict[str, Array]


def preprocess(images: Array, mirrored: Array | None = None) -> Array:
    """uint8 (N, H, W, C) -> float32 in [-1, 1]; those of `mirrored`, bool (N,), are mirrored."""
    x = images.astype(jnp.float32) / 127.5 - 1
    return x if mirrored is None else jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def to_uint8(x: Array) -> Array:
    """The inverse of preprocess: [-1, 1] -> uint8, rounded."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)


class Generated(NamedTuple):
    """A batch of generated pictures, and what it takes to learn from them."""

    images: Array  # (N, H, W, C) in (-1, 1)
    batch_stats: Any  # the generator's running statistics, having seen this batch
    pullback: Callable[[Array], Any]  # gradient of a loss by the images -> (gradient by the generator's parameters,)


def generate(generator: Network, z: Array, axis_name: str | None = None) -> Generated:
    """z (N, latent_dim) -> training-mode pictures. Both steps learn from them, so that the generator runs once."""
    images, pullback, batch_stats = jax.vjp(
        lambda params: generator.train_mode(params, generator.batch_stats, z, axis_name), generator.params, has_aux=True
    )
    return Generated(images, batch_stats, pullback)


def _mean(of: Callable[..., Any], arrays: tuple[Array, ...], accumulate: int, axis_name: str | None) -> Any:
    """The tree `of(*arrays)`, all of it means over a batch, as the mean over `accumulate` parts of the batch and over devices.

    As in every framework, each part is normalised by its own statistics; the running ones take in their mean.
    """
    if accumulate == 1:
        means = of(*arrays)
    else:
        # Part i is every accumulate-th picture from i on, so that each device goes through its own pictures.
        parts = tuple(jnp.moveaxis(x.reshape(-1, accumulate, *x.shape[1:]), 1, 0) for x in arrays)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(of, *(x[0] for x in parts)))
        sums, _ = lax.scan(lambda sums, part: (jax.tree.map(jnp.add, sums, of(*part)), None), zeros, parts)
        means = jax.tree.map(lambda x: x / accumulate, sums)
    return means if axis_name is None else lax.pmean(means, axis_name)


def discriminator_step(
    state: GANState, images: Array, z: Array, generated: Generated | None = None, accumulate: int = 1, axis_name: str | None = None
) -> tuple[GANState, Metrics]:
    """One update of the discriminator on pictures (N, H, W, C) in [-1, 1] and on those `generated` from z (N, latent_dim).

    The two pass separately, each normalised by its own batch's statistics (DCGAN practice); the running statistics
    take in both. The generator is left as it was. Without `generated`, the pictures are made here.
    """
    d = state.discriminator

    def of(images: Array, z: Array) -> tuple[Any, Any, Metrics]:
        fake_images = (generated or generate(state.generator, z, axis_name)).images

        def loss_fn(params):
            real_logits, batch_stats = d.train_mode(params, d.batch_stats, images, axis_name)
            fake_logits, batch_stats = d.train_mode(params, batch_stats, fake_images, axis_name)
            return discriminator_loss(real_logits, fake_logits), (real_logits, fake_logits, batch_stats)

        (loss, (real_logits, fake_logits, batch_stats)), grads = jax.value_and_grad(loss_fn, has_aux=True)(d.params)
        accuracies = {"d_real_accuracy": (real_logits > 0).mean(), "d_fake_accuracy": (fake_logits < 0).mean()}
        return grads, batch_stats, {"d_loss": loss} | accuracies

    grads, batch_stats, metrics = _mean(of, (images, z), accumulate, axis_name)
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(
    state: GANState, z: Array, generated: Generated | None = None, accumulate: int = 1, axis_name: str | None = None
) -> tuple[GANState, Metrics]:
    """One update of the generator against the discriminator, which is left as it was, running statistics included."""
    d = state.discriminator

    def of(z: Array) -> tuple[Any, Any, Metrics]:
        fake_images, batch_stats, pullback = generated or generate(state.generator, z, axis_name)

        def loss_fn(fake_images):
            fake_logits, _ = d.train_mode(d.params, d.batch_stats, fake_images, axis_name)
            return generator_loss(fake_logits)

        loss, image_grads = jax.value_and_grad(loss_fn)(fake_images)
        (grads,) = pullback(image_grads)
        return grads, batch_stats, {"g_loss": loss}

    grads, batch_stats, metrics = _mean(of, (z,), accumulate, axis_name)
    return state.replace(generator=state.generator.update(grads, batch_stats)), metrics


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
    # In parts, each step makes its pictures anew: it is memory that is short then.
    generated = generate(state.generator, z, axis_name) if accumulate == 1 else None
    state, d_metrics = discriminator_step(state, preprocess(images, mirrored), z, generated, accumulate, axis_name)
    state, g_metrics = generator_step(state, z, generated, accumulate, axis_name)
    return state.replace(step=state.step + 1), d_metrics | g_metrics
