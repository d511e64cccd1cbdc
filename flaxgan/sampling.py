"""Pictures from a trained generator."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.state import SAMPLING, Network, random_key
from flaxgan.steps import to_uint8


def latents(seed: int, start: int, stop: int, latent_dim: int) -> Array:
    """Rows start..stop of the z that belong to a seed: float32 (stop - start, latent_dim), N(0, 1).

    Row i depends on seed and i alone, so picture i is the same however many are asked for.
    """
    key = random_key(seed, SAMPLING)
    return jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (latent_dim,)))(jnp.arange(start, stop))


@jax.jit
def _pictures(generator: Network, z: Array) -> Array:
    return to_uint8(generator.eval_mode(z))


def sample(generator: Network, seed: int, start: int, stop: int) -> np.ndarray:
    """Pictures start..stop of a seed, made with the running statistics: uint8 (stop - start, H, W, C). Waits for the device."""
    return np.asarray(_pictures(generator, latents(seed, start, stop, generator.module.latent_dim)))
