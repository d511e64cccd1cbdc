"""The 4x4 stride-2 convolution by minimal filtering.

Padded by one pixel and cut into 2x2 blocks of 4*C channels (space to depth), a 4x4 stride-2
convolution is a 2x2 stride-1 convolution, and minimal filtering F(2, 2) (Winograd 1980; Lavin &
Gray 2016, arXiv:1509.09308) makes two of its outputs from three products instead of four. In one
dimension, with inputs x0 x1 x2 and taps w0 w1:

    m0 = (x0 - x1) w0            m1 = x1 (w0 + w1)            m2 = (x2 - x1) w1
    y0 = x0 w0 + x1 w1 = m0 + m1    y1 = x1 w0 + x2 w1 = m1 + m2

F(4, 2) makes four outputs from five products instead of eight. Nested in two dimensions, F(M x M,
2x2) takes (M + 1)^2 matrix products instead of 4 M^2, with sums around them. Each of x, kernel and
y is taken apart into matrices, or put together from them, by one table in both directions: rows
first, then columns of each row. In the shapes below, P is (M + 1)^2.
"""

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from flaxgan.convolutions.lowering import Lowering, closed
from flaxgan.convolutions.matmul import (
    as_rows,
    by_itself,
    from_rows,
    matrix,
    multiply,
    padded,
    shifted,
)

# bytes of x, times M: the matrices made of x and of y then still stay in the last cache of most
# CPUs
CACHED = 2**22

Table = tuple[tuple[float, ...], ...]


class Filter(NamedTuple):
    """F(M, 2): y = outputs @ ((inputs @ x) * (taps @ w))."""

    inputs: Table  # (M + 1, M + 1)
    taps: Table  # (M + 1, 2)
    outputs: Table  # (M, M + 1)

    @property
    def tile(self) -> int:
        """M."""
        return len(self.outputs)


def _from_points(*points: float) -> Filter:
    """F(M, 2) from M points and infinity (Toom and Cook's method).

    A polynomial of M coefficients times one of 2 has M + 1, which its values at the points and at
    infinity determine; and those are the products of the factors' values. F(M, 2) is that
    multiplication transposed.
    """

    def values(coefficients: int) -> np.ndarray:
        """Makes them, those of low powers first, a polynomial's values at the points and, its
        highest coefficient, at infinity.
        """
        return np.concatenate(
            [np.vander(points, coefficients, increasing=True), np.eye(coefficients)[-1:]]
        )

    m = len(points)
    inputs = np.linalg.inv(values(m + 1)).T.round(15)  # so that zeros are zeros
    return Filter(
        *(tuple(map(tuple, table.tolist())) for table in (inputs, values(2), values(m).T))
    )


def _transposed(table: Table) -> Table:
    return tuple(zip(*table, strict=True))


def _sums(table: Table, pieces: Sequence[Array]) -> list[Array]:
    """Return for each row of a table the sum of the pieces, arrays of one shape, weighted by the
    row's numbers.
    """
    return [
        functools.reduce(
            operator.add,
            (weight * piece for weight, piece in zip(row, pieces, strict=True) if weight),
        )
        for row in table
    ]


def _apart(
    pieces: Callable[[Array, int], Sequence[Array]], x: Array, axes: tuple[int, int]
) -> list[Array]:
    return [matrix(piece) for row in pieces(x, axes[0]) for piece in pieces(row, axes[1])]


def _together(
    join: Callable[[Sequence[Array], int], Sequence[Array]],
    pieces: Sequence[Array],
    axes: tuple[int, int],
) -> Array:
    """What join makes of each row's pieces is stacked behind the axis along which it joins."""
    length = math.isqrt(len(pieces))
    rows = [
        jnp.stack(join(pieces[row : row + length], axes[1]), axes[1] + 1)
        for row in range(0, len(pieces), length)
    ]
    return jnp.stack(join(rows, axes[0]), axes[0] + 1)


@functools.partial(by_itself, static=("table", "stride", "axis"))
def _tiles(x: Array, table: Table, stride: int, axis: int) -> list[Array]:
    """The table's sums of each tile: of as many neighbours as it has columns, every `stride`-th of
    which begins a tile.
    """
    width = len(table[0])
    count = (x.shape[axis] - width) // stride + 1
    pieces = [
        lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)
        for start in range(width)
    ]
    return _sums(table, pieces)


