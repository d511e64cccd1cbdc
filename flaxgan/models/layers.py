"""The layers of all networks. Each computes in `dtype`; its parameters are float32."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from flaxgan.convolutions import conv4x4, conv4x4_transpose, conv_stride1
from flaxgan.convolutions.matmul import matrix
from flaxgan.convolutions.plain import is_asked, named
from flaxgan.rng import Rng, average

MOMENTUM = 0.9  # what batch norm's running statistics keep of themselves each time
EPSILON = 1e-5  # added to batch norm's variance
POWER_ITERATIONS_AT_FIRST = 15
DCGAN_INIT = nn.initializers.normal(0.02)  # of Radford et al. 2015


class Kernel(nn.Module):
    """A layer with a kernel whose last axis is the output features.

    `spectral_norm`: divided by an estimate of its largest singular value, which improves by one
    power iteration each time it is used in training (Miyato et al. 2018, arXiv:1802.05957,
    algorithm 1).
    """

    features: int
    dtype: DTypeLike = jnp.float32
    spectral_norm: bool = False
    kernel_init: Initializer = DCGAN_INIT

    def kernel(self, *shape: int) -> Array:
        """Return the kernel (*shape, features)."""
        kernel = self.param("kernel", self.kernel_init, (*shape, self.features))
        if self.spectral_norm:
            kernel = kernel / self._largest_singular_value(kernel.reshape(-1, self.features))
        return kernel.astype(self.dtype)

    def bias(self, rank: int) -> Array:
        """Return the bias, 0 at first: (1, ..., features) with so many axes."""
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return bias.astype(self.dtype).reshape(*[1] * (rank - 1), -1)

    def _largest_singular_value(self, kernel: Array) -> Array:
        fixed = lax.stop_gradient(kernel)

        def iterate(u: Array) -> tuple[Array, Array]:
            v = _unit(fixed @ u)
            return _unit(v @ fixed), v

        def first() -> Array:
            u = jax.random.normal(self.make_rng("params"), (self.features,))
            return lax.fori_loop(0, POWER_ITERATIONS_AT_FIRST, lambda _, u: iterate(u)[0], u)

        vector = self.variable("batch_stats", "singular_vector", first)
        u, v = iterate(vector.value)
        if self.is_mutable_collection("batch_stats"):
            vector.value = u
        return v @ kernel @ u


def _unit(vector: Array) -> Array:
    return vector / (jnp.linalg.norm(vector) + 1e-12)


class Dense(Kernel):
    """Without bias, weights N(0, 0.02) unless said."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if is_asked():
            return x.astype(self.dtype) @ self.kernel(x.shape[-1])
        # for the kernel's gradient, which is slow on the CPU with more axes
        rows = matrix(x.astype(self.dtype))
        return (rows @ self.kernel(x.shape[-1])).reshape(*x.shape[:-1], self.features)


class Conv4x4(Kernel):
    """4x4 stride-2 convolution, weights N(0, 0.02): halves height and width. Without bias, unless
    `biased`.
    """

    biased: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = conv4x4(x.astype(self.dtype), self.kernel(4, 4, x.shape[-1]))
        return y + self.bias(4) if self.biased else y


class ConvTranspose4x4(Kernel):
    """4x4 stride-2 transposed convolution without bias, weights N(0, 0.02): doubles height and
    width.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return conv4x4_transpose(x.astype(self.dtype), self.kernel(4, 4, x.shape[-1]))


class Conv(Kernel):
    """With bias.

    `convolution` keeps (conv_stride1), doubles (conv_up) or halves (conv_down) height and width.
    """

    size: int = 3
    convolution: Callable[[Array, Array], Array] = conv_stride1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.kernel(self.size, self.size, x.shape[-1])
        return self.convolution(x.astype(self.dtype), kernel) + self.bias(4)


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


class Embedding(Kernel):
    """-> (num_classes, features)."""

    @nn.compact
    def __call__(self, num_classes: int) -> Array:
        return self.kernel(num_classes)


@named
def twice(x: Array) -> Array:
    """Repeat each pixel as 2x2."""
    return x.repeat(2, 1).repeat(2, 2)


def half(x: Array) -> Array:
    """Average each 2x2 pixels."""
    return nn.avg_pool(x, (2, 2), (2, 2))


def dropout(x: Array, rate: float, rng: Rng | None, number: int) -> Array:
    """Set a share `rate` of all values to 0 and scale the rest up; leave x without an `rng`.

    `number`: of this layer among those of its network, so that each draws anew.
    """
    if not rate or rng is None:
        return x
    return jnp.where(rng.fold(number).bernoulli(1 - rate, x.shape), x / (1 - rate), 0)
