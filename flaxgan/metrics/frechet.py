"""The Frechet distance between two sets of features, each taken for a Gaussian."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

BLOCK = 1024  # rows in float64 at a time


class Gaussian(NamedTuple):
    """float64 mean (D,) and unbiased covariance (D, D)."""

    mean: np.ndarray
    covariance: np.ndarray


def fit(blocks: Iterable[np.ndarray]) -> Gaussian:
    """Mean and covariance of rows that come in blocks (n, D), added up in float64 (Chan, Golub & LeVeque 1983, equation 1.5)."""
    count, mean, scatter = 0, np.float64(0), np.float64(0)
    for block in blocks:
        block = np.asarray(block, np.float64)
        total = count + len(block)
        block_mean = block.mean(0)
        centred = block - block_mean
        shift = block_mean - mean
        scatter = scatter + centred.T @ centred + np.multiply.outer(shift, shift) * (count * len(block) / total)
        mean = mean + shift * (len(block) / total)
        count = total
    return Gaussian(mean, scatter / (count - 1))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|mean difference|^2 + tr(A + B - 2 (A B)^1/2) (Dowson & Landau 1982; Heusel et al. 2017, arXiv:1706.08500, section 3).

    The eigenvalues of A B are those of the symmetric A^1/2 B A^1/2, so that nothing is iterated and nothing turns complex.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = root @ b.covariance @ root
    overlap = np.sqrt(np.linalg.eigvalsh((product + product.T) / 2).clip(0)).sum()
    distance = np.square(a.mean - b.mean).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(float(distance), 0.0)  # rounding


def gaussian(features: np.ndarray) -> Gaussian:
    """Of a feature array (N, D), N at least 2."""
    return fit(features[i : i + BLOCK] for i in range(0, len(features), BLOCK))


def frechet(real: np.ndarray, generated: np.ndarray) -> float:
    """The distance between two feature arrays."""
    return frechet_distance(gaussian(real), gaussian(generated))