@by_itself
def _blocks(x: Array) -> Array:
    """(N, H, W, C) -> (N, H/2 + 1, W/2 + 1, 4*C)."""
    n, h, w, c = x.shape
    blocks = (
        padded(x.astype(jnp.float32)).reshape(n, h // 2 + 1, 2, w // 2 + 1, 2, c).swapaxes(2, 3)
    )
    return blocks.reshape(n, h // 2 + 1, w // 2 + 1, 4 * c)


def _inputs(x: Array, f: Filter) -> list[Array]:
    """(N, H, W, C) -> P of (N*H/(2*M)*W/(2*M), 4*C)."""
    return _apart(
        lambda blocks, axis: _tiles(blocks, table=f.inputs, stride=f.tile, axis=axis),
        _blocks(x),
        (1, 2),
    )


def _from_inputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """The transpose of _inputs."""

    def join(m: Sequence[Array], axis: int) -> list[Array]:
        # A tile's last block is also the first of the next. Its first pixel belongs to this tile,
        # its second to the next.
        first, *inner, last = _sums(_transposed(f.inputs), m)
        return [
            first[..., 1, :] + shifted(last[..., 1, :], 1, axis),
            *(block[..., pixel, :] for block in inner for pixel in (0, 1)),
            shifted(first[..., 0, :], -1, axis) + last[..., 0, :],
        ]

    n, h, w, c = shape
    side = 2 * f.tile
    return _together(
        join, [m.reshape(n, h // side, w // side, 2, 2, c) for m in matrices], (1, 2)
    ).reshape(shape)


def _taps(kernel: Array, swapped: bool, f: Filter) -> list[Array]:
    """(4, 4, C, O) -> P of (4*C, O); if swapped (4, 4, O, C) -> P of (O, 4*C)."""
    blocks = (
        kernel.astype(jnp.float32)
        .reshape(2, 2, 2, 2, *kernel.shape[2:])
        .swapaxes(1, 2)
        .reshape(2, 2, 4, *kernel.shape[2:])
    )
    matrices = jax.vmap(jax.vmap(lambda taps: as_rows(taps, swapped)))(blocks)
    return _apart(lambda w, _: _sums(f.taps, w), matrices, (0, 0))


def _from_taps(matrices: Sequence[Array], swapped: bool, f: Filter) -> Array:
    """The transpose of _taps."""
    blocks = _together(lambda m, _: _sums(_transposed(f.taps), m), matrices, (-1, -1))
    taps = jax.vmap(jax.vmap(lambda rows: from_rows(rows, 4, swapped)))(blocks)
    return taps.reshape(2, 2, 2, 2, *taps.shape[3:]).swapaxes(1, 2).reshape(4, 4, *taps.shape[3:])


def _outputs(y: Array, f: Filter) -> list[Array]:
    """(N, H, W, O) -> P of (N*H/M*W/M, O)."""
    table = _transposed(f.outputs)
    return _apart(
        lambda y, axis: _tiles(y, table=table, stride=f.tile, axis=axis),
        y.astype(jnp.float32),
        (1, 2),
    )


def _from_outputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """The transpose of _outputs."""
    n, h, w, o = shape
    matrices = [m.reshape(n, h // f.tile, w // f.tile, o) for m in matrices]
    return _together(lambda m, _: _sums(f.outputs, m), matrices, (1, 2)).reshape(shape)


def _filtering_conv(x: Array, kernel: Array, swapped: bool, f: Filter) -> Array:
    n, h, w, _ = x.shape
    products = multiply(_inputs(x, f), _taps(kernel, swapped, f), x.dtype, turn_right=swapped)
    return _from_outputs(products, (n, h // 2, w // 2, products[0].shape[-1]), f).astype(x.dtype)


def _filtering_transpose(y: Array, kernel: Array, swapped: bool, f: Filter) -> Array:
    n, h, w, _ = y.shape
    products = multiply(_outputs(y, f), _taps(kernel, swapped, f), y.dtype, turn_right=not swapped)
    return _from_inputs(products, (n, 2 * h, 2 * w, products[0].shape[-1] // 4), f).astype(y.dtype)


def _filtering_kernel_gradient(x: Array, y: Array, swapped: bool, f: Filter) -> Array:
    factors = _outputs(y, f), _inputs(x, f)
    return _from_taps(
        multiply(*(factors if swapped else factors[::-1]), x.dtype, turn_left=True), swapped, f
    )


def _parts(f: Filter, x_bytes: int, *batches: Array) -> Iterator[tuple[Array, ...]]:
    """Every n-th picture of each batch, so that each device goes through its own, with n such that
    x stays in the cache.
    """
    n = 1
    while x_bytes > n * f.tile * CACHED and len(batches[0]) % (2 * n) == 0:
        n *= 2
    for part in range(n):
        yield tuple(batch.reshape(-1, n, *batch.shape[1:])[:, part] for batch in batches)


def _whole(parts: Iterator[Array]) -> Array:
    parts = list(parts)
    return jnp.stack(parts, 1).reshape(-1, *parts[0].shape[1:])


def _conv_by_parts(x: Array, kernel: Array, swapped: bool, f: Filter) -> Array:
    return _whole(_filtering_conv(x, kernel, swapped, f) for (x,) in _parts(f, x.nbytes, x))


def _transpose_by_parts(y: Array, kernel: Array, swapped: bool, f: Filter) -> Array:
    x_bytes = 4 * y.nbytes * kernel.shape[3 if swapped else 2] // y.shape[-1]
    return _whole(_filtering_transpose(y, kernel, swapped, f) for (y,) in _parts(f, x_bytes, y))


def _kernel_gradient_by_parts(x: Array, y: Array, swapped: bool, f: Filter) -> Array:
    return sum(
        _filtering_kernel_gradient(*part, swapped, f) for part in _parts(f, x.nbytes, x, y)
    ).astype(x.dtype)


def _filtering(*points: float) -> Lowering:
    f = _from_points(*points)
    forms = (
        functools.partial(form, f=f)
        for form in (_conv_by_parts, _transpose_by_parts, _kernel_gradient_by_parts)
    )
    return closed(*forms, multiple=2 * f.tile)


F2 = _filtering(0, 1)
# rounds by up to 4e-6 of the largest value, 0, 1, -1, 2 by nearly twice as much, F2 by 1e-6
F4 = _filtering(0, 1, -1 / 2, -2)
