"""The kernel distance (KID): squared maximum mean discrepancy, which is estimated without bias."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 1000
BLOCK = 512  # rows of a kernel matrix held at a time


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (x.y / D + 1)^3 of all pairs of rows (N, D) and (M, D): float64 (N, M)."""
    kernel = (x @ y.T).astype(np.float64) / x.shape[1] + 1
    kernel *= kernel * kernel
    return kernel


def _sums(x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sum the kernel over all pairs of x[rows[s]] and y[columns[s]], for each s: float64 (S,)."""
    if len(x) * len(y) > rows.size * columns.shape[1]:
        return np.array([_kernel(x[i], y[j]).sum() for i, j in zip(rows, columns, strict=True)])
    # The subsets overlap so much that the kernel of all pairs, once, is less work.
    in_x, in_y = np.zeros((len(rows), len(x))), np.zeros((len(columns), len(y)))
    np.put_along_axis(in_x, rows, 1, axis=1)
    np.put_along_axis(in_y, columns, 1, axis=1)
    blocks = (slice(start, start + BLOCK) for start in range(0, len(x), BLOCK))
    return np.sum(
        [((in_x[:, block] @ _kernel(x[block], y)) * in_y).sum(1) for block in blocks], axis=0
    )


def mean_within(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the kernel's mean over all pairs of different members of each subset: float64 (S,).

    A subset is a row of `rows` (S, size), of x (N, D).
    """
    size = rows.shape[1]
    itself = (np.einsum("nd,nd->n", x, x, dtype=np.float64) / x.shape[1] + 1) ** 3
    return (_sums(x, x, rows, rows) - itself[rows].sum(1)) / (size * (size - 1))


def _mmd2(
    real: np.ndarray,
    generated: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    real_within: np.ndarray,
) -> np.ndarray:
    between = _sums(real, generated, rows, columns) / (rows.shape[1] * columns.shape[1])
    return real_within + mean_within(generated, columns) - 2 * between


def mmd2(real: np.ndarray, generated: np.ndarray) -> float:
    """Return the unbiased squared MMD of two feature arrays (N, D) and (M, D).

    It may come out negative. Gretton et al. 2012, equation 3.
    """
    rows, columns = (np.arange(len(x))[None] for x in (real, generated))
    return float(_mmd2(real, generated, rows, columns, mean_within(real, rows))[0])


class KernelDistance(NamedTuple):
    """Hold mean and standard deviation of the squared MMD over so many subsets."""

    mean: float
    std: float
    subsets: int


def kernel_distance(
    real: np.ndarray,
    generated: np.ndarray,
    subset_size: int = SUBSET_SIZE,
    seed: int = 0,
    real_within: Callable[[np.ndarray], np.ndarray] | None = None,
) -> KernelDistance:
    """Return mean and standard deviation of mmd2 over SUBSETS pairs of random subsets.

    Binkowski et al. 2018, arXiv:1801.01401.

    Each set must have at least `subset_size` rows, and that be at least 2. `real_within` is called
    instead of mean_within for rows of `real`, as by one that remembers its results.
    """
    rng = np.random.default_rng(seed)
    count = SUBSETS if max(len(real), len(generated)) > subset_size else 1  # else there is only one
    drawn = [
        [rng.choice(len(x), subset_size, replace=False) for x in (real, generated)]
        for _ in range(count)
    ]
    rows, columns = np.swapaxes(drawn, 0, 1)
    within = real_within(rows) if real_within else mean_within(real, rows)
    values = _mmd2(real, generated, rows, columns, within)
    return KernelDistance(float(values.mean()), float(values.std()), count)
