"""Stride-1 convolutions of doubled pixels, and those of which the mean of each 2x2 pixels is taken,
without the larger picture.

The four pixels that are alike, or that are added up, merge with the kernel: one of size S becomes
one of size S + 1 and stride 2. So each of the larger picture's pixels takes (S + 1)^2 / 4 products
instead of S^2: 4 of 9, or 9 of 25.
"""

import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv4x4, conv4x4_transpose, conv_stride1
from flaxgan.convolutions.plain import named


def conv_up(x: Array, kernel: Array) -> Array:
    """Apply conv_stride1 to x with each pixel doubled: (N, H, W, I) -> (N, 2H, 2W, O).

    The kernel is (S, S, I, O) with S 3 or 5.
    """
    taps = _merged(kernel)
    if len(kernel) == 3:
        return conv4x4_transpose(x, taps)
    # In a row, pixels 2i and 2i + 1 both see x[i - 1], x[i] and x[i + 1], by taps 1, 3, 5 and 0, 2,
    # 4: so they can be channels.
    taps = taps.reshape(3, 2, 3, 2, *kernel.shape[2:])[:, ::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
    return _apart(conv_stride1(x, taps.reshape(3, 3, x.shape[3], -1)))


@named
def _apart(x: Array) -> Array:
    """Turn channels into 2x2 pixels: (N, H, W, 4 * C) -> (N, 2H, 2W, C), C the inner axis."""
    n, h, w, _ = x.shape
    return x.reshape(n, h, w, 2, 2, -1).swapaxes(2, 3).reshape(n, 2 * h, 2 * w, -1)


def conv_down(x: Array, kernel: Array) -> Array:
    """Average each 2x2 pixels of conv_stride1: (N, H, W, I) -> (N, H/2, W/2, O).

    The kernel is (S, S, I, O) with S 3 or 5; H and W are even.
    """
    n, h, w, channels = x.shape
    assert h % 2 == w % 2 == 0, x.shape
    taps = _merged(kernel) / 4
    if len(kernel) == 3:
        return conv4x4(x, taps)
    # Each 2x2 pixels, and the taps that see them, as channels.
    x = x.reshape(n, h // 2, 2, w // 2, 2, channels).swapaxes(2, 3).reshape(n, h // 2, w // 2, -1)
    taps = taps.reshape(3, 2, 3, 2, *kernel.shape[2:]).swapaxes(1, 2)
    return conv_stride1(x, taps.reshape(3, 3, 4 * channels, -1))


def _merged(kernel: Array) -> Array:
    """Convolve a kernel fully with 2x2 ones: (S, S, I, O) -> (S + 1, S + 1, I, O)."""
    assert len(kernel) in (3, 5), kernel.shape
    kernel = jnp.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    kernel = kernel[1:] + kernel[:-1]
    return kernel[:, 1:] + kernel[:, :-1]
