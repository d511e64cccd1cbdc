"""The order of the data: a function of (seed, step) alone, so that a resumed run sees what an
unbroken one would.
"""

import math

import numpy as np

from flaxgan.data.dataset import Dataset
from flaxgan.system.errors import UserError

SECOND = 2**32  # added to the seed for the order of an unpaired data set's second set
CAPTIONS = 1  # beside seed and step: the draws of captions
ROUNDS = 12  # fewer, and which picture follows which would be visibly uneven


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Return the whole batches in one pass through the data; the ragged last one is dropped.

    Raises UserError if there is none.
    """
    if num_images < batch_size:
        raise UserError(
            f"a step takes {batch_size} pictures (--batch-size times --d-steps), and there are"
            f" {num_images}; lower --batch-size"
        )
    return num_images // batch_size


def epoch_of(step: int, per_epoch: int) -> int:
    """Return the epoch, from 1, in which `step` steps are done."""
    return -(-step // per_epoch)


def _hash(x: np.ndarray, key: np.uint64) -> np.ndarray:
    """Mix the bits of x with a key, as SplitMix64 does (Steele, Lea & Flood 2014)."""
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def permuted(positions: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Permute range(size) by a key (seed, epoch); return where it sends `positions`.

    The cost is the same whatever the size.

    A Feistel network on pairs (left, right) of range(a) x range(b), with a * b >= size; what falls
    outside goes through it again until it is inside (Black & Rogaway 2002, "Ciphers with arbitrary
    finite domains").
    """
    keys = np.random.SeedSequence((seed, epoch)).generate_state(ROUNDS, np.uint64)
    a = np.uint64(math.isqrt(size - 1) + 1 if size > 1 else 1)
    b = (np.uint64(size - 1) // a) + np.uint64(1)

    def shuffle(x: np.ndarray) -> np.ndarray:
        left: np.ndarray = x % a
        right: np.ndarray = x // a
        for key in keys.reshape(-1, 2):
            left = (left + _hash(right, key[0]) % a) % a
            right = (right + _hash(left, key[1]) % b) % b
        return left + a * right

    x = shuffle(positions.astype(np.uint64))
    while (outside := x >= size).any():
        x[outside] = shuffle(x[outside])
    return x.astype(np.int64)


def indices(dataset: Dataset, seed: int, step: int, batch_size: int) -> dict[str, np.ndarray]:
    """Return which rows of each array step `step` (from 0) trains on: int64 (batch_size,).

    Arrays of one set share them. An epoch is one of the first set; the second has epochs and an
    order of its own. Of several captions of a picture one is drawn.
    """
    rows, second = batch_indices(seed, step, len(dataset), batch_size), None
    draws: np.ndarray | int = 0
    if dataset.captions is not None:
        draws = np.random.default_rng((seed, step, CAPTIONS)).integers(2**31, size=batch_size)
    if dataset.second is not None:
        second = batch_indices(seed + SECOND, step, len(dataset.second), batch_size)
    return dataset.rows(rows, second, draws)


def batch_indices(seed: int, step: int, num_images: int, batch_size: int) -> np.ndarray:
    """Return which images step `step` (from 0) trains on: int64 (batch_size,).

    Every epoch is a new permutation.
    """
    epoch, batch = divmod(step, steps_per_epoch(num_images, batch_size))
    return permuted(
        np.arange(batch * batch_size, (batch + 1) * batch_size), num_images, seed, epoch
    )
