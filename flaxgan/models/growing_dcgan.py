"""The DCGAN of dcgan.py in phases, from small pictures to full size (growth.py).

The weights of the last phase are the plain networks', by the same names; the phases before it use
the inner ones, with 1x1 convolutions to and from their pictures.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.models.attention import SelfAttention
from flaxgan.models.batch_norm import BatchNorm
from flaxgan.models.growth import Growth, blended, enlarged
from flaxgan.models.layers import (
    Conv,
    Conv4x4,
    ConvTranspose4x4,
    Dense,
    dropout,
    half,
    twice,
)
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng


class Generator(GeneratorNetwork):
    """See GeneratorNetwork. Pictures of an earlier phase are enlarged to full size, but in
    training.
    """

    growth: Growth | None = None
    halvings: int = 0  # of the full size, to that of the phase that it is in

    @nn.compact
    def __call__(
        self, z: Array, condition: Array | None = None, *, train: bool, fade: Array | None = None
    ) -> Array:
        height, width = base_size(self.image_size)
        *widths, base_width = stage_widths(self.image_size, self.features)

        x = Dense(height * width * base_width, self.dtype)(self.with_text(z, condition))
        x = x.reshape(-1, height, width, base_width)
        x = nn.relu(self.normalised(x, z, condition, train))
        maps = {len(widths) + 1: x}  # by how often the full size is halved to theirs
        for halvings in range(len(widths), max(0, self.halvings - 1), -1):
            x = ConvTranspose4x4(widths[halvings - 1], self.dtype)(x)
            x = nn.relu(self.normalised(x, z, condition, train))
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
            maps[halvings] = x

        def images(halvings: int) -> Array:
            if halvings:
                name = f"to_image_{min(self.image_size) >> halvings}"
                colours = Conv(self.channels, self.dtype, size=1, name=name)(maps[halvings])
            else:
                colours = ConvTranspose4x4(self.channels, self.dtype)(x)
            return nn.tanh(colours.astype(jnp.float32))

        if self.growth and self.is_initializing():
            for halvings in range(1, self.growth.halvings + 1):
                images(halvings)
        pictures = images(self.halvings)
        if fade is not None:
            pictures = blended(twice(images(self.halvings + 1)), pictures, fade)
        return pictures if train else enlarged(pictures, self.halvings)


class Discriminator(DiscriminatorNetwork):
    """See DiscriminatorNetwork. It takes pictures of the size of its phase."""

    growth: Growth | None = None
    halvings: int = 0  # of the full size, to that of the phase that it is in

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
            name = f"from_image_{min(self.image_size) >> number + 1}"
            init = nn.initializers.lecun_normal()  # of few channels: as large as normalised maps
            return nn.leaky_relu(Conv(widths[number], *options, init, size=1, name=name)(x), 0.2)

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
            x = Conv4x4(widths[number], *options, biased=self.biased, name=f"Conv4x4_{number}")(x)
            if number > 0:
                x = self._normalised(x, train, number - 1)
            x = nn.leaky_relu(x, 0.2)
            if number == first and fade is not None:
                x = blended(entered(half(images), number), x, fade)
            x = finished(x, number)
        return self.logits(x, condition)

    def _normalised(self, x: Array, train: bool, number: int) -> Array:
        """Normalise as `norm` says, by the layer of this number, whether those before are used."""
        if self.norm == "batch":
            name = f"BatchNorm_{number}"
            return BatchNorm(train, self.dtype, self.axis, self.groups, name=name)(x)
        layer = nn.GroupNorm(num_groups=1, dtype=self.dtype, name=f"GroupNorm_{number}")
        return layer(x) if self.norm == "layer" else x
