"""Residual networks without normalisation, after SNGAN (Miyato et al. 2018) and R3GAN (Huang et al.
2024, arXiv:2501.05441).

The last convolution of every block begins at zero and the first is scaled down by their number, so
that at first each block is (almost) the identity (Fixup; Zhang et al. 2019, arXiv:1901.09321).
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_down, conv_up
from flaxgan.models.attention import SelfAttention
from flaxgan.models.layers import Conv, Dense, dropout, half, twice
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng


def _init(scale: float) -> Initializer:
    """Initialise as He et al. 2015 for leaky ReLU of 0.2, with an output variance of `scale`."""
    return nn.initializers.variance_scaling(2 / 1.04 * scale, "fan_in", "normal")


class Block(nn.Module):
    """(N, H, W, C) -> (N, H, W, features).

    `resampling` "up": of x doubled in height and width; "down": halved in them.

    A 1x1 convolution commutes with both, so the shortcut has its own where the picture is smaller.
    """

    features: int
    blocks: int  # of the whole network
    dtype: DTypeLike = jnp.float32
    spectral_norm: bool = False
    resampling: Literal["up", "down"] | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        up, down = self.resampling == "up", self.resampling == "down"
        # a zero kernel has no norm to divide by
        last_init = _init(1.0) if self.spectral_norm else nn.initializers.zeros
        options = (self.dtype, self.spectral_norm)
        first = Conv(
            self.features,
            *options,
            _init(1 / self.blocks),
            convolution=conv_up if up else conv_stride1,
        )
        last = Conv(
            self.features, *options, last_init, convolution=conv_down if down else conv_stride1
        )
        y = last(nn.leaky_relu(first(nn.leaky_relu(x, 0.2)), 0.2))

        x = half(x) if down else x
        if x.shape[-1] != self.features:
            x = Conv(self.features, *options, nn.initializers.lecun_normal(), size=1)(x)
        return (twice(x) if up else x) + y


class Generator(GeneratorNetwork):
    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None, *, train: bool) -> Array:
        height, width = base_size(self.image_size)
        widths = stage_widths(self.image_size, self.features)

        def block(features: int, resampling: Literal["up"] | None = None) -> Block:
            return Block(features, len(widths) + 1, self.dtype, resampling=resampling)

        x = Dense(
            height * width * widths[-1], self.dtype, kernel_init=nn.initializers.lecun_normal()
        )(self.with_class(z, condition))
        x = block(widths[-1])(x.reshape(-1, height, width, widths[-1]))
        for features in reversed(widths):
            x = block(features, "up")(x)
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
        x = Conv(self.channels, self.dtype, kernel_init=nn.initializers.lecun_normal())(
            nn.leaky_relu(x, 0.2)
        )
        return nn.tanh(x.astype(jnp.float32))


class Discriminator(DiscriminatorNetwork):
    @nn.compact
    def __call__(
        self, x: Array, condition: Array | None = None, *, train: bool, rng: Rng | None = None
    ) -> Array:
        options = (self.dtype, self.spectral_norm)
        widths = stage_widths(self.image_size, self.features)
        x = Conv(widths[0], *options, nn.initializers.lecun_normal())(x)
        for number, features in enumerate([*widths[1:], widths[-1]]):
            x = Block(features, len(widths) + 1, *options, resampling="down")(x)
            x = dropout(x, self.dropout, rng, number)
            if self.attends(x):
                x = SelfAttention(*options)(x)
        x = nn.leaky_relu(Block(widths[-1], len(widths) + 1, *options)(x), 0.2)
        return self.logits(x, condition, nn.initializers.lecun_normal())
