"""Maps of a published network, by which a loss compares pictures (Johnson et al. 2016,
arXiv:1603.08155): EfficientNet-Lite0's, at the pictures' own size.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from flaxgan.pretrained import efficientnet

STAGES = (0, 1, 2)  # of the network: a half, a quarter and an eighth of the picture's sides
EPSILON = 1e-6


def maps(variables: Any, images: Array) -> list[Array]:
    """Return the network's maps of pictures (N, H, W, 1 or 3) in [-1, 1]: (N, h, w, C) each."""
    rgb = jnp.broadcast_to(images, (*images.shape[:3], 3)).astype(jnp.float32)
    pixels = (rgb * 127.5 + 127.5 - 127) / 128  # as the network was trained
    _, found = efficientnet.EfficientNetLite0().apply(variables, pixels, mutable=["features"])
    return [found["features"]["maps"][stage] for stage in STAGES]


def distance(made: Sequence[Array], wanted: Sequence[Array]) -> Array:
    """Return the mean squared difference of channels of unit length (Zhang et al. 2018, eq. 1).

    Their learnt weights are left out. Summed over channels, averaged over places and maps.
    """
    differences = [
        jnp.square(_unit(a) - _unit(b)).sum(-1).mean() for a, b in zip(made, wanted, strict=True)
    ]
    return jnp.stack(differences).mean()


def _unit(x: Array) -> Array:
    return x * lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + EPSILON)
