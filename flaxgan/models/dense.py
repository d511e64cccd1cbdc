"""A dense layer and up-sampling with convolutions against a convolutional discriminator with
dropout.

The networks that Fashion-MNIST is often begun with, for any size; no batch norm in the generator.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.resampled import conv_down, conv_up
from flaxgan.models.attention import SelfAttention
from flaxgan.models.layers import Conv, Dense, dropout
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng

INIT = nn.initializers.glorot_uniform()


class Generator(GeneratorNetwork):
    @nn.compact
    def __call__(self, z: Array, condition: Array | None = None, *, train: bool) -> Array:
        height, width = base_size(self.image_size)
        widest = 2 * self.features
        x = Dense(height * width * widest, self.dtype, kernel_init=INIT)(
            self.with_class(z, condition)
        )
        x = nn.leaky_relu(x.reshape(-1, height, width, widest), 0.2)
        for _ in stage_widths(self.image_size, self.features):
            x = nn.leaky_relu(
                Conv(widest, self.dtype, kernel_init=INIT, size=5, convolution=conv_up)(x), 0.2
            )
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
        x = nn.leaky_relu(Conv(widest, self.dtype, kernel_init=INIT)(x), 0.2)
        return nn.tanh(Conv(self.channels, self.dtype, kernel_init=INIT)(x).astype(jnp.float32))


class Discriminator(DiscriminatorNetwork):
    @nn.compact
    def __call__(
        self, x: Array, condition: Array | None = None, *, train: bool, rng: Rng | None = None
    ) -> Array:
        options = (self.dtype, self.spectral_norm)
        for number, features in enumerate(stage_widths(self.image_size, self.features)):
            x = Conv(features, *options, INIT, size=5, convolution=conv_down)(x)
            if number > 0:
                x = self.normalised(x, train)
            x = dropout(nn.leaky_relu(x, 0.2), self.dropout, rng, number)
            if self.attends(x):
                x = SelfAttention(*options)(x)
        return self.logits(x, condition, INIT)
