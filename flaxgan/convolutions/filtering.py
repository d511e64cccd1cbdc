"""The 4x4 stride-2 convolution by minimal filtering.

Padded by one pixel and cut into 2x2 blocks of 4*C channels (space to depth), a 4x4 stride-2 convolution is a 2x2 stride-1
convolution, and minimal filtering F(2, 2) (Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308) makes two of its outputs from
three products instead of four. In one dimension, with inputs x0 x1 x2 and taps w0 w1:

    m0 = (x0 - x1) w0    m1 = x1 (w0 + w1)    m2 = (x1 - x2) w1    y0 = x0 w0 + x1 w1 = m0 + m1    y1 = x1 w0 + x2 w1 = m1 - m2

Nested in two dimensions, F(2x2, 2x2), that is 9 matrix products instead of 16, and additions around them. Each of x, kernel and y
is taken apart into 9 matrices, or put together from them, by the same three pieces in both directions: rows first, then columns
of each row.
"""

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.convolutions.lowering import closed
from flaxgan.convolutions.products import as_rows, by_itself, from_rows, matrix, multiply, padded, shifted

CACHED = 2**23  # bytes of x: nine matrices made of it, and the nine of y, still stay in the last cache of most CPUs


def _apart(pieces: Callable[[Array, int], Sequence[Array]], x: Array, axes: tuple[int, int]) -> list[Array]:
    return [matrix(piece) for row in pieces(x, axes[0]) for piece in pieces(row, axes[1])]


def _together(join: Callable[[Sequence[Array], int], Sequence[Array]], pieces: Sequence[Array], axes: tuple[int, int]) -> Array:
    """What join makes of three pieces is stacked behind the axis along which it joins."""
    rows = [jnp.stack(join(pieces[row : row + 3], axes[1]), axes[1] + 1) for row in (0, 3, 6)]
    return jnp.stack(join(rows, axes[0]), axes[0] + 1)


