"""The PatchGAN discriminator (Isola et al. 2017, arXiv:1611.07004, 6.1.2)."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.convolutions import conv4x4, conv_stride1
from flaxgan.models.layers import Conv
from flaxgan.models.translator import instance_norm
from flaxgan.rng import Rng

HALVINGS = {16: 1, 34: 2, 70: 3}  # by the side of the patch that a logit sees
MOST_WIDENING = 8


class Discriminator(nn.Module):
    """Pictures (N, H, W, C) in [-1, 1] -> a logit for each patch, float32 (N, h, w).

    H and W are even; a logit is higher for a real patch.
    """

    patch: int = 70  # side of the patch that a logit sees: 16, 34 or 70 pixels
    features: int = 64
    dtype: DTypeLike = jnp.float32
    spectral_norm: bool = False
    axis: str | None = None

    @nn.compact
    def __call__(
        self, x: Array, condition: None = None, *, train: bool = False, rng: Rng | None = None
    ) -> Array:
        options = (self.dtype, self.spectral_norm)
        same = functools.partial(conv_stride1, padding=1)
        halvings = HALVINGS[self.patch]
        for stage in range(halvings + 1):
            width = self.features * min(2**stage, MOST_WIDENING)
            x = Conv(width, *options, size=4, convolution=conv4x4 if stage < halvings else same)(x)
            x = nn.leaky_relu(x if stage == 0 or self.spectral_norm else instance_norm(x), 0.2)
        return Conv(1, *options, size=4, convolution=same)(x).astype(jnp.float32)[..., 0]
