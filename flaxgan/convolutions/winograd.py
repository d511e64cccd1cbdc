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
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.convolutions.filters import Filter, Table, filter_from_points
from flaxgan.convolutions.lowering import Lowering, closed
from flaxgan.convolutions.matmul import (
    as_rows,
    from_rows,
    matrix,
    multiply,
    no_inline,
    padded,
    shifted,
)

# bytes of x, times M: the matrices made of x and of y then still stay in the last cache of most
# CPUs
CACHED = 2**22


def _transposed(table: Table) -> Table:
    return tuple(zip(*table, strict=True))


def _sums(table: Table, pieces: Sequence[Array] | Array) -> list[Array]:
    """Return the sum of the pieces, arrays of one shape, weighted by each row of a table.

    An Array's pieces are sliced anew for each row: sums of shared slices took a step 4 % longer.
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
    """Stack what `join` makes of each row's pieces behind the axis along which it joins."""
    length = math.isqrt(len(pieces))
    rows = [
        jnp.stack(join(pieces[row : row + length], axes[1]), axes[1] + 1)
        for row in range(0, len(pieces), length)
    ]
    return jnp.stack(join(rows, axes[0]), axes[0] + 1)


@functools.partial(no_inline, static=("table", "stride", "axis"))
def _tiles(x: Array, table: Table, stride: int, axis: int) -> list[Array]:
    """Return the table's sums of each tile along an axis, an array for each of its rows.

    A tile is as many neighbours as the table has columns; one begins every `stride` elements.
    """
    width = len(table[0])
    count = (x.shape[axis] - width) // stride + 1
    pieces = [
        lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)
        for start in range(width)
    ]
    return _sums(table, pieces)


@no_inline
def _blocks(x: Array) -> Array:
    """Pad by a pixel and cut into 2x2 blocks: (N, H, W, C) -> (N, H/2 + 1, W/2 + 1, 4*C)."""
    n, h, w, c = x.shape
    blocks = (
        padded(x.astype(jnp.float32)).reshape(n, h // 2 + 1, 2, w // 2 + 1, 2, c).swapaxes(2, 3)
    )
    return blocks.reshape(n, h // 2 + 1, w // 2 + 1, 4 * c)


def _inputs(x: Array, f: Filter) -> list[Array]:
    """Take x apart: (N, H, W, C) -> P matrices (N*H/(2*M)*W/(2*M), 4*C)."""
    return _apart(
        lambda blocks, axis: _tiles(blocks, table=f.inputs, stride=f.tile, axis=axis),
        _blocks(x),
        (1, 2),
    )


def _from_inputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """Apply the transpose of _inputs."""

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


def _taps(kernel: Array, hwoi: bool, f: Filter) -> list[Array]:
    """Take a kernel apart: (4, 4, C, O) -> P of (4*C, O), or if hwoi (4, 4, O, C) -> (O, 4*C)."""
    blocks = (
        kernel.astype(jnp.float32)
        .reshape(2, 2, 2, 2, *kernel.shape[2:])
        .swapaxes(1, 2)
        .reshape(2, 2, 4, *kernel.shape[2:])
    )
    matrices = jax.vmap(jax.vmap(lambda taps: as_rows(taps, hwoi)))(blocks)
    return _apart(lambda w, _: _sums(f.taps, w), matrices, (0, 0))


def _from_taps(matrices: Sequence[Array], hwoi: bool, f: Filter) -> Array:
    """Apply the transpose of _taps."""
    blocks = _together(lambda m, _: _sums(_transposed(f.taps), m), matrices, (-1, -1))
    taps = jax.vmap(jax.vmap(lambda rows: from_rows(rows, 4, hwoi)))(blocks)
    return taps.reshape(2, 2, 2, 2, *taps.shape[3:]).swapaxes(1, 2).reshape(4, 4, *taps.shape[3:])


def _outputs(y: Array, f: Filter) -> list[Array]:
    """Take y apart: (N, H, W, O) -> P matrices (N*H/M*W/M, O)."""
    table = _transposed(f.outputs)
    return _apart(
        lambda y, axis: _tiles(y, table=table, stride=f.tile, axis=axis),
        y.astype(jnp.float32),
        (1, 2),
    )


def _from_outputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """Apply the transpose of _outputs."""
    n, h, w, o = shape
    matrices = [m.reshape(n, h // f.tile, w // f.tile, o) for m in matrices]
    return _together(lambda m, _: _sums(f.outputs, m), matrices, (1, 2)).reshape(shape)


def _filtering_conv(x: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    n, h, w, _ = x.shape
    products = multiply(_inputs(x, f), _taps(kernel, hwoi, f), x.dtype, turn_right=hwoi)
    return _from_outputs(products, (n, h // 2, w // 2, products[0].shape[-1]), f).astype(x.dtype)


def _filtering_transpose(y: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    n, h, w, _ = y.shape
    products = multiply(_outputs(y, f), _taps(kernel, hwoi, f), y.dtype, turn_right=not hwoi)
    return _from_inputs(products, (n, 2 * h, 2 * w, products[0].shape[-1] // 4), f).astype(y.dtype)


def _filtering_kernel_gradient(x: Array, y: Array, hwoi: bool, f: Filter) -> Array:
    outputs, inputs = _outputs(y, f), _inputs(x, f)
    left, right = (outputs, inputs) if hwoi else (inputs, outputs)
    return _from_taps(multiply(left, right, x.dtype, turn_left=True), hwoi, f)


def _micro_batches(f: Filter, x_bytes: int, *batches: Array) -> Iterator[tuple[Array, ...]]:
    """Yield every n-th image of each batch, with n such that x stays in the cache.

    So each device goes through its own images.
    """
    n = 1
    while x_bytes > n * f.tile * CACHED and len(batches[0]) % (2 * n) == 0:
        n *= 2
    for i in range(n):
        yield tuple(batch.reshape(-1, n, *batch.shape[1:])[:, i] for batch in batches)


def _joined(micro_batches: Iterable[Array]) -> Array:
    images = [*micro_batches]
    return jnp.stack(images, 1).reshape(-1, *images[0].shape[1:])


def _conv(x: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    batches = _micro_batches(f, x.nbytes, x)
    return _joined(_filtering_conv(x, kernel, hwoi, f) for (x,) in batches)


def _transpose(y: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    x_bytes = 4 * y.nbytes * kernel.shape[3 if hwoi else 2] // y.shape[-1]
    batches = _micro_batches(f, x_bytes, y)
    return _joined(_filtering_transpose(y, kernel, hwoi, f) for (y,) in batches)


def _kernel_gradient(x: Array, y: Array, hwoi: bool, f: Filter) -> Array:
    # a generator: each gradient is added before the next is computed
    gradients = (
        _filtering_kernel_gradient(x, y, hwoi, f) for x, y in _micro_batches(f, x.nbytes, x, y)
    )
    return functools.reduce(operator.add, gradients).astype(x.dtype)


def _filtering(*points: float) -> Lowering:
    f = filter_from_points(*points)
    conv, transpose, kernel_gradient = (
        functools.partial(form, f=f) for form in (_conv, _transpose, _kernel_gradient)
    )
    return closed(conv, transpose, kernel_gradient, multiple=2 * f.tile)


F2 = _filtering(0, 1)
# rounds by up to 4e-6 of the largest value, 0, 1, -1, 2 by nearly twice as much, F2 by 1e-6
F4 = _filtering(0, 1, -1 / 2, -2)
