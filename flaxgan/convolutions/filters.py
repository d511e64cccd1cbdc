"""The tables of minimal filtering F(M, R) (Winograd 1980)."""

from typing import NamedTuple

import numpy as np

Table = tuple[tuple[float, ...], ...]


class Filter(NamedTuple):
    """Hold the tables of F(M, R): y = outputs @ ((inputs @ x) * (taps @ w))."""

    inputs: Table  # (M + R - 1, M + R - 1)
    taps: Table  # (M + R - 1, R)
    outputs: Table  # (M, M + R - 1)

    @property
    def tile(self) -> int:
        """Return M, how many outputs a tile has."""
        return len(self.outputs)


def filter_from_points(*points: float, taps: int = 2) -> Filter:
    """Return F(M, taps), made from M + taps - 2 points and infinity (Toom and Cook's method).

    A polynomial of M coefficients times one of R has M + R - 1, which its values at as many points
    determine, infinity among them; and those are the products of the factors' values. F(M, R) is
    that multiplication transposed.
    """

    def values(coefficients: int) -> np.ndarray:
        """Return the matrix from a polynomial's coefficients, low powers first, to its values.

        The last value is the one at infinity: the highest coefficient.
        """
        return np.concatenate(
            [np.vander(points, coefficients, increasing=True), np.eye(coefficients)[-1:]]
        )

    inputs = np.linalg.inv(values(len(points) + 1)).T.round(15)  # so that zeros are zeros

    def table(values: np.ndarray) -> Table:
        return tuple(map(tuple, values.tolist()))

    m = len(points) + 2 - taps
    return Filter(table(inputs), table(values(taps)), table(values(m).T))
