"""The order of the data: a function of (seed, step) alone, so that a resumed run sees what an unbroken one would."""

import functools

import numpy as np

from flaxgan.errors import UserError


def steps_per_epoch(num_pictures: int, batch_size: int) -> int:
    """Whole batches in one pass through the data; the ragged last one is dropped. Raises UserError if there is none."""
    if num_pictures < batch_size:
        raise UserError(f"--batch-size {batch_size} is more than the {num_pictures} pictures there are; make it smaller")
    return num_pictures // batch_size


@functools.lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, num_pictures: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(num_pictures)


def batch_indices(seed: int, step: int, num_pictures: int, batch_size: int) -> np.ndarray:
    """Which pictures step `step` (from 0) trains on: int64 (batch_size,). Every epoch is a new permutation."""
    epoch, batch = divmod(step, steps_per_epoch(num_pictures, batch_size))
    return _permutation(seed, epoch, num_pictures)[batch * batch_size : (batch + 1) * batch_size]
