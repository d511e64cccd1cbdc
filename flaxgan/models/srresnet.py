"""The residual network of SRGAN (Ledig et al. 2017, arXiv:1609.04802) without batch norm, as ESRGAN
and BasicSR have it (Wang et al. 2018, arXiv:1809.00219).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.plain import named
from flaxgan.models.layers import Conv
from flaxgan.models.translator import Translator, pixel_shuffle
from flaxgan.rng import Rng

INIT = nn.initializers.variance_scaling(0.02, "fan_in", "normal")  # He et al. 2015 times 0.1


class Generator(Translator):
    """Enlarge pictures (N, H, W, C) to (N, scale * H, scale * W, channels).

    What it learns is added to the bilinearly enlarged picture; the sum may leave [-1, 1].
    """

    scale: int = 4  # 2, 3, 4 or 8
    blocks: int = 16

    @nn.compact
    def __call__(
        self, x: Array, condition: None = None, *, train: bool = False, rng: Rng | None = None
    ) -> Array:
        def conv(width: int, y: Array) -> Array:
            return Conv(width, self.dtype, kernel_init=INIT)(y)

        y = nn.leaky_relu(conv(self.features, x), 0.1)
        for _ in range(self.blocks):
            y = y + conv(self.features, nn.relu(conv(self.features, y)))
        steps = [3] if self.scale == 3 else [2] * (self.scale.bit_length() - 1)
        for step in steps:
            y = nn.leaky_relu(pixel_shuffle(conv(step**2 * self.features, y), step), 0.1)
        y = nn.leaky_relu(conv(self.features, y), 0.1)
        y = conv(self.channels, y).astype(jnp.float32)
        return y + enlarged(x, self.scale)


@named
def enlarged(x: Array, scale: int) -> Array:
    """Enlarge pictures bilinearly: (N, H, W, C) -> (N, scale * H, scale * W, C)."""
    n, h, w, channels = x.shape
    return jax.image.resize(x, (n, scale * h, scale * w, channels), "bilinear")
