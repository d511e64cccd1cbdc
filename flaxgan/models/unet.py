"""The U-Net of pix2pix (Isola et al. 2017, arXiv:1611.07004, 6.1.1), for any size that halves."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions import conv4x4, conv4x4_transpose
from flaxgan.models.layers import Conv, dropout
from flaxgan.models.translator import Translator, instance_norm
from flaxgan.rng import Rng

MOST_HALVINGS = 8
MOST_WIDENING = 8  # a map is at most this many times --features wide
PLAIN_HALVINGS = 4  # of the widest maps inside these, decoding has dropout


def halvings(image_size: tuple[int, int]) -> int:
    """Return how often a picture is halved: as often as both sides are even, 8 times at most."""
    height, width = image_size
    count = 0
    while height % 2 == width % 2 == 0 and count < MOST_HALVINGS:
        height, width, count = height // 2, width // 2, count + 1
    return count


class Generator(Translator):
    """Halve down to the smallest map and double back, beside the map of that size from before.

    Instance norm instead of batch norm, which equal each other in the paper's batches of one. H and
    W are multiples of 2**depth.
    """

    depth: int = 8
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self, x: Array, condition: None = None, *, train: bool = False, rng: Rng | None = None
    ) -> Array:
        maps = []
        for stage in range(self.depth):
            width = self.features * min(2**stage, MOST_WIDENING)
            x = Conv(width, self.dtype, size=4, convolution=conv4x4)(x)
            if 0 < stage < self.depth - 1:
                x = instance_norm(x)
            self.sow("features", "maps", x)
            maps.append(x)
            x = nn.leaky_relu(x, 0.2)
        x = maps.pop()
        for stage in reversed(range(self.depth - 1)):
            width = self.features * min(2**stage, MOST_WIDENING)
            x = Conv(width, self.dtype, size=4, convolution=conv4x4_transpose)(nn.relu(x))
            x = instance_norm(x)
            if PLAIN_HALVINGS <= stage + 1 < self.depth - 1:
                x = dropout(x, self.dropout, rng, stage)
            x = jnp.concatenate([maps.pop(), x], -1)
        x = Conv(self.channels, self.dtype, size=4, convolution=conv4x4_transpose)(nn.relu(x))
        return nn.tanh(x.astype(jnp.float32))
