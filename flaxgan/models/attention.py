"""Self-attention over the positions of a feature map."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.convolutions.plain import is_asked, named
from flaxgan.models.layers import Dense
from flaxgan.system.devices import on_cpu


class SelfAttention(nn.Module):
    """Every position looks at all of the picture; begins as the identity (Zhang et al. 2019,
    arXiv:1805.08318, section 3).

    x: (N, H, W, C), H and W even. Keys and values are pooled to a quarter of the positions, as in
    the authors' code.
    """

    dtype: DTypeLike = jnp.float32
    spectral_norm: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]

        def dense(width: int, name: str) -> Dense:
            return Dense(
                max(width, 1),
                self.dtype,
                self.spectral_norm,
                nn.initializers.lecun_normal(),
                name=name,
            )

        queries = dense(channels // 8, "queries")(x)
        keys, values = (
            max_pool(dense(channels // 8, "keys")(x)),
            max_pool(dense(channels // 2, "values")(x)),
        )
        rows = (
            features.reshape(x.shape[0], -1, features.shape[-1])
            for features in (queries, keys, values)
        )
        fast = on_cpu() and not is_asked()
        attended = dense(channels, "output")((attend if fast else plainly_attend)(*rows))
        gamma = self.param("gamma", nn.initializers.zeros, ()).astype(self.dtype)
        return x + gamma * attended.reshape(x.shape)


def max_pool(x: Array) -> Array:
    """Keep the largest of each 2x2 pixels: (N, H, W, C) -> (N, H/2, W/2, C).

    XLA's own pooling has slow gradients on the CPU.
    """
    if is_asked():
        return nn.max_pool(x, (2, 2), (2, 2))
    n, h, w, channels = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, channels)
    return functools.reduce(jnp.maximum, (x[:, :, i, :, j] for i in (0, 1) for j in (0, 1)))


def plainly_attend(queries: Array, keys: Array, values: Array) -> Array:
    """Average the values for each query, weighted by the softmax over <query, key>.

    (N, Q, C), (N, K, C), (N, K, V) -> (N, Q, V). Scores are not scaled; the weights are float32.
    """
    weights = _softmax(jnp.einsum("nqc,nkc->nqk", queries, keys).astype(jnp.float32))
    return weights.astype(values.dtype) @ values


@named
def _softmax(scores: Array) -> Array:
    """Apply softmax along the last axis."""
    return nn.softmax(scores)


@jax.custom_vjp
def attend(queries: Array, keys: Array, values: Array) -> Array:
    """Attend as plainly_attend does, on a CPU with the gradients in two thirds of the time.

    Differentiable any number of times in reverse. The softmax weights are kept as (N, K, Q):
    so no product has to turn an array as large as they are.
    """
    return _forward(queries, keys, values)[0]


def _forward(queries: Array, keys: Array, values: Array) -> tuple[Array, tuple[Array, ...]]:
    scores = jnp.einsum("nkc,nqc->nkq", keys, queries)
    weights = nn.softmax(scores.astype(jnp.float32), axis=1)
    return _turned(_turned(values) @ weights.astype(values.dtype)), (queries, keys, values, weights)


def _backward(residuals: tuple[Array, ...], by_attended: Array) -> tuple[Array, Array, Array]:
    queries, keys, values, weights = residuals
    by_weights = jnp.einsum("nkv,nqv->nkq", values, by_attended).astype(jnp.float32)
    # Their mean, in float32 from the very same numbers, so that the gradients of a query's scores
    # add up to 0.
    by_scores = weights * (by_weights - (weights * by_weights).sum(1, keepdims=True))
    by_scores, weights = by_scores.astype(values.dtype), weights.astype(values.dtype)
    return _turned(_turned(keys) @ by_scores), by_scores @ queries, weights @ by_attended


attend.defvjp(_forward, _backward)


def _turned(matrices: Array) -> Array:
    """Transpose in memory: (N, A, B) -> (N, B, A).

    The new axis hides it from XLA, which else turns the weights, the largest.
    """
    n, a, b = matrices.shape
    return matrices[:, None].transpose(0, 3, 1, 2).reshape(n, b, a)
