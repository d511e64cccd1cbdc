"""The tables of minimal filtering F(M, 2) (Winograd 1980)."""

from typing import NamedTuple

import numpy as np

Table = tuple[tuple[float, ...], ...]


class Filter(NamedTuple):
    """Hold the tables of F(M, 2): y = outputs @ ((inputs @ x) * (taps @ w))."""

    inputs: Table  # (M + 1, M + 1)
    taps: Table  # (M + 1, 2)
    outputs: Table  # (M, M + 1)

    @property
    def tile(self) -> int:
        """Return M, how many outputs a tile has."""
        return len(self.outputs)


def filter_from_points(*points: float) -> Filter:
    """Return F(M, 2), made from M points and infinity (Toom and Cook's method).

    A polynomial of M coefficients times one of 2 has M + 1, which its values at the points and at
    infinity determine; and those are the products of the factors' values. F(M, 2) is that
    multiplication transposed.
    """

    def values(coefficients: int) -> np.ndarray:
        """Return the matrix from a polynomial's coefficients, low powers first, to its values.

        The last value is the one at infinity: the highest coefficient.
        """
        return np.concatenate(
            [np.vander(points, coefficients, increasing=True), np.eye(coefficients)[-1:]]
        )

    m = len(points)
    inputs = np.linalg.inv(values(m + 1)).T.round(15)  # so that zeros are zeros

    def table(values: np.ndarray) -> Table:
        return tuple(map(tuple, values.tolist()))

    return Filter(table(inputs), table(values(2)), table(values(m).T))
