"""The kernel distance (KID): squared maximum mean discrepancy, which unlike the Frechet distance has an unbiased estimate."""

import statistics

import numpy as np

SUBSETS, SUBSET_SIZE = 100, 1000


def _kernel_sum(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Sum of the kernel (a.b / D + 1)^3 over all pairs, and over equal rows."""
    kernel = (a @ b.T).astype(np.float64) / a.shape[1] + 1
    kernel *= kernel * kernel
    return kernel.sum(), np.trace(kernel)


def mmd2(real: np.ndarray, generated: np.ndarray) -> float:
    """Unbiased squared MMD of two feature arrays (N, D) and (M, D) (Gretton et al. 2012, equation 3; may come out negative)."""
    n, m = len(real), len(generated)
    real_sum, real_trace = _kernel_sum(real, real)
    generated_sum, generated_trace = _kernel_sum(generated, generated)
    cross = _kernel_sum(real, generated)[0]
    return float((real_sum - real_trace) / (n * (n - 1)) + (generated_sum - generated_trace) / (m * (m - 1)) - 2 * cross / (n * m))


def kernel_distance(real: np.ndarray, generated: np.ndarray, subset_size: int = SUBSET_SIZE, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation of mmd2 over SUBSETS pairs of random subsets (Binkowski et al. 2018, arXiv:1801.01401).

    Each set must have at least `subset_size` rows, and that be at least 2.
    """
    rng = np.random.default_rng(seed)
    values = [
        mmd2(*(x[np.sort(rng.choice(len(x), subset_size, replace=False))] for x in (real, generated))) for _ in range(SUBSETS)
    ]
    return statistics.fmean(values), statistics.pstdev(values)  # of equal values exactly 0, where numpy's has a rounding error
