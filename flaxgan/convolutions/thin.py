"""The stride-1 convolution from few channels, or to few, as one product of all taps.

The thin side lies in planes, a channel after the other, so that its shifted copies are made of
whole rows of pixels. One product makes them into the other side (im2col), or the other side into
them, which are then added up (col2im). XLA's own convolution to three channels takes ten times as
long on a CPU.
"""

import functools
import operator

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.matmul import matrix, multiply, no_inline
from flaxgan.convolutions.tiles import CACHED, in_parts, sum_of_parts


@functools.partial(no_inline, static=("size", "padding", "height", "width"))
def _columns(x: Array, size: int, padding: int, height: int, width: int) -> Array:
    """Return the shifted planes of x (N, H, W, C): (size² * C, N * height * width)."""
    planes = jnp.pad(x.transpose(3, 0, 1, 2), ((0, 0), (0, 0), *[(padding, padding)] * 2))
    shifted = [
        planes[:, :, i : i + height, j : j + width] for i in range(size) for j in range(size)
    ]
    return jnp.stack(shifted).reshape(size * size * x.shape[3], -1)


@functools.partial(no_inline, static=("size", "shape"))
def _added(columns: Array, size: int, shape: tuple[int, int, int, int]) -> Array:
    """Add up planes (size² * C, N * H * W), each moved back: the shape (N, H - size + 1, ..., C).

    `shape` is (N, H, W, C).
    """
    n, h, w, channels = shape
    planes = columns.reshape(size, size, channels, n, h, w)
    height, width = h - size + 1, w - size + 1
    total = functools.reduce(
        operator.add,
        (
            planes[i, j, :, :, i : i + height, j : j + width]
            for i in range(size)
            for j in range(size)
        ),
    )
    return total.transpose(1, 2, 3, 0)


@no_inline
def _turned(matrix: Array) -> Array:
    """Transpose in memory: the axis put in front hides it from XLA's simplifications."""
    return matrix[None].transpose(2, 0, 1).reshape(matrix.shape[::-1])


def _from_thin(x: Array, kernel: Array, padding: int) -> Array:
    n, h, w, _ = x.shape
    size, out = len(kernel), kernel.shape[3]
    height, width = (side + 2 * padding - size + 1 for side in (h, w))
    columns = _columns(x, size=size, padding=padding, height=height, width=width)
    (rows,) = multiply([kernel.reshape(-1, out)], [columns], x.dtype, turn_left=True)
    return _turned(rows).reshape(n, height, width, out).astype(x.dtype)


def _to_thin(x: Array, kernel: Array, padding: int) -> Array:
    sides = (padding, padding)
    x = jnp.pad(x, ((0, 0), sides, sides, (0, 0)))
    n, h, w, channels = x.shape
    size, out = len(kernel), kernel.shape[3]
    taps = kernel.transpose(0, 1, 3, 2).reshape(-1, channels)
    (columns,) = multiply([taps], [matrix(x)], x.dtype, turn_right=True)
    return _added(columns, size=size, shape=(n, h, w, out)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: Array, kernel: Array, padding: int) -> Array:
    """Convolve with `padding` zeros at each side; one of the two numbers of channels is small.

    (N, H, W, I), (S, S, I, O) -> (N, H + 2 * padding - S + 1, W + 2 * padding - S + 1, O).
    """
    is_from = kernel.shape[2] <= kernel.shape[3]
    make = _from_thin if is_from else _to_thin
    thin_bytes = x.nbytes * min(kernel.shape[2:]) // kernel.shape[2] * len(kernel) ** 2
    return in_parts(lambda x: make(x, kernel, padding), CACHED, thin_bytes, x)


def kernel_gradient(x: Array, y: Array, padding: int) -> Array:
    """Return the kernel's gradient (S, S, I, O) of x (N, H, W, I) and y, as conv returns it.

    It is fast for many channels, too.
    """
    size = x.shape[1] + 2 * padding - y.shape[1] + 1
    thin_bytes = min(x.nbytes, y.nbytes) * size**2
    gradient = functools.partial(_kernel_gradient, size=size, padding=padding)
    return sum_of_parts(gradient, CACHED, thin_bytes, x, y).astype(x.dtype)


def _kernel_gradient(x: Array, y: Array, size: int, padding: int) -> Array:
    _, h, w, channels = x.shape
    height, width, out = y.shape[1:]
    if channels <= out:
        columns = _columns(x, size=size, padding=padding, height=height, width=width)
        (taps,) = multiply([columns], [matrix(y)], x.dtype)
        return taps.reshape(size, size, channels, out)
    # y's copies, moved the other way, beside x as it is
    columns = _columns(y, size=size, padding=size - 1 - padding, height=h, width=w)
    (taps,) = multiply([columns], [matrix(x)], x.dtype)
    taps = taps.reshape(size, size, out, channels)[::-1, ::-1]
    return taps.transpose(0, 1, 3, 2)


def _backward(padding: int, residuals: tuple[Array, Array], y: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    return conv(y, turned, len(kernel) - 1 - padding), kernel_gradient(x, y, padding)


conv.defvjp(lambda x, kernel, padding: (conv(x, kernel, padding), (x, kernel)), _backward)
