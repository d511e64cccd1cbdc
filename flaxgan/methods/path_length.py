"""Path length regularisation: a step in w is to change any picture equally far (Karras et al. 2020,
arXiv:1912.04958, section 3.2), with --architecture style.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.methods.state import Network
from flaxgan.methods.updates import Batch, condition_of, lazily
from flaxgan.rng import RowRng, average

EVERY = 8  # steps; of the paper's batches, every 4 of half a batch
DECAY = 0.01  # of the mean length, each time


def path_lengths(generator: Network, batch: Batch) -> Array:
    """Return how far the pictures of a batch move in random directions with their w: (N,)."""
    rng, count = RowRng.of(batch["noise"]), generator.module.num_styles
    w = generator.call("mapping", batch["z"], condition_of(batch))
    noise = generator.call("noise_maps", rng)

    def moved(ws: Array) -> Array:
        images = generator.call("synthesis", ws, noise)
        direction = rng.fold(2).normal(images.shape[1:])
        return (images * direction).sum() / math.sqrt(math.prod(images.shape[1:3]))

    by_styles = jax.grad(moved)(jnp.repeat(w[:, None], count, 1))
    return jnp.sqrt(jnp.square(by_styles).sum(2).mean(1) + 1e-12)


def followed(mean: Array, length: Array) -> Array:
    """Return the running mean of lengths, having seen another one."""
    return mean + DECAY * (length - mean)


def path_length_gradients(
    generator: Network, batch: Batch, mean: Array, due: Array, weight: float
) -> tuple[Any, Array]:
    """Return the gradients to add in a step, and the batch's mean length; zeros unless `due`.

    What is minimised is the squared distance of the lengths from their running mean.
    """

    def loss(params: Any) -> tuple[Array, Array]:
        lengths = path_lengths(generator.replace(params=params), batch)
        length = average(lengths.mean(), generator.module.axis)
        target = lax.stop_gradient(followed(mean, length))
        return EVERY * weight * jnp.square(lengths - target).mean(), length

    return lazily(due, lambda: jax.grad(loss, has_aux=True)(generator.params))
