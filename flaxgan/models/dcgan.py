"""The DCGAN of Radford, Metz & Chintala 2015 (arXiv:1511.06434), for any size that halves evenly a
few times.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.models.attention import SelfAttention
from flaxgan.models.growth import blended
from flaxgan.models.layers import Conv4x4, ConvTranspose4x4, Dense, dropout, half
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng


class Generator(GeneratorNetwork):
    @nn.compact
    def __call__(
        self, z: Array, condition: Array | None = None, *, train: bool, fade: Array | None = None
    ) -> Array:
        height, width = base_size(self.image_size)
        *widths, base_width = stage_widths(self.image_size, self.features)

        x = Dense(height * width * base_width, self.dtype)(self.with_text(z, condition))
        x = x.reshape(-1, height, width, base_width)
        x = nn.relu(self.normalised(x, condition, train))
        maps = {len(widths) + 1: x}
        for halvings in range(len(widths), max(0, self.halvings - 1), -1):
            x = ConvTranspose4x4(widths[halvings - 1], self.dtype)(x)
            x = nn.relu(self.normalised(x, condition, train))
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
            maps[halvings] = x

        def whole() -> Array:
            return nn.tanh(ConvTranspose4x4(self.channels, self.dtype)(x).astype(jnp.float32))

        return self.grown(maps, whole, train, fade)


class Discriminator(DiscriminatorNetwork):
    @nn.compact
    def __call__(
        self,
        x: Array,
        condition: Array | None = None,
        *,
        train: bool,
        rng: Rng | None = None,
        fade: Array | None = None,
    ) -> Array:
        options = (self.dtype, self.spectral_norm)
        widths = stage_widths(self.image_size, self.features)

        def entered(x: Array, number: int) -> Array:
            """Return the map after layer `number`, of pictures as large."""
            return self.from_image(x, number + 1, widths[number])

        def finished(x: Array, number: int) -> Array:
            x = dropout(x, self.dropout, rng, number)
            return SelfAttention(*options)(x) if self.attends(x) else x

        first, images = self.halvings, x  # the layer that takes pictures of this phase
        if self.growth and self.is_initializing():
            for number in range(self.growth.halvings):
                entered(images, number)
        if first:
            x = finished(entered(images, first - 1), first - 1)
        for number in range(first, len(widths)):
            x = Conv4x4(widths[number], *options, name=f"Conv4x4_{number}")(x)
            if number > 0:
                x = self.normalised(x, train, number - 1)
            x = nn.leaky_relu(x, 0.2)
            if number == first and fade is not None:
                x = blended(entered(half(images), number), x, fade)
            x = finished(x, number)
        return self.logits(x, condition)
