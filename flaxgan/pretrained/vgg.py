"""The convolutions of VGG networks (Simonyan & Zisserman 2015, arXiv:1409.1556), whose maps are
what perceptual losses were first defined by, and VGG-19 as PyTorch's authors trained it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.convolutions import conv_stride1
from flaxgan.pretrained.weights import published_weights, read_weights

VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)  # convolutions of each block
WIDTHS = (64, 128, 256, 512, 512)
URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
SHA256 = "dcbb9e9d"  # its first digits, which are all that its authors publish, in its name
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB in [0, 1]


class Conv3x3(nn.Module):
    """A 3x3 convolution with zeros around the picture, and a bias."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return conv_stride1(x.astype(kernel.dtype), kernel) + bias[None, None, None]


class Blocks(nn.Module):
    """(N, H, W, 3) -> the map at the end of each block, (N, H / 2**block, W / 2**block, C).

    `depths` says how many blocks there are, and the convolutions of each. Between blocks 2x2 pixels
    become their largest; a side that is odd is rounded up if `pads`, down if not.
    """

    depths: tuple[int, ...]
    pads: bool = False

    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        maps = []
        for block, (depth, width) in enumerate(zip(self.depths, WIDTHS, strict=False)):
            if block:
                padding = "SAME" if self.pads else "VALID"
                x = nn.max_pool(x, (2, 2), strides=(2, 2), padding=padding)
            for conv in range(depth):
                x = nn.relu(Conv3x3(width, name=f"conv{block + 1}_{conv + 1}")(x))
            maps.append(x)
        return maps


def convert(tensors: Mapping[str, np.ndarray]) -> Any:
    """Convert VGG-19's published state_dict to the variables of Blocks(VGG19)."""
    names = [f"conv{b + 1}_{c + 1}" for b, depth in enumerate(VGG19) for c in range(depth)]
    numbers = sorted(int(name.split(".")[1]) for name in tensors if name.startswith("features."))
    params = {
        name: {
            "kernel": tensors[f"features.{number}.weight"].transpose(2, 3, 1, 0),
            "bias": tensors[f"features.{number}.bias"],
        }
        for name, number in zip(names, dict.fromkeys(numbers), strict=True)
    }
    return {"params": params}


def load(path: Path | None = None) -> Any:
    """Load VGG-19 from its published file, or else from the cache, or else from the network.

    Raises UserError if there is no network, or the file is not the published one.
    """
    return convert(read_weights(path or published_weights(URL, SHA256, "--vgg19-weights"), SHA256))


def maps(variables: Any, images: Array) -> list[Array]:
    """Return VGG-19's maps at the end of four blocks, of RGB float32 (N, H, W, 3) in 0..255."""
    mean, std = (jnp.asarray(values)[None, None, None] for values in (MEAN, STD))
    found: Any = Blocks(VGG19[:4]).apply(variables, (images / 255 - mean) / std)
    return found
