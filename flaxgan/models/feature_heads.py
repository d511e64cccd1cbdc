"""A discriminator of the maps of a published network, which is only applied (Sauer et al. 2021,
arXiv:2111.01007).
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.models.batch_norm import BatchNorm
from flaxgan.models.layers import Conv, Dense

WIDTH = 64


class FeatureHeads(nn.Module):
    """Maps (N, h, w, C) -> logits float32 (N, h, w), higher for real: a head for each map.

    Channels are first mixed by weights that are drawn once and never learnt, so that no head can
    look at a few of them alone.
    """

    dtype: DTypeLike = jnp.float32
    axis: str | None = None  # of pmap, whose devices share batch statistics
    groups: int = 1  # of pictures, which take turns in the batch, each with its own statistics

    @nn.compact
    def __call__(
        self, maps: Sequence[Array], condition: None = None, *, train: bool
    ) -> list[Array]:
        norm = (train, self.dtype, self.axis, self.groups)
        found: list[Array] = []
        for x in maps:
            x = x.astype(self.dtype) @ self._mix(x.shape[-1], len(found)).astype(self.dtype)
            x = BatchNorm(*norm, affine=False)(x)
            x = BatchNorm(*norm)(Conv(WIDTH, self.dtype)(x))
            x = nn.leaky_relu(x, 0.2).astype(jnp.float32)
            found.append(Dense(1, jnp.float32)(x)[..., 0])
        return found

    def _mix(self, channels: int, number: int) -> Array:
        def drawn() -> Array:
            values = jax.random.normal(self.make_rng("params"), (channels, WIDTH))
            return values * (2 / channels) ** 0.5

        return self.variable("batch_stats", f"mix_{number}", drawn).value
