"""A discriminator of the feature maps of a published network, which is only applied (Sauer et al.
2021, arXiv:2111.01007).
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from flaxgan.models.batch_norm import BatchNorm
from flaxgan.models.layers import Conv, Dense

WIDTH = 64
EPSILON = 1e-6


class FeatureHeads(nn.Module):
    """Feature maps (N, h, w, C) -> logits float32 (N, h, w), higher for real: a head for each map.

    The channels of a place, scaled to a mean square of 1, are mixed by weights that are drawn once
    and never learnt, so that no head can look at a few of them alone.
    """

    network: str  # whose maps they are
    dtype: DTypeLike = jnp.float32
    axis: str | None = None  # of pmap, whose devices share batch statistics
    groups: int = 1  # of pictures, which take turns in the batch, each with its own statistics

    @nn.compact
    def __call__(
        self, maps: Sequence[Array], condition: None = None, *, train: bool
    ) -> list[Array]:
        logits: list[Array] = []
        for number, x in enumerate(maps):
            x = x.astype(jnp.float32)
            x = x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + EPSILON)
            x = x.astype(self.dtype) @ self._mix(x.shape[-1], number).astype(self.dtype)
            x = Conv(WIDTH, self.dtype)(x)
            x = BatchNorm(train, self.dtype, self.axis, self.groups)(x)
            x = nn.leaky_relu(x, 0.2).astype(jnp.float32)
            logits.append(Dense(1, jnp.float32)(x)[..., 0])
        return logits

    def _mix(self, channels: int, number: int) -> Array:
        def drawn() -> Array:
            values = jax.random.normal(self.make_rng("params"), (channels, WIDTH))
            return values * (2 / channels) ** 0.5

        return self.variable("batch_stats", f"mix_{number}", drawn).value
