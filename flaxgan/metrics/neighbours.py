"""What nearest neighbours in feature space tell of quality, diversity and memorisation."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

K_PRECISION, K_DENSITY = 3, 5  # neighbours that span a ball, as the two papers have it
BLOCK = 1024  # rows of a distance matrix held at a time


def _blocks(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield Euclidean distances of a block of rows of `a` to all rows of `b`.

    a is (N, D), b (M, D); a block is float32 (<= BLOCK, M).
    """
    centre = b[:BLOCK].mean(0)  # near the origin, a.a - 2 a.b + b.b loses fewer digits
    b = b - centre
    b_squares = np.einsum("nd,nd->n", b, b)
    for start in range(0, len(a), BLOCK):
        rows = slice(start, min(start + BLOCK, len(a)))
        block = a[rows] - centre
        squares = block @ b.T
        squares *= -2
        squares += b_squares
        squares += np.einsum("nd,nd->n", block, block)[:, None]
        yield rows, np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


class Within(NamedTuple):
    """Hold how the members of one set lie to each other in feature space."""

    # k -> distance of each member to its k-th nearest other one: float32 (N,)
    radii: dict[int, np.ndarray]
    mean_distance: float  # over all pairs


def within(x: np.ndarray) -> Within:
    """Return how the rows of x (N, D), more than K_DENSITY, lie among each other."""
    ks = (K_PRECISION, K_DENSITY)
    radii = {k: np.empty(len(x), np.float32) for k in ks}
    total = 0.0
    for rows, distances in _blocks(x, x):
        # of a row to itself, rounding aside
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = 0
        total += distances.sum(dtype=np.float64)
        nearest = np.partition(distances, ks, axis=1)
        for k in ks:
            radii[k][rows] = nearest[:, k]
    return Within(radii, total / (len(x) * (len(x) - 1)))


class Between(NamedTuple):
    """Hold how a generated set lies to the real one in feature space."""

    precision: float  # share of generated inside a real ball
    recall: float  # share of real inside a generated ball
    # real balls that a generated one lies in, over K_DENSITY: 1 where the two sets are alike, may
    # exceed 1
    density: float
    coverage: float  # share of real whose ball holds a generated one
    realism: np.ndarray  # of each generated one: 1 and above inside the real manifold, float32 (M,)


def between(
    real: np.ndarray, generated: np.ndarray, real_within: Within, generated_within: Within
) -> Between:
    """Compare real features (N, D) with generated ones (M, D) by their neighbourhoods.

    Precision, recall and realism with K_PRECISION neighbours (Kynkaanniemi et al. 2019,
    arXiv:1904.06991, equations 1 to 3), density and coverage with K_DENSITY (Naeem et al. 2020,
    arXiv:2002.09797, equations 3 and 4).
    """
    ball, dense_ball = (real_within.radii[k] for k in (K_PRECISION, K_DENSITY))
    generated_ball = generated_within.radii[K_PRECISION]
    # Realism leaves out the larger half of the real balls: those of outliers vouch for nothing.
    trusted = np.where(ball <= np.median(ball), ball, 0)
    precise = np.empty(len(generated), bool)
    density = np.empty(len(generated), np.int64)
    realism = np.empty(len(generated), np.float32)
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for rows, distances in _blocks(generated, real):
        precise[rows] = (distances <= ball).any(1)
        inside = distances <= dense_ball
        density[rows] = inside.sum(1)
        covered |= inside.any(0)
        recalled |= (distances <= generated_ball[rows, None]).any(0)
        realism[rows] = (trusted / np.maximum(distances, 1e-12)).max(1)
    return Between(
        precise.mean(), recalled.mean(), density.mean() / K_DENSITY, covered.mean(), realism
    )


def nearest(
    x: np.ndarray, candidates: np.ndarray, same: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Find each row's nearest candidate: its index int64 (N,), and the distance float32 (N,).

    `same`: row i and candidate i are the same image, or its mirror image, and don't count.
    """
    indices = np.empty(len(x), np.int64)
    for rows, distances in _blocks(x, candidates):
        if same:
            distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf
        indices[rows] = distances.argmin(1)
    # Once more by subtraction: of a copy, the product form leaves rounding where 0 is due.
    exact = [np.linalg.norm(row - candidates[i]) for row, i in zip(x, indices, strict=True)]
    return indices, np.array(exact, np.float32)
