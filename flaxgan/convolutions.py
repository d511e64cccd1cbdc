"""The 4x4 stride-2 convolution and its transpose, lowered well on each platform.

XLA's CPU gradients of these convolutions are some twenty times slower than the matrix products inside them, so on the CPU
both are written as matrix products here. Kernels are (4, 4, in, out) whatever the lowering, so that a checkpoint moves freely.

Padded by one pixel and cut into 2x2 blocks of 4*C channels (space to depth), a 4x4 stride-2 convolution is a 2x2 stride-1
convolution, and minimal filtering F(2, 2) (Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308) makes two of its outputs from
three products instead of four. In one dimension, with inputs x0 x1 x2 and taps w0 w1:

    m0 = (x0 - x1) w0    m1 = x1 (w0 + w1)    m2 = (x1 - x2) w1    y0 = x0 w0 + x1 w1 = m0 + m1    y1 = x1 w0 + x2 w1 = m1 - m2

Nested in two dimensions, F(2x2, 2x2), that is 9 matrix products instead of 16, and additions around them. All of it is
bilinear, so JAX's own transposition gives both gradients, and the transposed convolution, from the same 9 products.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

FEW_CHANNELS = 8  # below, 4*C columns make thin matrix products, and gathering all 16*C at once is faster
FEW_POSITIONS = 128  # outputs in a batch: for so few, making the 9/4 times larger kernel costs more than its products save

Convolution = Callable[[Array, Array], Array]


def _dot(x: Array, kernel: Array) -> Array:
    """(..., I), (I, O) -> (..., O), as a product of two matrices: XLA copies to contract several axes in the gradient."""
    return jnp.dot(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], -1)


def _conv_xla(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _conv_im2col(x: Array, kernel: Array) -> Array:
    _, h, w, c = x.shape
    ho, wo = -(-h // 2), -(-w // 2)
    x = jnp.pad(x, ((0, 0), (1, 1 + h % 2), (1, 1 + w % 2), (0, 0)))
    taps = [x[:, i : i + 2 * ho - 1 : 2, j : j + 2 * wo - 1 : 2] for i in range(4) for j in range(4)]
    return _dot(jnp.concatenate(taps, -1), kernel.reshape(16 * c, -1))


def _conv_minimal_filtering(x: Array, kernel: Array) -> Array:
    n, h, w, c = x.shape
    o = kernel.shape[-1]
    ho, wo = -(-h // 2), -(-w // 2)
    th, tw = -(-ho // 2), -(-wo // 2)  # tiles of 2x2 outputs; an odd side is padded to a whole tile

    def input_tiles(x: Array, axis: int) -> tuple[Array, Array, Array]:
        even, odd = (lax.slice_in_dim(x, start, None, 2, axis) for start in (0, 1))
        x0, x2 = (lax.slice_in_dim(even, start, start + odd.shape[axis], 1, axis) for start in (0, 1))
        return x0 - odd, odd, odd - x2

    def kernel_tiles(kernel: Array) -> tuple[Array, Array, Array]:
        return kernel[0], kernel[0] + kernel[1], kernel[1]

    def output_tiles(m: list[Array], axis: int) -> Array:
        return jnp.stack([m[0] + m[1], m[1] - m[2]], axis)

    x = jnp.pad(x, ((0, 0), (1, 4 * th + 1 - h), (1, 4 * tw + 1 - w), (0, 0)))
    x = x.reshape(n, 2 * th + 1, 2, 2 * tw + 1, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * th + 1, 2 * tw + 1, 4 * c)
    kernel = kernel.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, 4 * c, o)
    rows = []
    for x_row, kernel_row in zip(input_tiles(x, 1), kernel_tiles(kernel), strict=True):
        products = map(_dot, input_tiles(x_row, 2), kernel_tiles(kernel_row))
        rows.append(output_tiles(list(products), 3))
    return output_tiles(rows, 2).reshape(n, 2 * th, 2 * tw, o)[:, :ho, :wo]


def _conv_cpu(x: Array, kernel: Array) -> Array:
    n, h, w, c = x.shape
    thin = c < FEW_CHANNELS or n * -(-h // 2) * -(-w // 2) <= FEW_POSITIONS
    return (_conv_im2col if thin else _conv_minimal_filtering)(x, kernel)


def _transposed(conv: Convolution) -> Convolution:
    """The transposed convolution as the linear transpose of `conv`."""

    def conv_transpose(x: Array, kernel: Array) -> Array:
        n, h, w, _ = x.shape
        flipped = kernel[::-1, ::-1].swapaxes(2, 3)
        output = jax.ShapeDtypeStruct((n, 2 * h, 2 * w, kernel.shape[3]), x.dtype)
        (y,) = jax.linear_transpose(lambda y: conv(y, flipped), output)(x)
        return y

    return conv_transpose


def conv4x4(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (4, 4, I, O) -> (N, ceil(H/2), ceil(W/2), O): stride 2, padding 'SAME'."""
    return lax.platform_dependent(x, kernel, cpu=_conv_cpu, default=_conv_xla)


def conv4x4_transpose(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (4, 4, I, O) -> (N, 2H, 2W, O): lax.conv_transpose with stride 2, padding 'SAME'."""
    return lax.platform_dependent(x, kernel, cpu=_transposed(_conv_cpu), default=_transposed(_conv_xla))
