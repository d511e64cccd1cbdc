"""The layers of the style networks: with equalised learning rates, and modulated by styles.

Karras et al. 2018 (arXiv:1710.10196, section 4.1), Karras et al. 2020 (arXiv:1912.04958).
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import Initializer

from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_down
from flaxgan.models.layers import Kernel, half
from flaxgan.models.network import GeneratorNetwork
from flaxgan.models.sizes import MOST_WIDENING
from flaxgan.models.translator import instance_norm
from flaxgan.rng import average

MAPPING_RATE = 0.01  # of the mapping network's learning rate to that of the others
SLOPE, GAIN = 0.2, math.sqrt(2)  # of leaky ReLU, and what keeps the variance after it
TINY = 1e-8


def activated(x: Array) -> Array:
    """Apply leaky ReLU, scaled so that the mean square stays about as it was."""
    return nn.leaky_relu(x, SLOPE) * GAIN


def normalised(x: Array) -> Array:
    """Scale each row of x (N, D) to a mean square of 1."""
    return x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + TINY)


class Equalised(Kernel):
    """A layer whose weights begin as N(0, 1) and are divided by the root of its inputs when used.

    So Adam changes all layers equally fast. With a `rate` below 1 they begin as N(0, 1 / rate) and
    are multiplied by it, so that they change so much more slowly.
    """

    kernel_init: Initializer = nn.initializers.normal(1.0)
    rate: float = 1.0
    bias_at_first: float = 0.0

    def scaled(self, *shape: int) -> Array:
        """Return the kernel (*shape, features) as it is used, in `dtype`."""
        kernel = self.kernel(*shape)
        # a bounded kernel has a scale already
        return kernel if self.spectral_norm else kernel * (self.rate / math.sqrt(math.prod(shape)))

    def bias(self, rank: int) -> Array:
        """Return the bias as it is used, in `dtype`: (1, ..., features) with so many axes."""
        init = nn.initializers.constant(self.bias_at_first)
        bias = self.param("bias", init, (self.features,)) * self.rate
        return bias.astype(self.dtype).reshape(*[1] * (rank - 1), -1)


class EqualisedDense(Equalised):
    """(N, I) -> (N, features), with bias."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x.astype(self.dtype) @ self.scaled(x.shape[-1]) + self.bias(2)


class EqualisedConv(Equalised):
    """A convolution with bias, which keeps, doubles or halves height and width: see layers.Conv."""

    size: int = 3
    convolution: Callable[[Array, Array], Array] = conv_stride1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.scaled(self.size, self.size, x.shape[-1])
        return self.convolution(x.astype(self.dtype), kernel) + self.bias(4)


class ModulatedConv(Equalised):
    """A convolution with bias whose kernel is each picture's own, by its style.

    x (N or 1, H, W, I), w (N, D) -> (N, H', W', features). The style scales the kernel's inputs;
    if `demodulated`, each of its outputs is then scaled to a square sum of 1, and `noise` (N, H',
    W', 1) added with a weight that is learnt, at first 0. Scaling x before and the result
    afterwards is the same, and all pictures share one convolution (section 2.2).
    """

    size: int = 3
    convolution: Callable[[Array, Array], Array] = conv_stride1
    demodulated: bool = True
    adain: bool = False  # instead, each map is normalised by itself, as in StyleGAN1

    @nn.compact
    def __call__(self, x: Array, w: Array, noise: Array | None = None) -> Array:
        inputs = x.shape[-1]
        styles = EqualisedDense(inputs, bias_at_first=1.0, name="affine")(w)
        kernel = self.scaled(self.size, self.size, inputs)
        y = self.convolution(_scaled(x.astype(self.dtype), styles), kernel)
        if not self.demodulated:
            return y + self.bias(4)
        y = instance_norm(y) if self.adain else _scaled(y, demodulation(kernel, styles))
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        if noise is not None:
            y = y + (strength * noise).astype(self.dtype)
        return y + self.bias(4)


def _scaled(x: Array, channels: Array) -> Array:
    """Scale the channels of each picture: (N or 1, H, W, C), float32 (N, C) -> (N, H, W, C)."""
    return x * channels.astype(x.dtype)[:, None, None]


def demodulation(kernel: Array, styles: Array) -> Array:
    """Return what makes outputs of a convolution have variance 1, if its inputs had: (N, O).

    It is float32. The kernel is (S, S, I, O), and `styles` (N, I) scale its inputs (equation 3).
    """
    squares = jnp.square(kernel.astype(jnp.float32)).sum((0, 1))
    return lax.rsqrt(jnp.square(styles) @ squares + TINY)


def with_deviation(x: Array, groups: int, axis: str | None) -> Array:
    """Append a channel: how much pictures differ, on average over all values (section 3 of 2018).

    x (N, H, W, C) holds so many `groups` of pictures in turns, real and generated ones say, each of
    which has its own number: one for all its pictures, over all devices of pmap's `axis`.
    """
    grouped = x.astype(jnp.float32).reshape(-1, groups, *x.shape[1:])
    mean = average(grouped.mean(0), axis)
    variance = average(jnp.square(grouped - mean[None]).mean(0), axis)
    deviation = jnp.sqrt(variance + TINY).mean((1, 2, 3))
    channel = jnp.broadcast_to(
        deviation[None, :, None, None, None], (*grouped.shape[:-1], 1)
    ).reshape(*x.shape[:-1], 1)
    return jnp.concatenate([x, channel.astype(x.dtype)], -1)


def widest(network: GeneratorNetwork) -> int:
    """Return the channels of the smallest maps, and the length of w."""
    return MOST_WIDENING * network.features


class Mapping(GeneratorNetwork):
    """z (N, latent_dim), and a condition as of GeneratorNetwork -> w, float32 (N, D).

    D is that of the synthesis network's widest layers.
    """

    layers: int = 8

    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None) -> Array:
        x = normalised(self.with_class(z, condition).astype(jnp.float32))
        for _ in range(self.layers):
            init = nn.initializers.normal(1 / MAPPING_RATE)
            x = activated(EqualisedDense(widest(self), kernel_init=init, rate=MAPPING_RATE)(x))
        return x


class ResidualBlock(nn.Module):
    """(N, H, W, C) -> (N, H/2, W/2, features)."""

    features: int
    options: tuple[Any, bool]  # dtype and spectral norm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = activated(EqualisedConv(x.shape[-1], *self.options)(x))
        y = activated(EqualisedConv(self.features, *self.options, convolution=conv_down)(y))
        shortcut = EqualisedConv(self.features, *self.options, size=1)(half(x))
        return (y + shortcut) / math.sqrt(2)
