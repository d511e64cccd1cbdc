"""The 4x4 stride-2 convolution and its transpose, lowered well on each platform.

XLA's CPU gradients of these convolutions are some twenty times slower than the matrix products inside them, so on the CPU
both are written as matrix products here. Kernels are (4, 4, in, out) whatever the lowering, so that a checkpoint moves freely.

Padded by one pixel and cut into 2x2 blocks of 4*C channels (space to depth), a 4x4 stride-2 convolution is a 2x2 stride-1
convolution, and minimal filtering F(2, 2) (Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308) makes two of its outputs from
three products instead of four. In one dimension, with inputs x0 x1 x2 and taps w0 w1:

    m0 = (x0 - x1) w0    m1 = x1 (w0 + w1)    m2 = (x1 - x2) w1    y0 = x0 w0 + x1 w1 = m0 + m1    y1 = x1 w0 + x2 w1 = m1 - m2

Nested in two dimensions, F(2x2, 2x2), that is 9 matrix products instead of 16, and additions around them.

A convolution is bilinear, and <conv(x, kernel), y> is linear in all three. So the convolution, its transpose and the gradient by
the kernel are the gradients of one form: each one's own gradients are the other two. All three are written out, since what JAX
would derive adds up padded pieces, pixel by pixel; stacking the pieces writes whole rows of channels, which the CPU does faster.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.typing import DTypeLike

FEW_CHANNELS = 8  # below, 4*C columns make thin matrix products, and gathering all 16*C at once is faster
FEW_POSITIONS = 128  # outputs in a batch: for so few, making the 9/4 times larger kernel costs more than its products save
CACHED = 2**23  # bytes of x: nine matrices made of it, and the nine of y, still stay in the last cache of most CPUs

Bilinear = Callable[[Array, Array], Array]


class Lowering(NamedTuple):
    conv: Bilinear  # x (N, H, W, C), kernel (4, 4, C, O) -> y (N, H/2, W/2, O)
    transpose: Bilinear  # y, kernel (4, 4, O, C), as the layer that it is has it -> x
    multiple: int = 1  # of which H and W have to be


def _closed(
    conv: Callable[..., Array], transpose: Callable[..., Array], kernel_gradient: Callable[..., Array], multiple: int
) -> Lowering:
    """The three gradients of one form, differentiable any number of times. kernel_gradient: x, y -> kernel.

    Each takes swapped=: whether kernels are (4, 4, O, C).
    """

    def closed(swapped: bool) -> tuple[Bilinear, Bilinear]:
        c, t, g = (jax.custom_vjp(functools.partial(form, swapped=swapped)) for form in (conv, transpose, kernel_gradient))
        c.defvjp(lambda x, kernel: (c(x, kernel), (x, kernel)), lambda kept, y: (t(y, kept[1]), g(kept[0], y)))
        t.defvjp(lambda y, kernel: (t(y, kernel), (y, kernel)), lambda kept, x: (c(x, kept[1]), g(x, kept[0])))
        g.defvjp(lambda x, y: (g(x, y), (x, y)), lambda kept, kernel: (t(kept[1], kernel), c(kept[0], kernel)))
        return c, t

    return Lowering(closed(False)[0], closed(True)[1], multiple)


def _by_itself(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled as a computation that XLA doesn't merge with what is around it.

    Else XLA works out the arrays that it is given again in each of its pieces, in whatever order the piece reads them.
    """
    compiled = jax.jit(function)

    @functools.wraps(function)
    def by_itself(*arrays: Array) -> Any:
        with set_xla_metadata(inlineable="false"):
            return compiled(*arrays)

    return by_itself


@_by_itself
def _turned(matrices: Sequence[Array]) -> list[Array]:
    """The transposes, moved in memory, while .T only says in which order to read.

    XLA's CPU gives a product to its fastest library only if the left matrix lies row by row, and for bfloat16 the right one, too.
    The axis put in front hides the transpose from XLA's simplifications.
    """
    return [m[None].transpose(2, 0, 1).reshape(m.shape[::-1]) for m in matrices]


def _products(
    left: Sequence[Array], right: Sequence[Array], dtype: DTypeLike, turn_left: bool = False, turn_right: bool = False
) -> list[Array]:
    """Of each two matrices, transposed if said so, computed in `dtype`; float32, as everything around them is."""
    left, right = ([m.astype(dtype) for m in matrices] for matrices in (left, right))
    if turn_left:
        left = _turned(left)
    if turn_right:
        right = _turned(right) if dtype == jnp.bfloat16 else [m.T for m in right]
    return [jnp.dot(a, b, preferred_element_type=jnp.float32) for a, b in zip(left, right, strict=True)]


