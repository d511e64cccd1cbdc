"""Maps of a published network, by which a loss compares pictures at their own size (Johnson et al.
2016, arXiv:1603.08155): a line in NETWORKS for each network.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from flaxgan.pretrained import efficientnet, hed, nsfw, vgg

EPSILON = 1e-6


class Maps(NamedTuple):
    """How a network's variables are loaded (from a file, if one is named), and used."""

    load: Callable[[Path | None], Any]  # raises UserError
    apply: Callable[[Any, Array], list[Array]]  # of RGB float32 (N, H, W, 3) in 0..255
    widths: tuple[int, ...]  # channels of each map


NETWORKS = {
    "efficientnet_lite0": Maps(efficientnet.load, efficientnet.maps, efficientnet.WIDTHS),
    "hed": Maps(hed.load, hed.maps, vgg.WIDTHS[:4]),
    "vgg19": Maps(vgg.load, vgg.maps, vgg.WIDTHS[:4]),
    "nsfw_resnet50": Maps(nsfw.load, nsfw.maps, nsfw.WIDTHS),
}


def maps(apply: Callable[[Array], list[Array]], images: Array) -> list[Array]:
    """Return a network's maps of pictures (N, H, W, 1 or 3) in [-1, 1]: (N, h, w, C) each."""
    rgb = jnp.broadcast_to(images, (*images.shape[:3], 3)).astype(jnp.float32)
    return apply(rgb * 127.5 + 127.5)


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
