"""The network: TensorFlow's InceptionV3 of 2015-12-05 (Szegedy et al. 2016, table 1, but with 1008
classes).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

# float32 products on every platform: features are compared across machines, and with published
# numbers.
PRECISION = jax.lax.Precision.HIGHEST


def convolve(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    """Convolve x (N, H, W, C) by a kernel (height, width, C, O): (N, H', W', O)."""
    if (*kernel.shape[:2], stride) == (1, 1, 1):
        # twice as fast as XLA's CPU convolution
        return jnp.einsum("nhwc,co->nhwo", x, kernel[0, 0], precision=PRECISION)
    # XLA's CPU convolution is up to three times as slow without padding as with it; so pad, and
    # drop the row and column too many.
    pads, crop = ([(0, stride)] * 2, -1) if padding == "VALID" else (padding, None)
    numbers = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), pads, dimension_numbers=numbers, precision=PRECISION
    )
    return y[:, :crop, :crop]


class Conv(nn.Module):
    """Convolution, bias (the folded batch norm), ReLU."""

    features: int
    height: int
    width: int
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param(
            "kernel",
            nn.initializers.he_normal(),
            (self.height, self.width, x.shape[-1], self.features),
        )
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return nn.relu(convolve(x, kernel, self.stride, self.padding) + bias.reshape(1, 1, 1, -1))


def branch(x: Array, name: str, *convs: tuple) -> Array:
    """Apply the Convs of these arguments, one after another.

    They are named as in the weights, with a number if they are several.
    """
    for i, conv in enumerate(convs, 1):
        x = Conv(*conv, name=f"{name}_{i}" if len(convs) > 1 else name)(x)
    return x


def concatenate(*branches: Array) -> Array:
    return jnp.concatenate(branches, axis=-1)


def average_pool(x: Array) -> Array:
    """Average 3x3 pixels, stride 1; at the border those that are there, as in TensorFlow."""
    return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def max_pool(x: Array) -> Array:
    """Keep the largest of 3x3 pixels, stride 2, no padding."""
    return nn.max_pool(x, (3, 3), (2, 2))


class InceptionA(nn.Module):
    """35x35 -> 35x35, 224 + pool_features channels."""

    pool_features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return concatenate(
            branch(x, "branch1x1", (64, 1, 1)),
            branch(x, "branch5x5", (48, 1, 1), (64, 5, 5)),
            branch(x, "branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
            branch(average_pool(x), "branch_pool", (self.pool_features, 1, 1)),
        )


class InceptionB(nn.Module):
    """35x35 -> 17x17, 480 channels more."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return concatenate(
            branch(x, "branch3x3", (384, 3, 3, 2, "VALID")),
            branch(x, "branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3, 2, "VALID")),
            max_pool(x),
        )


class InceptionC(nn.Module):
    """17x17 -> 17x17, 768 channels; 7x7 convolutions as 1x7 and 7x1."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        first, across, down = (self.features, 1, 1), (self.features, 1, 7), (self.features, 7, 1)
        return concatenate(
            branch(x, "branch1x1", (192, 1, 1)),
            branch(x, "branch7x7", first, across, (192, 7, 1)),
            branch(x, "branch7x7dbl", first, down, across, down, (192, 1, 7)),
            branch(average_pool(x), "branch_pool", (192, 1, 1)),
        )


class InceptionD(nn.Module):
    """17x17 -> 8x8, 512 channels more."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return concatenate(
            branch(x, "branch3x3", (192, 1, 1), (320, 3, 3, 2, "VALID")),
            branch(
                x, "branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2, "VALID")
            ),
            max_pool(x),
        )


class InceptionE(nn.Module):
    """8x8 -> 8x8, 2048 channels; 3x3 convolutions end as 1x3 beside 3x1."""

    # in the last block, which TensorFlow's network has for an average there
    max_pooled: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        pooled = nn.max_pool(x, (3, 3), padding="SAME") if self.max_pooled else average_pool(x)
        single = branch(x, "branch3x3_1", (384, 1, 1))
        double = branch(x, "branch3x3dbl", (448, 1, 1), (384, 3, 3))
        return concatenate(
            branch(x, "branch1x1", (320, 1, 1)),
            branch(single, "branch3x3_2a", (384, 1, 3)),
            branch(single, "branch3x3_2b", (384, 3, 1)),
            branch(double, "branch3x3dbl_3a", (384, 1, 3)),
            branch(double, "branch3x3dbl_3b", (384, 3, 1)),
            branch(pooled, "branch_pool", (192, 1, 1)),
        )


class InceptionV3(nn.Module):
    """Pictures float32 (N, 299, 299, 3) in [-1, 1] -> features float32 (N, 2048).

    For logits see inception.py.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = Conv(32, 3, 3, 2, "VALID", name="Conv2d_1a_3x3")(x)
        x = Conv(32, 3, 3, 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = Conv(64, 3, 3, name="Conv2d_2b_3x3")(x)
        x = max_pool(x)
        x = Conv(80, 1, 1, name="Conv2d_3b_1x1")(x)
        x = Conv(192, 3, 3, 1, "VALID", name="Conv2d_4a_3x3")(x)
        x = max_pool(x)
        x = InceptionA(32, name="Mixed_5b")(x)
        x = InceptionA(64, name="Mixed_5c")(x)
        x = InceptionA(64, name="Mixed_5d")(x)
        x = InceptionB(name="Mixed_6a")(x)
        x = InceptionC(128, name="Mixed_6b")(x)
        x = InceptionC(160, name="Mixed_6c")(x)
        x = InceptionC(160, name="Mixed_6d")(x)
        x = InceptionC(192, name="Mixed_6e")(x)
        x = InceptionD(name="Mixed_7a")(x)
        x = InceptionE(name="Mixed_7b")(x)
        x = InceptionE(max_pooled=True, name="Mixed_7c")(x)
        return x.mean((1, 2))
