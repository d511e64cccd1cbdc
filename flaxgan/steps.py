"""The training step: pure functions of state and data."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.losses import discriminator_loss, generator_loss
from flaxgan.state import TRAINING, GANState, Network, random_key

Metrics = dict[str, Array]


def preprocess(images: Array, flip_key: Array | None = None) -> Array:
    """uint8 (N, H, W, C) -> float32 in [-1, 1]; with a key, each picture is mirrored with probability 1/2."""
    x = images.astype(jnp.float32) / 127.5 - 1
    if flip_key is None:
        return x
    mirrored = jax.random.bernoulli(flip_key, shape=(len(x), 1, 1, 1))
    return jnp.where(mirrored, x[:, :, ::-1], x)


def to_uint8(x: Array) -> Array:
    """The inverse of preprocess: [-1, 1] -> uint8, rounded."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)


class Generated(NamedTuple):
    """A batch of generated pictures, and what it takes to learn from them."""

    images: Array  # (N, H, W, C) in (-1, 1)
    batch_stats: Any  # the generator's running statistics, having seen this batch
    pullback: Callable[[Array], Any]  # gradient of a loss by the images -> (gradient by the generator's parameters,)


def generate(generator: Network, z: Array) -> Generated:
    """z (N, latent_dim) -> training-mode pictures. Both steps learn from them, so that the generator runs once."""
    images, pullback, batch_stats = jax.vjp(
        lambda params: generator.train_mode(params, generator.batch_stats, z), generator.params, has_aux=True
    )
    return Generated(images, batch_stats, pullback)


def discriminator_step(state: GANState, images: Array, fake_images: Array) -> tuple[GANState, Metrics]:
    """One update of the discriminator on real and generated pictures, both (N, H, W, C) in [-1, 1].

    The two pass separately, each normalised by its own batch's statistics (DCGAN practice); the running statistics
    take in both. The generator is left as it was.
    """
    d = state.discriminator

    def loss_fn(params):
        real_logits, batch_stats = d.train_mode(params, d.batch_stats, images)
        fake_logits, batch_stats = d.train_mode(params, batch_stats, fake_images)
        return discriminator_loss(real_logits, fake_logits), (real_logits, fake_logits, batch_stats)

    (loss, (real_logits, fake_logits, batch_stats)), grads = jax.value_and_grad(loss_fn, has_aux=True)(d.params)
    metrics = {
        "d_loss": loss,
        "d_real_accuracy": (real_logits > 0).mean(),
        "d_fake_accuracy": (fake_logits < 0).mean(),
    }
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(state: GANState, generated: Generated) -> tuple[GANState, Metrics]:
    """One update of the generator against the discriminator, which is left as it was, running statistics included."""
    d = state.discriminator

    def loss_fn(fake_images):
        fake_logits, _ = d.train_mode(d.params, d.batch_stats, fake_images)
        return generator_loss(fake_logits)

    loss, image_grads = jax.value_and_grad(loss_fn)(generated.images)
    (grads,) = generated.pullback(image_grads)
    return state.replace(generator=state.generator.update(grads, generated.batch_stats)), {"g_loss": loss}


def train_step(state: GANState, images: Array, *, flip: bool) -> tuple[GANState, Metrics]:
    """uint8 images (N, H, W, C) -> the next state and the step's metrics (float32 scalars, on the device)."""
    key = jax.random.fold_in(random_key(state.seed, TRAINING), state.step)
    z_key, flip_key = jax.random.split(key)
    z = jax.random.normal(z_key, (len(images), state.generator.module.latent_dim))
    generated = generate(state.generator, z)
    state, d_metrics = discriminator_step(state, preprocess(images, flip_key if flip else None), generated.images)
    state, g_metrics = generator_step(state, generated)
    return state.replace(step=state.step + 1), d_metrics | g_metrics
