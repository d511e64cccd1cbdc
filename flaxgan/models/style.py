"""The networks of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), for any size that halves evenly
a few times.

A mapping network turns z into w, and w says how each convolution of the synthesis network scales
its inputs: its style. Pictures are the sum of what each resolution adds to them (skip connections);
the discriminator is residual. Doubled pixels and means of 2x2 merge with the kernels, in place of
the paper's wider blur.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_up
from flaxgan.models.attention import SelfAttention
from flaxgan.models.batch_norm import MOMENTUM
from flaxgan.models.layers import dropout
from flaxgan.models.network import DiscriminatorNetwork, GeneratorNetwork
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.models.style_layers import (
    EqualisedConv,
    EqualisedDense,
    Mapping,
    ModulatedConv,
    ResidualBlock,
    activated,
    widest,
    with_deviation,
)
from flaxgan.models.translator import doubled
from flaxgan.rng import Rng, RowRng, average


def style_sides(image_size: tuple[int, int]) -> list[int]:
    """Return the shorter side of the map that each style shapes first.

    There is one for each convolution, and one for the last step to colours: of (16, 16) they are
    [4, 8, 8, 16, 16, 16].
    """
    base, doublings = min(base_size(image_size)), len(stage_widths(image_size, 1))
    return [base, *(base * 2**i for i in range(1, doublings + 1) for _ in (0, 1)), min(image_size)]


def generator_fields(options: Any) -> dict[str, Any]:
    """Return the fields of a Generator that the options of a run decide."""
    return {
        "layers": options.mapping_layers or 8,
        "mixing": options.mixing_share,
        "adain": bool(options.adain),
    }


class Synthesis(GeneratorNetwork):
    """Styles, one (N, D) for each of style_sides -> images (N, H, W, C) in (-1, 1), float32.

    `noise` has a map (N, h, w, 1) for each convolution.
    """

    adain: bool = False

    @nn.compact
    def __call__(self, styles: Sequence[Array], noise: Sequence[Array] | None = None) -> Array:
        doublings = len(stage_widths(self.image_size, self.features))
        return nn.tanh(self.sums(styles, noise, doublings)[-1])

    def sums(
        self, styles: Sequence[Array], noise: Sequence[Array] | None, doublings: int
    ) -> list[Array]:
        """Return the pictures before tanh at each resolution, the smallest first.

        There are `doublings` more than one; each has what all up to it add.
        """
        height, width = base_size(self.image_size)
        widths = stage_widths(self.image_size, self.features)
        maps = [None] * len(styles) if noise is None else noise

        def conv(x: Array, features: int, number: int, up: bool = False) -> Array:
            layer = ModulatedConv(
                features,
                self.dtype,
                convolution=conv_up if up else conv_stride1,
                adain=self.adain,
                name=f"conv_{number}",
            )
            return activated(layer(x, styles[number], maps[number]))

        def colours(x: Array, number: int) -> Array:
            layer = ModulatedConv(
                self.channels, self.dtype, size=1, demodulated=False, name=f"colours_{number}"
            )
            return layer(x, styles[number]).astype(jnp.float32)

        x = self.param("constant", nn.initializers.normal(1.0), (1, height, width, widths[-1]))
        x = conv(x, widths[-1], 0)
        images, number = [colours(x, 1)], 1
        for features in widths[::-1][:doublings]:
            x = conv(x, features, number, up=True)
            x = conv(x, features, number + 1)
            if self.attends(x):
                x = SelfAttention(self.dtype)(x)
            number += 2
            images.append(doubled(images[-1]) + colours(x, number))
        return images


class Generator(GeneratorNetwork):
    """See GeneratorNetwork. With an `rng` of rows, noise is added to each map, and in training
    styles are mixed; without, the picture of a z is always the same.
    """

    layers: int = 8  # of the mapping network
    adain: bool = False  # maps are normalised, not weights demodulated
    mixing: float = 0.9  # share of pictures in training whose finer styles are those of another z
    truncation: float = 1.0  # w come so much nearer to their mean, but in training

    takes_noise = True
    new_synthesis: ClassVar[type[Synthesis]] = Synthesis
    handed: ClassVar[tuple[str, ...]] = ("adain",)  # fields that it is told

    def setup(self) -> None:
        names = {field.name for field in dataclasses.fields(GeneratorNetwork)} - {"parent", "name"}
        shared = {name: getattr(self, name) for name in names}
        self.mapping_network = Mapping(**shared, layers=self.layers)
        handed = {name: getattr(self, name) for name in self.handed}
        self.synthesis_network = self.new_synthesis(**shared, **handed)
        self.w_mean = self.variable("batch_stats", "w_mean", jnp.zeros, (widest(self),))

    @property
    def sides(self) -> list[int]:
        """Return the shorter side of the map that each style shapes first."""
        return style_sides(self.image_size)

    @property
    def num_styles(self) -> int:
        """Return how many styles a picture has."""
        return len(self.sides)

    def mapping(self, z: Array, condition: Array | None = None) -> Array:
        """Return w, float32 (N, D), for z (N, latent_dim) and a condition, if there is one."""
        return self.mapping_network(z, condition)

    def truncated(self, w: Array) -> Array:
        """Return w (..., D) nearer to their running mean, as `truncation` says."""
        if self.truncation == 1:
            return w
        mean = self.w_mean.value.reshape(*[1] * (w.ndim - 1), -1)
        return mean + self.truncation * (w - mean)

    def synthesis(self, ws: Array, noise: Sequence[Array] | None = None) -> Array:
        """Return the images (N, H, W, C) of w for each style, (N, num_styles, D), as they are.

        `noise`: maps as noise_maps returns them, or None.
        """
        return self.synthesis_network([ws[:, i] for i in range(self.num_styles)], noise)

    def noise_maps(self, rng: RowRng) -> list[Array]:
        """Draw the noise of all convolutions: N(0, 1), (N, h, w, 1) each."""
        sides, shorter = self.sides[:-1], min(self.image_size)
        shapes = [tuple(s * side // shorter for s in self.image_size) for side in sides]
        ends = [*itertools.accumulate(map(math.prod, shapes))]
        drawn = rng.normal((ends[-1],))  # all at once: a draw each would take long to compile
        maps = jnp.split(drawn, ends[:-1], 1)
        return [x.reshape(-1, *shape, 1) for x, shape in zip(maps, shapes, strict=True)]

    def __call__(
        self, z: Array, condition: Array | None = None, *, train: bool, rng: RowRng | None = None
    ) -> Array:
        styles = self.styles(z, condition, train, rng)
        return self.synthesis_network(styles, None if rng is None else self.noise_maps(rng))

    def styles(
        self, z: Array, condition: Array | None, train: bool, rng: RowRng | None
    ) -> list[Array]:
        """Return the styles (N, D) of pictures: in training mixed, else truncated."""
        w = self.mapping(z, condition)
        if not train:
            return [self.truncated(w)] * self.num_styles
        if not self.is_initializing():
            mean = average(w.mean(0), self.axis)
            self.w_mean.value = MOMENTUM * self.w_mean.value + (1 - MOMENTUM) * mean
        if rng is not None and self.mixing:
            return self._mixed(w, condition, rng.fold(1))
        return [w] * self.num_styles

    def _mixed(self, w: Array, condition: Array | None, rng: RowRng) -> list[Array]:
        """Return the styles w of pictures, of some from a random one on those of another z."""
        other = self.mapping(rng.fold(0).normal((self.latent_dim,)), condition)
        mixes, first = jnp.split(rng.fold(1).uniform((2,)), 2, 1)
        mixes, first = mixes < self.mixing, 1 + jnp.floor(first * (self.num_styles - 1))
        return [jnp.where(mixes & (first <= i), other, w) for i in range(self.num_styles)]


class Discriminator(DiscriminatorNetwork):
    @nn.compact
    def __call__(
        self, x: Array, condition: Array | None = None, *, train: bool, rng: Rng | None = None
    ) -> Array:
        x = self.entered(x, 0)
        for number in range(len(self.widths) - 1):
            x = self.block(x, number, rng)
        return self.judged(x, condition)

    @property
    def widths(self) -> list[int]:
        """Return the channels of the maps before each block, and after the last."""
        widths = stage_widths(self.image_size, self.features)
        return [*widths, widths[-1]]

    def entered(self, images: Array, number: int, name: str = "EqualisedConv_0") -> Array:
        """Return the map that block `number` takes, of images as large."""
        options = (self.dtype, self.spectral_norm)
        return activated(EqualisedConv(self.widths[number], *options, size=1, name=name)(images))

    def block(self, x: Array, number: int, rng: Rng | None) -> Array:
        """Return what block `number` makes of its map: of half its height and width."""
        options = (self.dtype, self.spectral_norm)
        x = ResidualBlock(self.widths[number + 1], options, name=f"ResidualBlock_{number}")(x)
        x = dropout(x, self.dropout, rng, number)
        return SelfAttention(*options)(x) if self.attends(x) else x

    def judged(self, x: Array, condition: Array | None) -> Array:
        """Return the logits of what the last block made."""
        options, width = (self.dtype, self.spectral_norm), self.widths[-1]
        x = with_deviation(x, self.groups, self.axis)
        x = activated(EqualisedConv(width, *options, name="EqualisedConv_1")(x))
        x = activated(EqualisedDense(width, *options)(x.reshape(len(x), -1)))
        # equalised, as the other layers are
        scale = 1 if self.spectral_norm else 1 / math.sqrt(width)
        last = (x.astype(jnp.float32) * scale)[:, None, None]
        return self.logits(last, condition, nn.initializers.normal(1.0))
