"""The residual translator of Johnson et al. 2016 (arXiv:1603.08155) as CycleGAN has it."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv3x3_down, conv3x3_up, conv_reflected
from flaxgan.models.layers import Conv
from flaxgan.models.translator import ResidualBlock, Translator, instance_norm
from flaxgan.rng import Rng

HALVINGS = 2


class Generator(Translator):
    """Two halvings, residual blocks, two doublings (Zhu et al. 2017, arXiv:1703.10593, 7.1).

    H and W are multiples of 4.
    """

    blocks: int = 9

    @nn.compact
    def __call__(
        self, x: Array, labels: None = None, *, train: bool = False, rng: Rng | None = None
    ) -> Array:
        self.sow("features", "maps", x)
        x = Conv(self.features, self.dtype, size=7, convolution=conv_reflected)(x)
        for stage in range(1, HALVINGS + 1):
            x = nn.relu(instance_norm(x))
            x = Conv(self.features * 2**stage, self.dtype, convolution=conv3x3_down)(x)
            self.sow("features", "maps", x)
        x = nn.relu(instance_norm(x))
        for block in range(self.blocks):
            x = ResidualBlock(self.dtype)(x)
            if block in (0, self.blocks // 2):
                self.sow("features", "maps", x)
        for stage in reversed(range(HALVINGS)):
            x = Conv(self.features * 2**stage, self.dtype, convolution=conv3x3_up)(x)
            x = nn.relu(instance_norm(x))
        x = Conv(self.channels, self.dtype, size=7, convolution=conv_reflected)(x)
        return nn.tanh(x.astype(jnp.float32))
