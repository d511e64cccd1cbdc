"""What the networks that turn one picture into another share."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from flaxgan.convolutions import conv_reflected
from flaxgan.convolutions.plain import named
from flaxgan.models.batch_norm import EPSILON
from flaxgan.models.layers import Conv


class Translator(nn.Module):
    """A generator: pictures float32 (N, H, W, C) in [-1, 1] -> pictures (N, H', W', channels).

    It sows the maps that PatchNCE compares as "features", takes an `rng` for dropout, and has no
    running statistics.
    """

    channels: int = 3
    features: int = 64
    dtype: DTypeLike = jnp.float32  # what it computes in; parameters are float32
    axis: str | None = None  # of pmap; nothing here is shared among devices


@named
def instance_norm(x: Array) -> Array:
    """Normalise each channel of each picture by its own mean and variance, in float32.

    Ulyanov et al. 2016, arXiv:1607.08022; without scale and bias, as CycleGAN has it.
    """
    y = x.astype(jnp.float32)
    mean = y.mean((1, 2), keepdims=True)
    var = jnp.maximum(jnp.square(y).mean((1, 2), keepdims=True) - jnp.square(mean), 0)
    return ((y - mean) * lax.rsqrt(var + EPSILON)).astype(x.dtype)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of the mirrored picture, added to it: (N, H, W, C) -> the same shape."""

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(y: Array) -> Array:
            return Conv(x.shape[-1], self.dtype, convolution=conv_reflected)(y)

        return x + instance_norm(conv(nn.relu(instance_norm(conv(x)))))


@named
def halved(x: Array) -> Array:
    """Halve height and width, blurred by [1, 2, 1] (Zhang 2019, arXiv:1904.11486).

    The picture is mirrored at its edges: (N, H, W, C) -> (N, H/2, W/2, C), of even H and W.
    """
    for axis in (1, 2):
        sides = [(1, 0) if i == axis else (0, 0) for i in range(4)]
        padded = jnp.pad(x, sides, "reflect")
        left, middle, right = (
            lax.slice_in_dim(padded, i, i + x.shape[axis] - 1, 2, axis) for i in range(3)
        )
        x = 0.25 * (left + right) + 0.5 * middle
    return x


@named
def doubled(x: Array) -> Array:
    """Double height and width bilinearly, the edge pixels repeated: (N, 2H, 2W, C)."""
    for axis in (1, 2):
        sides = [(1, 1) if i == axis else (0, 0) for i in range(4)]
        padded, size = jnp.pad(x, sides, "edge"), x.shape[axis]
        before, after = (lax.slice_in_dim(padded, i, i + size, 1, axis) for i in (0, 2))
        pair = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pair.reshape(*(side * (1 + (i == axis)) for i, side in enumerate(x.shape)))
    return x


@named
def pixel_shuffle(x: Array, scale: int) -> Array:
    """Turn channels into pixels: (N, H, W, C * scale²) -> (N, scale * H, scale * W, C).

    Shi et al. 2016, arXiv:1609.05158; channel c * scale² + i * scale + j is pixel (i, j) of c.
    """
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, c // scale**2, scale, scale).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, scale * h, scale * w, -1)
