"""Self-attention over the positions of a feature map."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.models.layers import Dense


class SelfAttention(nn.Module):
    """Every position looks at all of the picture; begins as the identity (Zhang et al. 2019, arXiv:1805.08318, section 3).

    Keys and values are pooled to a quarter of the positions, as in the authors' code.
    """

    dtype: DTypeLike = jnp.float32
    spectral_norm: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        n, c = x.shape[0], x.shape[-1]

        def flat(x: Array) -> Array:
            return x.reshape(n, -1, x.shape[-1])

        def dense(features: int) -> Dense:
            return Dense(features, self.dtype, self.spectral_norm, nn.initializers.lecun_normal())

        queries, keys = flat(dense(max(c // 8, 1))(x)), flat(max_pool(dense(max(c // 8, 1))(x)))
        attended = dense(c)(attend(queries, keys, flat(max_pool(dense(max(c // 2, 1))(x)))))
        gamma = self.param("gamma", nn.initializers.zeros, ()).astype(self.dtype)
        return x + gamma * attended.reshape(x.shape)


def max_pool(x: Array) -> Array:
    """(N, H, W, C) -> (N, ceil(H/2), ceil(W/2), C): the largest of 2x2. XLA's own pooling has slow gradients on the CPU."""
    n, h, w, c = x.shape
    if h % 2 or w % 2:  # even of nothing, padding has a gradient to work out
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
        n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c)
    return functools.reduce(jnp.maximum, (x[:, :, i, :, j] for i in (0, 1) for j in (0, 1)))


@jax.custom_vjp
def attend(queries: Array, keys: Array, values: Array) -> Array:
    """(N, Q, C), (N, K, C), (N, K, V) -> (N, Q, V): for each query the values' mean, weighted by the softmax over <key, query>.

    The gradients are written out: XLA's CPU works the weights out again in each of those that JAX derives.
    """
    return _forward(queries, keys, values)[0]


def _forward(queries: Array, keys: Array, values: Array) -> tuple[Array, tuple[Array, ...]]:
    scores = jnp.einsum("nkc,nqc->nkq", keys, queries)
    weights = nn.softmax(scores.astype(jnp.float32), axis=1)
    attended = _turned(_turned(values) @ weights.astype(values.dtype))
    return attended, (queries, keys, values, weights, attended)


def _backward(kept: tuple[Array, ...], y: Array) -> tuple[Array, Array, Array]:
    queries, keys, values, weights, attended = kept
    by_weights = jnp.einsum("nkv,nqv->nkq", values, y)
    by_scores = (weights * (by_weights - (attended * y).sum(-1)[:, None])).astype(y.dtype)  # the sum: their mean by weight
    return _turned(_turned(keys) @ by_scores), by_scores @ queries, weights.astype(y.dtype) @ y


attend.defvjp(_forward, _backward)


def _turned(matrices: Array) -> Array:
    """(N, A, B) -> (N, B, A), moved in memory. The new axis hides it from XLA, which else turns the weights, the largest."""
    n, a, b = matrices.shape
    return matrices[:, None].transpose(0, 3, 1, 2).reshape(n, b, a)