def _rows(taps: Array, swapped: bool) -> Array:
    """(T, C, O) -> (T*C, O); if swapped (T, O, C) -> (O, T*C).

    The last axis stays the last: to transpose is slow, while a product takes a matrix either way round.
    """
    return taps.swapaxes(0, 1).reshape(taps.shape[1], -1) if swapped else taps.reshape(-1, taps.shape[-1])


def _from_rows(rows: Array, taps: int, swapped: bool) -> Array:
    """The inverse of _rows."""
    return rows.reshape(len(rows), taps, -1).swapaxes(0, 1) if swapped else rows.reshape(taps, -1, rows.shape[-1])


def _shifted(x: Array, by: int, axis: int) -> Array:
    """Moved along `axis` by 1 or -1, zeros coming in."""
    padding = [(0, 0)] * x.ndim
    padding[axis] = (1, 0) if by > 0 else (0, 1)
    start = 0 if by > 0 else 1
    return jnp.pad(lax.slice_in_dim(x, start, start + x.shape[axis] - 1, 1, axis), padding)


def _padded(x: Array) -> Array:
    # Not jnp.pad, which is compiled by itself where its caller is.
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (1, 1, 0), (1, 1, 0), (0, 0, 0)))


def _matrix(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


# One product of all 16*C values that an output sees (im2col).


def _columns(x: Array) -> Array:
    """(N, H, W, C) -> (N*H/2*W/2, 16*C)."""
    n, h, w, c = x.shape
    pairs = _padded(x).reshape(n, h + 2, w // 2 + 1, 2 * c)  # of neighbours in a row, so that longer pieces are copied
    return _matrix(jnp.concatenate([pairs[:, i : i + h - 1 : 2, j : j + w // 2] for i in range(4) for j in range(2)], -1))


def _im2col_conv(x: Array, kernel: Array, swapped: bool) -> Array:
    n, h, w, _ = x.shape
    rows = _rows(kernel.reshape(16, *kernel.shape[2:]), swapped)
    (y,) = _products([_columns(x)], [rows], x.dtype, turn_right=swapped)
    return y.astype(x.dtype).reshape(n, h // 2, w // 2, -1)


def _im2col_transpose(y: Array, kernel: Array, swapped: bool) -> Array:
    n, h, w, _ = y.shape
    rows = _rows(kernel.reshape(16, *kernel.shape[2:]), swapped)
    (taps,) = _products([_matrix(y)], [rows], y.dtype, turn_right=not swapped)
    taps = taps.astype(y.dtype).reshape(n, h, w, 4, 4, -1)

    def overlap_add(taps: Sequence[Array], axis: int) -> list[Array]:
        """Even and odd pixels."""
        return [taps[1] + _shifted(taps[3], 1, axis), taps[2] + _shifted(taps[0], -1, axis)]

    taps = jnp.stack(overlap_add([taps[:, :, :, :, j] for j in range(4)], 2), 4)
    return jnp.stack(overlap_add([taps[:, :, :, i] for i in range(4)], 1), 2).reshape(n, 2 * h, 2 * w, -1)


def _im2col_kernel_gradient(x: Array, y: Array, swapped: bool) -> Array:
    factors = [_matrix(y)], [_columns(x)]
    (rows,) = _products(*(factors if swapped else factors[::-1]), x.dtype, turn_left=True)
    taps = _from_rows(rows.astype(x.dtype), 16, swapped)
    return taps.reshape(4, 4, *taps.shape[1:])


# Minimal filtering. Each of x, kernel and y is taken apart into 9 matrices, or put together from them, by the same three pieces
# in both directions: rows first, then columns of each row.


def _apart(pieces: Callable[[Array, int], Sequence[Array]], x: Array, axes: tuple[int, int]) -> list[Array]:
    return [_matrix(piece) for row in pieces(x, axes[0]) for piece in pieces(row, axes[1])]


def _together(join: Callable[[Sequence[Array], int], Sequence[Array]], pieces: Sequence[Array], axes: tuple[int, int]) -> Array:
    """What join makes of three pieces is stacked behind the axis along which it joins."""
    rows = [jnp.stack(join(pieces[row : row + 3], axes[1]), axes[1] + 1) for row in (0, 3, 6)]
    return jnp.stack(join(rows, axes[0]), axes[0] + 1)


@_by_itself
def _inputs(x: Array) -> list[Array]:
    """(N, H, W, C) -> 9 of (N*H/4*W/4, 4*C)."""

    def pieces(blocks: Array, axis: int) -> tuple[Array, Array, Array]:
        even, odd = (lax.slice_in_dim(blocks, start, None, 2, axis) for start in (0, 1))
        x0, x2 = (lax.slice_in_dim(even, start, start + odd.shape[axis], 1, axis) for start in (0, 1))
        return x0 - odd, odd, odd - x2

    n, h, w, c = x.shape
    blocks = (
        _padded(x.astype(jnp.float32))
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
        return [second[0] - _shifted(second[2], 1, axis), first[1], second[1], _shifted(first[0], -1, axis) - first[2]]

    n, h, w, c = shape
    return _together(join, [m.reshape(n, h // 4, w // 4, 2, 2, c) for m in matrices], (1, 2)).reshape(shape)


def _taps(kernel: Array, swapped: bool) -> list[Array]:
    """(4, 4, C, O) -> 9 of (4*C, O); if swapped (4, 4, O, C) -> 9 of (O, 4*C)."""
    blocks = kernel.astype(jnp.float32).reshape(2, 2, 2, 2, *kernel.shape[2:]).swapaxes(1, 2).reshape(2, 2, 4, *kernel.shape[2:])
    matrices = jax.vmap(jax.vmap(lambda taps: _rows(taps, swapped)))(blocks)
    return _apart(lambda w, _: (w[0], w[0] + w[1], w[1]), matrices, (0, 0))


def _from_taps(matrices: Sequence[Array], swapped: bool) -> Array:
    """The transpose of _taps."""
    blocks = _together(lambda m, _: (m[0] + m[1], m[1] + m[2]), matrices, (-1, -1))
    taps = jax.vmap(jax.vmap(lambda rows: _from_rows(rows, 4, swapped)))(blocks)
    return taps.reshape(2, 2, 2, 2, *taps.shape[3:]).swapaxes(1, 2).reshape(4, 4, *taps.shape[3:])


@_by_itself
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
    products = _products(_inputs(x), _taps(kernel, swapped), x.dtype, turn_right=swapped)
    return _from_outputs(products, (n, h // 2, w // 2, products[0].shape[-1])).astype(x.dtype)


def _filtering_transpose(y: Array, kernel: Array, swapped: bool) -> Array:
    n, h, w, _ = y.shape
    products = _products(_outputs(y), _taps(kernel, swapped), y.dtype, turn_right=not swapped)
    return _from_inputs(products, (n, 2 * h, 2 * w, products[0].shape[-1] // 4)).astype(y.dtype)


def _filtering_kernel_gradient(x: Array, y: Array, swapped: bool) -> Array:
    factors = _outputs(y), _inputs(x)
    return _from_taps(_products(*(factors if swapped else factors[::-1]), x.dtype, turn_left=True), swapped)


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


def _xla_conv(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _xla_transpose(y: Array, kernel: Array) -> Array:
    n, h, w, _ = y.shape
    x = jax.ShapeDtypeStruct((n, 2 * h, 2 * w, kernel.shape[3]), y.dtype)
    return jax.linear_transpose(lambda x: _xla_conv(x, kernel.swapaxes(2, 3)), x)(y)[0]


XLA = Lowering(_xla_conv, _xla_transpose)
IM2COL = _closed(_im2col_conv, _im2col_transpose, _im2col_kernel_gradient, multiple=2)
FILTERING = _closed(_conv_by_parts, _transpose_by_parts, _kernel_gradient_by_parts, multiple=4)


def _on_cpu(positions: int, channels: int) -> Lowering:
    return IM2COL if channels < FEW_CHANNELS or positions <= FEW_POSITIONS else FILTERING


def _filled(x: Array, multiple: int) -> Array:
    """Height and width padded with zeros at their ends."""
    return jnp.pad(x, ((0, 0), (0, -x.shape[1] % multiple), (0, -x.shape[2] % multiple), (0, 0)))


def _conv(lowering: Lowering, x: Array, kernel: Array) -> Array:
    _, h, w, _ = x.shape
    return lowering.conv(_filled(x, lowering.multiple), kernel)[:, : -(-h // 2), : -(-w // 2)]


def _conv_transpose(lowering: Lowering, y: Array, kernel: Array) -> Array:
    _, h, w, _ = y.shape
    return lowering.transpose(_filled(y, max(lowering.multiple // 2, 1)), kernel[::-1, ::-1])[:, : 2 * h, : 2 * w]


def conv4x4(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (4, 4, I, O) -> (N, ceil(H/2), ceil(W/2), O): stride 2, padding 'SAME'."""
    n, h, w, c = x.shape
    cpu = _on_cpu(n * -(-h // 2) * -(-w // 2), c)
    return lax.platform_dependent(x, kernel, cpu=functools.partial(_conv, cpu), default=functools.partial(_conv, XLA))


def conv4x4_transpose(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (4, 4, I, O) -> (N, 2H, 2W, O): lax.conv_transpose with stride 2, padding 'SAME'."""
    n, h, w, _ = x.shape
    cpu = _on_cpu(n * h * w, kernel.shape[3])
    return lax.platform_dependent(
        x, kernel, cpu=functools.partial(_conv_transpose, cpu), default=functools.partial(_conv_transpose, XLA)
    )
