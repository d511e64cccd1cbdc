"""The residual translator of Johnson et al. 2016 (arXiv:1603.08155) as CycleGAN has it."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv3x3_down, conv3x3_up, conv_reflected, conv_stride1
from flaxgan.models.layers import Conv
from flaxgan.models.translator import ResidualBlock, Translator, doubled, halved, instance_norm
from flaxgan.rng import Rng

HALVINGS = 2


class Generator(Translator):
    """Two halvings, residual blocks, two doublings (Zhu et al. 2017, arXiv:1703.10593, 7.1).

    H and W are multiples of 4. With `antialias` sizes change by blurring, which leaves no
    checkerboards, between convolutions of stride 1, as in Park et al. 2020 (arXiv:2007.15651).
    """

    blocks: int = 9
    antialias: bool = False

    @nn.compact
    def __call__(
        self, x: Array, condition: None = None, *, train: bool = False, rng: Rng | None = None
    ) -> Array:
        self.sow("features", "maps", x)
        down, up = (conv_stride1,) * 2 if self.antialias else (conv3x3_down, conv3x3_up)
        x = Conv(self.features, self.dtype, size=7, convolution=conv_reflected)(x)
        for stage in range(1, HALVINGS + 1):
            x = nn.relu(instance_norm(x))
            x = halved(x) if self.antialias and stage > 1 else x
            x = Conv(self.features * 2**stage, self.dtype, convolution=down)(x)
            self.sow("features", "maps", x)
        x = nn.relu(instance_norm(x))
        x = halved(x) if self.antialias else x
        for block in range(self.blocks):
            x = ResidualBlock(self.dtype)(x)
            if block in (0, self.blocks // 2):
                self.sow("features", "maps", x)
        for stage in reversed(range(HALVINGS)):
            x = doubled(x) if self.antialias else x
            x = Conv(self.features * 2**stage, self.dtype, convolution=up)(x)
            x = nn.relu(instance_norm(x))
        x = Conv(self.channels, self.dtype, size=7, convolution=conv_reflected)(x)
        return nn.tanh(x.astype(jnp.float32))
