"""The 4x4 stride-2 convolution as XLA's own, which on a GPU are cuDNN's.

Each of the three is put so that XLA recognises what cuDNN has: forward, backward by the data,
backward by the filter. What JAX derives for the kernel of a transposed convolution becomes,
unrecognised, a convolution by a window as large as the picture.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.convolutions.lowering import Lowering, closed

ALIGNED = 4  # channels: with fewer, cuDNN leaves the tensor cores, or has the picture copied first


def _numbers(hwoi: bool) -> tuple[str, str, str]:
    return "NHWC", "HWOI" if hwoi else "HWIO", "NHWC"


def _direct(x: Array, kernel: Array, hwoi: bool) -> Array:
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=_numbers(hwoi))


def _in_blocks(x: Array, kernel: Array, hwoi: bool) -> Array:
    """Take each 2x2 pixels as the channels of one, then convolve by 2x2 with stride 1.

    That is for few channels, which are then enough.
    """
    axis = 3 if hwoi else 2
    missing = -x.shape[3] % ALIGNED
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, missing)))
    kernel = jnp.pad(kernel, [(0, missing if i == axis else 0) for i in range(4)])
    n, h, w, channels = x.shape
    x = (
        x.reshape(n, h // 2, 2, w // 2, 2, channels)
        .swapaxes(2, 3)
        .reshape(n, h // 2, w // 2, 4 * channels)
    )
    # row and column of a block, and within it: each first, then second
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
    taps = taps.transpose(0, 2, 4, 1, 3, 5) if hwoi else taps.transpose(0, 2, 1, 3, 4, 5)
    taps = (
        taps.reshape(2, 2, kernel.shape[2], 4 * channels)
        if hwoi
        else taps.reshape(2, 2, 4 * channels, kernel.shape[3])
    )
    return lax.conv_general_dilated(x, taps, (1, 1), "VALID", dimension_numbers=_numbers(hwoi))


def _lowering(conv: Callable[[Array, Array, bool], Array]) -> Lowering:
    def transpose(y: Array, kernel: Array, hwoi: bool) -> Array:
        n, h, w, _ = y.shape
        # XLA knows it by its reversed kernel, and would cancel that against the reversal that makes
        # it a layer.
        kernel = lax.optimization_barrier(kernel)
        x = jax.ShapeDtypeStruct((n, 2 * h, 2 * w, kernel.shape[3 if hwoi else 2]), y.dtype)
        return jax.linear_transpose(lambda x: conv(x, kernel, hwoi), x)(y)[0]

    def kernel_gradient(x: Array, y: Array, hwoi: bool) -> Array:
        channels = (y.shape[3], x.shape[3]) if hwoi else (x.shape[3], y.shape[3])
        kernel = jax.ShapeDtypeStruct((4, 4, *channels), x.dtype)
        return jax.linear_transpose(lambda kernel: conv(x, kernel, hwoi), kernel)(y)[0]

    return closed(conv, transpose, kernel_gradient, multiple=2)


XLA = _lowering(_direct)
XLA_IN_BLOCKS = _lowering(_in_blocks)
