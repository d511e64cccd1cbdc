"""The noise that some generators add to their maps: a number for each picture decides it."""

from typing import Any

import jax
import numpy as np

from flaxgan.rng import SAMPLING, random_key

NOT_A_ROW = 2**32 - 2  # of z, which are drawn from the same stream


def takes_noise(generator: Any) -> bool:
    """Tell whether a generator's module, or its class, adds noise to its pictures."""
    return getattr(generator, "takes_noise", False)


def noise_numbers(seed: int, rows: np.ndarray, stream: int = SAMPLING) -> np.ndarray:
    """Draw the numbers of these pictures of a seed, counted from 0: int32, of the shape (N,).

    A picture's number depends on seed, stream and its row alone.
    """
    key = jax.random.fold_in(random_key(seed, stream), NOT_A_ROW)
    bits = jax.vmap(lambda i: jax.random.bits(jax.random.fold_in(key, i)))(rows.astype(np.uint32))
    return np.asarray(bits >> 1).astype(np.int32)
