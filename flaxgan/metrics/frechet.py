"""The Fréchet distance between two sets of features, each of which is taken for a Gaussian."""

from typing import NamedTuple

import numpy as np

BLOCK = 1024  # rows in float64 at a time


class Gaussian(NamedTuple):
    """Hold a mean (D,) and an unbiased covariance (D, D), both float64."""

    mean: np.ndarray
    covariance: np.ndarray
    # (R, D), R < D, of which factor.T @ factor is the covariance; None if unknown
    factor: np.ndarray | None = None


def _factor(a: Gaussian) -> np.ndarray:
    """Return an F (R, D) of which F.T @ F is the covariance, R at most D."""
    if a.factor is not None:
        return a.factor
    values, vectors = np.linalg.eigh(a.covariance)
    return np.sqrt(values.clip(0))[:, None] * vectors.T


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return |mean difference|^2 + tr(A + B - 2 (A B)^1/2) of two Gaussians.

    Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500, section 3.

    With A = F^T F the eigenvalues of A B that are not 0 are those of the symmetric F B F^T, so that
    nothing is iterated and nothing turns complex, and fewer features than dimensions take less.
    """
    less, more = sorted((a, b), key=lambda x: len(x.mean if x.factor is None else x.factor))
    factor = _factor(less)
    product = factor @ more.covariance @ factor.T
    overlap = np.sqrt(np.linalg.eigvalsh((product + product.T) / 2).clip(0)).sum()
    distance = (
        np.square(a.mean - b.mean).sum()
        + np.trace(a.covariance)
        + np.trace(b.covariance)
        - 2 * overlap
    )
    return max(float(distance), 0.0)  # rounding


def gaussian(features: np.ndarray) -> Gaussian:
    """Return mean and covariance of features (N, D), N at least 2, computed in float64."""
    mean = features.mean(0, dtype=np.float64)
    if len(features) < len(mean):
        factor = (features - mean) / np.sqrt(len(features) - 1)
        return Gaussian(mean, factor.T @ factor, factor)
    blocks = (features[i : i + BLOCK] - mean for i in range(0, len(features), BLOCK))
    return Gaussian(mean, sum(block.T @ block for block in blocks) / (len(features) - 1))


def frechet(real: np.ndarray, generated: np.ndarray) -> float:
    """Return the Fréchet distance between two feature arrays (N, D) and (M, D)."""
    return frechet_distance(gaussian(real), gaussian(generated))
