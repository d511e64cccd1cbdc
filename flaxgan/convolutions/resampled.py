"""Stride-1 convolutions of doubled pixels, and those of which the mean of each 2x2 pixels is taken, without the larger picture.

The four pixels that are alike, or that are added up, merge with the kernel: one of size S becomes one of size S + 1 and stride 2.
So each of the larger picture's pixels takes (S + 1)^2 / 4 products instead of S^2: 4 of 9, or 9 of 25.
"""

import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv4x4, conv4x4_transpose, conv_stride1


def conv_up(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (S, S, I, O) with S 3 or 5 -> (N, 2H, 2W, O): conv_stride1 of x with each pixel doubled."""
    taps = _merged(kernel)
    if len(kernel) == 3:
        return conv4x4_transpose(x, taps)
    # A pixel and the three beside it see x alike: the channels of one convolution. Of two, the first sees odd taps.
    n, h, w, channels = x.shape
    taps = taps.reshape(3, 2, 3, 2, channels, -1)[:, ::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
    y = conv_stride1(x, taps.reshape(3, 3, channels, -1))
    return y.reshape(n, h, w, 2, 2, -1).swapaxes(2, 3).reshape(n, 2 * h, 2 * w, -1)


def conv_down(x: Array, kernel: Array) -> Array:
    """(N, H, W, I), (S, S, I, O) with S 3 or 5, H and W even -> (N, H/2, W/2, O): the mean of each 2x2 pixels of conv_stride1."""
    taps = _merged(kernel) / 4
    if len(kernel) == 3:
        return conv4x4(x, taps)
    n, h, w, channels = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, channels).swapaxes(2, 3).reshape(n, h // 2, w // 2, -1)
    taps = taps.reshape(3, 2, 3, 2, channels, -1).swapaxes(1, 2)
    return conv_stride1(x, taps.reshape(3, 3, 4 * channels, -1))


def _merged(kernel: Array) -> Array:
    """(S, S, I, O) -> (S + 1, S + 1, I, O): the sum of the four that begin at one of the first 2x2."""
    for axis in (0, 1):
        before, after = ([(0, 0)] * axis + [pad] + [(0, 0)] * (3 - axis) for pad in ((1, 0), (0, 1)))
        kernel = jnp.pad(kernel, before) + jnp.pad(kernel, after)
    return kernel
