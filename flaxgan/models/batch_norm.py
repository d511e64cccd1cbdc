"""Batch norm: with a scale and bias of each channel, of a class, or of a sentence and z."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from flaxgan.models.layers import DCGAN_INIT
from flaxgan.rng import average

MOMENTUM = 0.9  # what running statistics keep of themselves each time
EPSILON = 1e-5  # added to the variance


def _scale_init(key: Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    return 1 + DCGAN_INIT(key, shape, dtype)


class BatchNorm(nn.Module):
    """Normalise each channel by its mean and variance over batch, height and width.

    In training these are the batch's, in float32, and the running ones keep MOMENTUM of themselves
    each time. So many `groups` of images take turns in the batch, real and generated ones say, each
    normalised by its own statistics; the running ones take them in one after the other. Ioffe &
    Szegedy 2015, arXiv:1502.03167.
    """

    train: bool
    dtype: DTypeLike
    axis: str | None = None  # of pmap, whose devices share the statistics
    groups: int = 1
    affine: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        running = [
            self.variable("batch_stats", name, init, (width,))
            for name, init in (("mean", jnp.zeros), ("var", jnp.ones))
        ]
        grouped = x.reshape(-1, self.groups, *x.shape[1:])
        if self.train:
            mean, var = _moments(grouped.astype(jnp.float32), self.axis)
            if not self.is_initializing():
                for group in range(self.groups):
                    for average, new in zip(running, (mean, var), strict=True):
                        average.value = MOMENTUM * average.value + (1 - MOMENTUM) * new[group]
        else:
            mean, var = (average.value[None] for average in running)

        # As x times a factor plus a shift: what the gradient sums over x, one pass over it then
        # sums.
        factor = lax.rsqrt(var + EPSILON)
        if self.affine:
            factor = factor * self.param("scale", _scale_init, (width,))[None]
        shift = -mean * factor
        if self.affine:
            shift = shift + self.param("bias", nn.initializers.zeros, (width,))[None]

        def spread(values: Array) -> Array:
            return values.reshape(1, -1, *[1] * (x.ndim - 2), width)

        y = grouped * spread(factor) + spread(shift)
        return y.astype(self.dtype).reshape(x.shape)


def _moments(x: Array, axis: str | None) -> tuple[Array, Array]:
    """Return mean and variance (K, C) of x (N, K, ..., C), in one pass over it."""
    axes = (0, *range(2, x.ndim - 1))
    mean, mean_square = average((x.mean(axes), jnp.square(x).mean(axes)), axis)
    return mean, jnp.maximum(mean_square - jnp.square(mean), 0)


class BatchNormOfClass(nn.Module):
    """Apply batch norm whose scale and bias are the class's own.

    de Vries et al. 2017, arXiv:1707.00683.
    """

    num_classes: int
    train: bool
    dtype: DTypeLike
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array, labels: Array) -> Array:
        x = BatchNorm(self.train, self.dtype, self.axis, affine=False)(x)
        scale = nn.Embed(
            self.num_classes, x.shape[-1], self.dtype, embedding_init=_scale_init, name="scale"
        )(labels)
        bias = nn.Embed(
            self.num_classes,
            x.shape[-1],
            self.dtype,
            embedding_init=nn.initializers.zeros,
            name="bias",
        )(labels)
        return x * scale[:, None, None] + bias[:, None, None]


class BatchNormOfText(nn.Module):
    """Apply batch norm whose scale and bias two dense layers make of a sentence and z (N, D).

    As DF-GAN's affine layers (Tao et al. 2022, arXiv:2008.05865), with one layer each. Both are
    about as long as 1: Adam moves what is made of larger numbers faster.
    """

    train: bool
    dtype: DTypeLike
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array, vectors: Array) -> Array:
        x = BatchNorm(self.train, self.dtype, self.axis, affine=False)(x)

        def of_text(name: str, bias_init: Initializer) -> Array:
            init, width = nn.initializers.normal(0.2), x.shape[-1]
            layer = nn.Dense(
                width, dtype=self.dtype, kernel_init=init, bias_init=bias_init, name=name
            )
            return layer(vectors)[:, None, None]

        return x * of_text("scale", nn.initializers.ones) + of_text("bias", nn.initializers.zeros)
