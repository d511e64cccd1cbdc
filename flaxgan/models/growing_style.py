"""The networks of style.py in phases, from small pictures to full size (growth.py).

The weights are the plain networks', by the same names: what each resolution adds to the pictures
makes those of the phases, and the discriminator has 1x1 convolutions from these.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
from jax import Array

from flaxgan.models import style
from flaxgan.models.growth import Growth, blended, enlarged
from flaxgan.models.layers import half, twice
from flaxgan.models.sizes import stage_widths
from flaxgan.rng import Rng, RowRng

generator_fields = style.generator_fields


class Synthesis(style.Synthesis):
    """See style.Synthesis. Returns pictures of the size of its phase."""

    growth: Growth | None = None
    halvings: int = 0  # of the full size, to that of the phase that it is in

    @nn.compact
    def __call__(
        self,
        styles: Sequence[Array],
        noise: Sequence[Array] | None = None,
        fade: Array | None = None,
    ) -> Array:
        doublings = len(stage_widths(self.image_size, self.features)) - self.halvings
        images = [nn.tanh(x) for x in self.sums(styles, noise, doublings)]
        return images[-1] if fade is None else blended(twice(images[-2]), images[-1], fade)


class Generator(style.Generator):
    """See style.Generator. Pictures of an earlier phase are enlarged to full size, but in
    training.
    """

    growth: Growth | None = None
    halvings: int = 0

    new_synthesis = Synthesis
    handed = ("adain", "growth", "halvings")

    @property
    def sides(self) -> list[int]:
        """Return the shorter side of the map that each style of the phase shapes first."""
        sides = style.style_sides(self.image_size)
        side = min(self.image_size) >> self.halvings  # the last colours the phase's pictures
        return [*sides[: len(sides) - 2 * self.halvings - 1], side]

    def synthesis(
        self, ws: Array, noise: Sequence[Array] | None = None, fade: Array | None = None
    ) -> Array:
        """See style.Generator.synthesis. Pictures are enlarged to full size."""
        styles = [ws[:, i] for i in range(self.num_styles)]
        network: Any = self.synthesis_network
        return enlarged(network(styles, noise, fade), self.halvings)

    def __call__(
        self,
        z: Array,
        condition: Array | None = None,
        *,
        train: bool,
        rng: RowRng | None = None,
        fade: Array | None = None,
    ) -> Array:
        styles = self.styles(z, condition, train, rng)
        maps = None if rng is None else self.noise_maps(rng)
        network: Any = self.synthesis_network
        images: Array = network(styles, maps, fade)
        return images if train else enlarged(images, self.halvings)


class Discriminator(style.Discriminator):
    """See DiscriminatorNetwork. It takes pictures of the size of its phase."""

    growth: Growth | None = None
    halvings: int = 0

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
        def entered(images: Array, number: int) -> Array:
            name = f"from_image_{min(self.image_size) >> number}"
            return self.entered(images, number, *([name] if number else []))

        first, images = self.halvings, x
        if self.growth and self.is_initializing():
            for number in range(1, self.growth.halvings + 1):
                entered(images, number)
        x = entered(images, first)
        for number in range(first, len(self.widths) - 1):
            x = self.block(x, number, rng)
            if number == first and fade is not None:
                x = blended(entered(half(images), number + 1), x, fade)
        return self.judged(x, condition)
