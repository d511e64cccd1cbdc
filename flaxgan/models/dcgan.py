"""The DCGAN of Radford, Metz & Chintala 2015 (arXiv:1511.06434), for any size that halves evenly a
few times.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.models.attention import SelfAttention
from flaxgan.models.layers import Conv4x4, ConvTranspose4x4, Dense, dropout
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng


class Generator(GeneratorNetwork):
    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None, *, train: bool) -> Array:
        height, width = base_size(self.image_size)
        *widths, base_width = stage_widths(self.image_size, self.features)

        x = Dense(height * width * base_width, self.dtype)(self.with_text(z, condition))
        x = x.reshape(-1, height, width, base_width)
        x = nn.relu(self.normalised(x, z, condition, train))
        for features in reversed(widths):
            x = ConvTranspose4x4(features, self.dtype)(x)
            x = nn.relu(self.normalised(x, z, condition, train))
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
        x = ConvTranspose4x4(self.channels, self.dtype)(x)
        return nn.tanh(x.astype(jnp.float32))


class Discriminator(DiscriminatorNetwork):
    @nn.compact
    def __call__(
        self, x: Array, condition: Array | None = None, *, train: bool, rng: Rng | None = None
    ) -> Array:
        options = (self.dtype, self.spectral_norm)
        for number, features in enumerate(stage_widths(self.image_size, self.features)):
            x = Conv4x4(features, *options, biased=self.biased)(x)
            if number > 0:
                x = self.normalised(x, train)
            x = dropout(nn.leaky_relu(x, 0.2), self.dropout, rng, number)
            if self.attends(x):
                x = SelfAttention(*options)(x)
        return self.logits(x, condition)
