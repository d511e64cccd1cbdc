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
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.filters import Filter, filter_from_points
from flaxgan.convolutions.lowering import Lowering, closed
from flaxgan.convolutions.matmul import as_rows, from_rows, multiply, no_inline, padded, shifted
from flaxgan.convolutions.tiles import (
    CACHED,
    apart,
    from_outputs,
    in_parts,
    outputs,
    sum_of_parts,
    sums,
    tiles,
    together,
    transposed,
)


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
    return apart(
        lambda blocks, axis: tiles(blocks, table=f.inputs, stride=f.tile, axis=axis),
        _blocks(x),
        (1, 2),
    )


def _from_inputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """Apply the transpose of _inputs."""

    def join(m: Sequence[Array], axis: int) -> list[Array]:
        # A tile's last block is also the first of the next. Its first pixel belongs to this tile,
        # its second to the next.
        first, *inner, last = sums(transposed(f.inputs), m)
        return [
            first[..., 1, :] + shifted(last[..., 1, :], 1, axis),
            *(block[..., pixel, :] for block in inner for pixel in (0, 1)),
            shifted(first[..., 0, :], -1, axis) + last[..., 0, :],
        ]

    n, h, w, c = shape
    side = 2 * f.tile
    return together(
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
    return apart(lambda w, _: sums(f.taps, w), matrices, (0, 0))


def _from_taps(matrices: Sequence[Array], hwoi: bool, f: Filter) -> Array:
    """Apply the transpose of _taps."""
    blocks = together(lambda m, _: sums(transposed(f.taps), m), matrices, (-1, -1))
    taps = jax.vmap(jax.vmap(lambda rows: from_rows(rows, 4, hwoi)))(blocks)
    return taps.reshape(2, 2, 2, 2, *taps.shape[3:]).swapaxes(1, 2).reshape(4, 4, *taps.shape[3:])


def _conv(x: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    taps = _taps(kernel, hwoi, f)

    def conv(x: Array) -> Array:
        n, h, w, _ = x.shape
        products = multiply(_inputs(x, f), taps, x.dtype, turn_right=hwoi)
        shape = (n, h // 2, w // 2, products[0].shape[-1])
        return from_outputs(products, shape, f).astype(x.dtype)

    return in_parts(conv, f.tile * CACHED, x.nbytes, x)


def _transpose(y: Array, kernel: Array, hwoi: bool, f: Filter) -> Array:
    taps = _taps(kernel, hwoi, f)

    def transpose(y: Array) -> Array:
        n, h, w, _ = y.shape
        products = multiply(outputs(y, f), taps, y.dtype, turn_right=not hwoi)
        shape = (n, 2 * h, 2 * w, products[0].shape[-1] // 4)
        return _from_inputs(products, shape, f).astype(y.dtype)

    x_bytes = 4 * y.nbytes * kernel.shape[3 if hwoi else 2] // y.shape[-1]
    return in_parts(transpose, f.tile * CACHED, x_bytes, y)


def _kernel_gradient(x: Array, y: Array, hwoi: bool, f: Filter) -> Array:
    def gradient(x: Array, y: Array) -> Array:
        factors = outputs(y, f), _inputs(x, f)
        left, right = factors if hwoi else factors[::-1]
        return _from_taps(multiply(left, right, x.dtype, turn_left=True), hwoi, f)

    return sum_of_parts(gradient, f.tile * CACHED, x.nbytes, x, y).astype(x.dtype)


def _filtering(*points: float) -> Lowering:
    f = filter_from_points(*points)
    conv, transpose, kernel_gradient = (
        functools.partial(form, f=f) for form in (_conv, _transpose, _kernel_gradient)
    )
    return closed(conv, transpose, kernel_gradient, multiple=2 * f.tile)


F2 = _filtering(0, 1)
# rounds by up to 4e-6 of the largest value, 0, 1, -1, 2 by nearly twice as much, F2 by 1e-6
F4 = _filtering(0, 1, -1 / 2, -2)
