"""PatchNCE: a place of a result is to be told from other places by the same place of its source
(Park et al. 2020, arXiv:2007.15651, section 3).
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.models.layers import DCGAN_INIT

WIDTH = 256
EPSILON = 1e-7


class Projector(nn.Module):
    """Map features of some places, one array (N, P, C) a layer, to unit vectors (N, P, 256)."""

    axis: str | None = None

    @nn.compact
    def __call__(
        self, maps: Sequence[Array], condition: None = None, *, train: bool = False
    ) -> list[Array]:
        projected = []
        for number, x in enumerate(maps):
            for layer in range(2):
                x = nn.relu(x) if layer else x
                x = nn.Dense(WIDTH, kernel_init=DCGAN_INIT, name=f"layer_{number}_{layer}")(x)
            # of a flat picture they are 0, where the gradient of a norm is no number
            length = jnp.sqrt(jnp.square(x).sum(-1, keepdims=True) + EPSILON**2)
            projected.append(x / length)
        return projected


def places(maps: Sequence[Array], count: int, key: Array) -> list[Array]:
    """Draw places of each map (N, H, W, C), the same in all pictures: int32 (P,), P <= count."""
    sizes = [x.shape[1] * x.shape[2] for x in maps]
    keys = jax.random.split(key, len(sizes))
    return [jax.random.permutation(k, n)[:count] for k, n in zip(keys, sizes, strict=True)]


def features_at(maps: Sequence[Array], chosen: Sequence[Array]) -> list[Array]:
    """Return the features of the chosen places of each map, float32 (N, P, C)."""
    return [
        x.reshape(len(x), -1, x.shape[-1])[:, rows].astype(jnp.float32)
        for x, rows in zip(maps, chosen, strict=True)
    ]


def patch_nce(queries: Sequence[Array], keys: Sequence[Array], temperature: float) -> Array:
    """Return the cross-entropy of finding each query's own key among those of its picture.

    Both are unit vectors (N, P, 256), an array a layer; the mean over layers and places (equation
    3). Nothing is learnt through the keys.
    """
    losses = []
    for query, key in zip(queries, keys, strict=True):
        scores = jnp.einsum("npc,nqc->npq", query, jax.lax.stop_gradient(key)) / temperature
        own = jnp.diagonal(scores, axis1=1, axis2=2)
        losses.append((jax.nn.logsumexp(scores, axis=2) - own).mean())
    return jnp.stack(losses).mean()
