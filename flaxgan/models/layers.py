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
from flaxgan.rng import Rng

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