@by_itself
def _inputs(x: Array) -> list[Array]:
    """(N, H, W, C) -> 9 of (N*H/4*W/4, 4*C)."""

    def pieces(blocks: Array, axis: int) -> tuple[Array, Array, Array]:
        even, odd = (lax.slice_in_dim(blocks, start, None, 2, axis) for start in (0, 1))
        x0, x2 = (lax.slice_in_dim(even, start, start + odd.shape[axis], 1, axis) for start in (0, 1))
        return x0 - odd, odd, odd - x2

    n, h, w, c = x.shape
    blocks = (
        padded(x.astype(jnp.float32))
        .reshape(n, h // 2 + 1, 2, w // 2 + 1, 2, c)
        .swapaxes(2, 3)
        .reshape(n, h // 2 + 1, w // 2 + 1, 4 * c)
    )
    return _apart(pieces, blocks, (1, 2))


def _from_inputs(matrices: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """The transpose of _inputs."""

    def join(m: Sequence[Array], axis: int) -> list[Array]:
        odd = m[1] + m[2] - m[0]
        # Of the padded pixels of a block the first and the second; a tile is four pixels, the last of which is in the next block.
        first, second = ([piece[..., pixel, :] for piece in (m[0], odd, m[2])] for pixel in (0, 1))
        return [second[0] - shifted(second[2], 1, axis), first[1], second[1], shifted(first[0], -1, axis) - first[2]]

    n, h, w, c = shape
    return _together(join, [m.reshape(n, h // 4, w // 4, 2, 2, c) for m in matrices], (1, 2)).reshape(shape)


def _taps(kernel: Array, swapped: bool) -> list[Array]:
    """(4, 4, C, O) -> 9 of (4*C, O); if swapped (4, 4, O, C) -> 9 of (O, 4*C)."""
    blocks = kernel.astype(jnp.float32).reshape(2, 2, 2, 2, *kernel.shape[2:]).swapaxes(1, 2).reshape(2, 2, 4, *kernel.shape[2:])
    matrices = jax.vmap(jax.vmap(lambda taps: as_rows(taps, swapped)))(blocks)
    return _apart(lambda w, _: (w[0], w[0] + w[1], w[1]), matrices, (0, 0))


def _from_taps(matrices: Sequence[Array], swapped: bool) -> Array:
    """The transpose of _taps."""
    blocks = _together(lambda m, _: (m[0] + m[1], m[1] + m[2]), matrices, (-1, -1))
    taps = jax.vmap(jax.vmap(lambda rows: from_rows(rows, 4, swapped)))(blocks)
    return taps.reshape(2, 2, 2, 2, *taps.shape[3:]).swapaxes(1, 2).reshape(4, 4, *taps.shape[3:])


@by_itself
def _outputs(y: Array) -> list[Array]:
    """(N, H, W, O) -> 9 of (N*H/2*W/2, O)."""

    def pieces(y: Array, axis: int) -> tuple[Array, Array, Array]:
        first, second = (lax.slice_in_dim(y, start, None, 2, axis) for start in (0, 1))
        return first, first + second, -second

    return _apart(pieces, y.astype(jnp.float32), (1, 2))


def _from_outputs(matrices: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """The transpose of _outputs."""
    n, h, w, o = shape
    matrices = [m.reshape(n, h // 2, w // 2, o) for m in matrices]
    return _together(lambda m, _: (m[0] + m[1], m[1] - m[2]), matrices, (1, 2)).reshape(shape)


def _filtering_conv(x: Array, kernel: Array, swapped: bool) -> Array:
    n, h, w, _ = x.shape
    products = multiply(_inputs(x), _taps(kernel, swapped), x.dtype, turn_right=swapped)
    return _from_outputs(products, (n, h // 2, w // 2, products[0].shape[-1])).astype(x.dtype)


def _filtering_transpose(y: Array, kernel: Array, swapped: bool) -> Array:
    n, h, w, _ = y.shape
    products = multiply(_outputs(y), _taps(kernel, swapped), y.dtype, turn_right=not swapped)
    return _from_inputs(products, (n, 2 * h, 2 * w, products[0].shape[-1] // 4)).astype(y.dtype)


def _filtering_kernel_gradient(x: Array, y: Array, swapped: bool) -> Array:
    factors = _outputs(y), _inputs(x)
    return _from_taps(multiply(*(factors if swapped else factors[::-1]), x.dtype, turn_left=True), swapped)


def _parts(x_bytes: int, *batches: Array) -> Iterator[tuple[Array, ...]]:
    """Every n-th picture of each batch, so that each device goes through its own, with n such that x has at most CACHED bytes."""
    n = 1
    while x_bytes > n * CACHED and len(batches[0]) % (2 * n) == 0:
        n *= 2
    for part in range(n):
        yield tuple(batch.reshape(-1, n, *batch.shape[1:])[:, part] for batch in batches)


def _whole(parts: Iterator[Array]) -> Array:
    parts = list(parts)
    return jnp.stack(parts, 1).reshape(-1, *parts[0].shape[1:])


def _conv_by_parts(x: Array, kernel: Array, swapped: bool) -> Array:
    return _whole(_filtering_conv(x, kernel, swapped) for (x,) in _parts(x.nbytes, x))


def _transpose_by_parts(y: Array, kernel: Array, swapped: bool) -> Array:
    x_bytes = 4 * y.nbytes * kernel.shape[3 if swapped else 2] // y.shape[-1]
    return _whole(_filtering_transpose(y, kernel, swapped) for (y,) in _parts(x_bytes, y))


def _kernel_gradient_by_parts(x: Array, y: Array, swapped: bool) -> Array:
    return sum(_filtering_kernel_gradient(*part, swapped) for part in _parts(x.nbytes, x, y)).astype(x.dtype)


FILTERING = closed(_conv_by_parts, _transpose_by_parts, _kernel_gradient_by_parts, multiple=4)
