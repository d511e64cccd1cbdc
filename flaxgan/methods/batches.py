"""Apply compiled functions to any number of rows, in batches of one size."""

from collections.abc import Callable
from typing import Any

import numpy as np

from flaxgan.system.bars import progress_bar

BATCH = 64


def in_batches(function: Callable[..., Any], *arrays: np.ndarray | None) -> np.ndarray:
    """Apply a compiled function to rows of arrays, in batches of one size. Waits for the device.

    An array may be None, but the first.
    """
    first, batches = arrays[0], []
    assert first is not None and all(len(x) == len(first) for x in arrays if x is not None)
    for start in progress_bar(
        range(0, len(first), BATCH), desc="sampling", unit="batch", hidden=len(first) <= BATCH
    ):
        # Whole batches here, too.
        whole = (
            x if x is None else np.resize(x[start : start + BATCH], (BATCH, *x.shape[1:]))
            for x in arrays
        )
        batches.append(np.asarray(function(*whole)))
    return np.concatenate(batches)[: len(first)]
