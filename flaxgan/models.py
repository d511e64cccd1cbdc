"""The DCGAN of Radford, Metz & Chintala 2015 (arXiv:1511.06434), for any size that halves evenly a few times."""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.errors import UserError
from flaxgan.layers import Conv4x4, ConvTranspose4x4

MOST_WIDENING = 8  # a stage is at most this many times --features wide, as the paper's at 64x64


def _halve(height: int, width: int) -> tuple[int, int, int]:
    """-> the last height and width, and how many halvings it took."""
    halvings = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, halvings = height // 2, width // 2, halvings + 1
    return height, width, halvings


def _can_be_built(height: int, width: int) -> bool:
    base_height, base_width, halvings = _halve(height, width)
    return halvings >= 2 and 4 <= min(base_height, base_width) <= 15


def base_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the smallest feature map: (64, 64) -> (4, 4), (28, 28) -> (7, 7), (48, 64) -> (6, 8).

    Raises UserError for a size that the networks can't build.
    """
    height, width, halvings = _halve(*image_size)
    if not _can_be_built(*image_size):
        side = min(image_size)
        near = sorted(sorted((s for s in range(16, 2 * side + 32) if _can_be_built(s, s)), key=lambda s: abs(s - side))[:2])
        raise UserError(
            f"--image-size {image_size[0]}x{image_size[1]} can't be built: each stage of the networks halves height and width, "
            f"at least twice and until the shorter side is 4 to 15, but halving evenly stops at {height}x{width} "
            f"after {halvings}; try a size like {' or '.join(map(str, near))}"
        )
    return height, width


def stage_widths(image_size: tuple[int, int], features: int) -> list[int]:
    """Channels after each halving: (64, 64), 64 -> [64, 128, 256, 512]."""
    halvings = (image_size[0] // base_size(image_size)[0]).bit_length() - 1
    return [features * min(2**stage, MOST_WIDENING) for stage in range(halvings)]


def _norm(train: bool, dtype: DTypeLike, axis_name: str | None) -> functools.partial[nn.BatchNorm]:
    """Batch norm whose running statistics keep 0.9 of themselves a step, scale N(1, 0.02); statistics in float32."""

    def scale_init(key, shape, dtype):
        return 1 + nn.initializers.normal(0.02)(key, shape, dtype)

    return functools.partial(
        nn.BatchNorm, use_running_average=not train, momentum=0.9, dtype=dtype, scale_init=scale_init, axis_name=axis_name
    )


def _dense(features: int, dtype: DTypeLike) -> nn.Dense:
    return nn.Dense(features, use_bias=False, dtype=dtype, kernel_init=nn.initializers.normal(0.02))


class Generator(nn.Module):
    """z (N, latent_dim) -> pictures (N, H, W, C) in (-1, 1), float32. Computes in `dtype`; parameters are float32.

    `axis_name`: of pmap, whose devices then share their batch statistics.
    """

    image_size: tuple[int, int]
    channels: int
    features: int = 64
    latent_dim: int = 100
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, z: Array, train: bool, axis_name: str | None = None) -> Array:
        norm = _norm(train, self.dtype, axis_name)
        height, width = base_size(self.image_size)
        *widths, base_width = stage_widths(self.image_size, self.features)

        x = _dense(height * width * base_width, self.dtype)(z)
        x = x.reshape(-1, height, width, base_width)
        x = nn.relu(norm()(x))
        for features in reversed(widths):
            x = ConvTranspose4x4(features, self.dtype)(x)
            x = nn.relu(norm()(x))
        x = ConvTranspose4x4(self.channels, self.dtype)(x)
        return nn.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
    """Pictures (N, H, W, C) in [-1, 1] -> logits (N,), positive for real, float32. `dtype`, `axis_name`: as the generator's."""

    image_size: tuple[int, int]
    features: int = 64
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool, axis_name: str | None = None) -> Array:
        norm = _norm(train, self.dtype, axis_name)
        first, *widths = stage_widths(self.image_size, self.features)

        x = Conv4x4(first, self.dtype)(x)
        x = nn.leaky_relu(x, 0.2)
        for features in widths:
            x = Conv4x4(features, self.dtype)(x)
            x = nn.leaky_relu(norm()(x), 0.2)
        x = x.reshape(x.shape[0], -1)
        return _dense(1, self.dtype)(x)[:, 0].astype(jnp.float32)
