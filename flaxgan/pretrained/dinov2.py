"""DINOv2 (Oquab et al. 2023, arXiv:2304.07193), a vision transformer trained without labels, as a
feature extractor: the one that people's eyes agree with most (Stein et al. 2023, arXiv:2306.04675).

Its published weights are named by the user, or fetched. Features are the class token's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import unflatten_dict
from jax import Array

from flaxgan.pretrained.efficientnet import RESIZE, resize
from flaxgan.pretrained.vgg import MEAN, STD
from flaxgan.pretrained.weights import published_weights, read_weights

PATCH, TOKENS = 14, 16  # pixels a side of a patch; patches a side of 224 pixels
DEPTH, EPSILON = 12, 1e-6
OFFSET = 0.1  # that the authors add to the number of patches before they resize positions
URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_{0}/dinov2_{0}_pretrain.pth"


class Block(nn.Module):
    """Attention, then two dense layers, each scaled by channel and added: (N, T, D) -> the same."""

    heads: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n, tokens, dim = x.shape

        def scale(name: str) -> Array:
            return self.param(name, nn.initializers.ones, (dim,))[None, None]

        y = nn.LayerNorm(epsilon=EPSILON, name="norm1")(x)
        qkv = nn.Dense(3 * dim, name="qkv")(y).reshape(n, tokens, 3, self.heads, -1)
        y = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2])
        x = x + nn.Dense(dim, name="proj")(y.reshape(n, tokens, dim)) * scale("ls1")
        y = nn.LayerNorm(epsilon=EPSILON, name="norm2")(x)
        y = nn.gelu(nn.Dense(4 * dim, name="fc1")(y), approximate=False)
        return x + nn.Dense(dim, name="fc2")(y) * scale("ls2")


class VisionTransformer(nn.Module):
    """float32 (N, 224, 224, 3), normalised as ImageNet's pictures -> the class token (N, D)."""

    dim: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(self.dim, (PATCH, PATCH), (PATCH, PATCH), "VALID", name="patches")(x)
        x = x.reshape(len(x), -1, self.dim)
        token = self.param("cls_token", nn.initializers.zeros, (1, 1, self.dim))
        x = jnp.concatenate([jnp.broadcast_to(token, (len(x), 1, self.dim)), x], 1)
        shape = (1, 1 + TOKENS**2, self.dim)
        x = x + self.param("positions", nn.initializers.zeros, shape)
        for i in range(DEPTH):
            x = Block(self.dim // 64, name=f"block_{i}")(x)
        return nn.LayerNorm(epsilon=EPSILON, name="norm")(x)[:, 0]


def _cubic_shares(size: int) -> np.ndarray:
    """Return how much of each of `size` positions goes into each of TOKENS: (TOKENS, size).

    Keys' filter with a = -0.75, as PyTorch has it, without antialiasing.
    """
    shares = np.zeros((TOKENS, size))
    for i in range(TOKENS):
        place = (i + 0.5) * size / (TOKENS + OFFSET) - 0.5
        first, a = int(np.floor(place)) - 1, -0.75
        for j in range(first, first + 4):
            d = abs(place - j)
            near = (a + 2) * d**3 - (a + 3) * d**2 + 1
            far = a * (d**3 - 5 * d**2 + 8 * d - 4)
            shares[i, min(max(j, 0), size - 1)] += near if d <= 1 else far
    return shares


def convert(tensors: Mapping[str, np.ndarray]) -> Any:
    """Convert the published state_dict to the variables of VisionTransformer.

    Positions of 518x518 pixels are resized to those of 224x224. Raises KeyError if a tensor is
    missing.
    """
    first, rest = np.split(tensors["pos_embed"], [1], 1)
    side = round(rest.shape[1] ** 0.5)
    shares, grid = _cubic_shares(side), rest.reshape(side, side, -1)
    grid = np.einsum("ph,qw,hwd->pqd", shares, shares, grid).reshape(1, TOKENS**2, -1)
    params: dict[tuple[str, ...], np.ndarray] = {
        ("cls_token",): tensors["cls_token"],
        ("positions",): np.concatenate([first, grid], 1),
        ("patches", "kernel"): tensors["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        ("patches", "bias"): tensors["patch_embed.proj.bias"],
        ("norm", "scale"): tensors["norm.weight"],
        ("norm", "bias"): tensors["norm.bias"],
    }
    for i in range(DEPTH):
        for name, layer in (
            *(("qkv", "attn.qkv"), ("proj", "attn.proj")),
            *(("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")),
        ):
            params[f"block_{i}", name, "kernel"] = tensors[f"blocks.{i}.{layer}.weight"].T
            params[f"block_{i}", name, "bias"] = tensors[f"blocks.{i}.{layer}.bias"]
        for norm in ("norm1", "norm2"):
            params[f"block_{i}", norm, "scale"] = tensors[f"blocks.{i}.{norm}.weight"]
            params[f"block_{i}", norm, "bias"] = tensors[f"blocks.{i}.{norm}.bias"]
        for scale in ("ls1", "ls2"):
            params[f"block_{i}", scale] = tensors[f"blocks.{i}.{scale}.gamma"]
    return {"params": unflatten_dict({path: np.float32(x) for path, x in params.items()})}


class DINOv2(NamedTuple):
    """One of the published sizes, as an extractor."""

    size: str  # as its authors name it
    DIM: int
    SHA256: str
    RESIZE: str = RESIZE

    @property
    def NAME(self) -> str:  # as of the other networks, which are modules
        return f"dinov2_{self.size}"

    @property
    def FRECHET(self) -> str:
        return f"fd_{self.NAME}"

    def load(self, path: Path | None = None) -> Any:
        """Load the published weights from a file, or else from the cache, or else from the network.

        Raises UserError if there is no network, or the file is not the published one.
        """
        url = URL.format(self.size)
        path = path or published_weights(url, self.SHA256, "--dinov2-weights")
        return convert(read_weights(path, self.SHA256))

    def features(self, variables: Any, images: Array) -> Array:
        """Return features float32 (N, D) of images uint8 (N, H, W, C), with C 1 or 3."""
        mean, std = (jnp.asarray(values)[None, None, None] for values in (MEAN, STD))
        x: Any = VisionTransformer(self.DIM).apply(variables, (resize(images) / 255 - mean) / std)
        return x


SMALL = DINOv2("vits14", 384, "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9")
BASE = DINOv2("vitb14", 768, "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73")
