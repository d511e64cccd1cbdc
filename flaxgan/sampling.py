"""Pictures from a trained generator."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

from flaxgan.state import SAMPLING, Network, random_key
from flaxgan.steps import to_uint8

BATCH = 64


def latents(seed: int, start: int, stop: int, latent_dim: int, use: int = SAMPLING) -> Array:
    """Rows start..stop of the z that belong to a seed and a use: float32 (stop - start, latent_dim), N(0, 1).

    Row i depends on seed, use and i alone, so picture i is the same however many are asked for.
    """
    key = random_key(seed, use)
    return jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (latent_dim,)))(jnp.arange(start, stop))


@jax.jit
def _pictures(generator: Network, z: Array) -> Array:
    return to_uint8(generator.eval_mode(z))


def sample(generator: Network, seed: int, num: int, use: int = SAMPLING) -> np.ndarray:
    """The first `num` pictures of a seed, made with the running statistics: uint8 (num, H, W, C). Waits for the device."""
    batches = []
    for start in tqdm(range(0, num, BATCH), "sampling", unit="batch", disable=True if num <= BATCH else None):
        # Whole batches only, so that one program is compiled.
        z = latents(seed, start, start + BATCH, generator.module.latent_dim, use)
        batches.append(np.asarray(_pictures(generator, z)))
    return np.concatenate(batches)[:num]
