"""InceptionV3 features, with which Frechet inception distance and inception score are measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict
from jax import Array

from flaxgan.pretrained.inception_v3 import PRECISION, InceptionV3
from flaxgan.pretrained.weights import fold, published_weights, read_weights

NAME = "inception"
URL = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
RESIZE = (
    "bilinear to 299x299 as in TensorFlow 1 (corners not aligned, no half-pixel centres, no"
    " antialiasing)"
)
FRECHET = "fid"
DIM = 2048
SIDE = 299


def convert(tensors: Mapping[str, np.ndarray]) -> Any:
    """Convert the published state_dict to variables of InceptionV3 and `logits`.

    Each batch norm is folded into its convolution, in float64. Raises KeyError if a tensor is
    missing.
    """
    params: dict[tuple[str, ...], np.ndarray] = {("fc", "kernel"): tensors["fc.weight"].T}
    for name in (
        name.removesuffix(".conv.weight") for name in tensors if name.endswith(".conv.weight")
    ):
        for part, value in fold(tensors, f"{name}.conv", f"{name}.bn").items():
            params[*name.split("."), part] = value
    return {
        "params": unflatten_dict(
            {path: jnp.asarray(value, jnp.float32) for path, value in params.items()}
        )
    }


def load(path: Path | None = None) -> Any:
    """Load the published weights from a file, or else from the cache, or else from the network.

    Raises UserError if there is no network, or the file is not the published one.
    """
    return convert(
        read_weights(path or published_weights(URL, SHA256, "--inception-weights"), SHA256)
    )


def _shares(size: int) -> np.ndarray:
    """Return how much of each of `size` pixels goes into pixel i of SIDE: float32 (SIDE, size)."""
    positions = np.arange(SIDE, dtype=np.float32) * np.float32(size / SIDE)
    lower = positions.astype(np.int32)
    upper = np.minimum(lower + 1, size - 1)
    shares = np.zeros((SIDE, size), np.float32)
    shares[np.arange(SIDE), upper] = positions - lower
    shares[np.arange(SIDE), lower] += 1 - (positions - lower)
    return shares


def resize(images: Array) -> Array:
    """Resize uint8 (N, H, W, C) to float32 (N, 299, 299, 3) in 0..255, as TensorFlow 1 did.

    It is bilinear; grey becomes three channels.

    The rule has pixel i come from position i * H / 299, and takes the last pixel for what lies
    beyond it.
    """
    _, height, width, _ = images.shape
    x = jnp.einsum(
        "ph,nhwc->npwc", _shares(height), images.astype(jnp.float32), precision=PRECISION
    )
    x = jnp.einsum("qw,npwc->npqc", _shares(width), x, precision=PRECISION)
    return jnp.broadcast_to(x, (*x.shape[:3], 3))


def features(variables: Any, images: Array) -> Array:
    """Return features float32 (N, 2048) of images uint8 (N, H, W, C), with C 1 or 3."""
    output: Any = InceptionV3().apply(variables, (resize(images) - 128) / 128)
    return output


def logits(variables: Any, features: Array) -> Array:
    """Return what the inception score is made of, float32 (N, 1008), for features (N, 2048).

    Without the last layer's bias, as is the custom (torch-fidelity's logits_unbiased).
    """
    return jnp.matmul(features, variables["params"]["fc"]["kernel"], precision=PRECISION)
