"""Matrix products that XLA's CPU computes at full speed, and how arrays become matrices."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.typing import DTypeLike


def no_inline(function: Callable[..., Any], static: Sequence[str] = ()) -> Callable[..., Any]:
    """Compile `function` as a computation that XLA doesn't merge with what is around it.

    Else XLA fuses it into each of its consumers, which compute its inputs anew, in whatever order
    they read them.
    """
    compiled = jax.jit(function, static_argnames=static)

    @functools.wraps(function)
    def called(*arrays: Array, **settings: Any) -> Any:
        with set_xla_metadata(inlineable="false"):
            return compiled(*arrays, **settings)

    return called


@no_inline
def _turned(matrices: Sequence[Array]) -> list[Array]:
    """Return the transposes moved in memory, while .T only says in which order to read.

    XLA's CPU gives a product to its fastest library only if the left matrix lies row by row, and
    for bfloat16 the right one, too. The axis put in front hides the transpose from XLA's
    simplifications.
    """
    return [m[None].transpose(2, 0, 1).reshape(m.shape[::-1]) for m in matrices]


def multiply(
    left: Sequence[Array],
    right: Sequence[Array],
    dtype: DTypeLike,
    turn_left: bool = False,
    turn_right: bool = False,
) -> list[Array]:
    """Multiply each pair of matrices, transposed as asked, in `dtype`; the results are float32."""
    left, right = ([m.astype(dtype) for m in matrices] for matrices in (left, right))
    if turn_left:
        left = _turned(left)
    if turn_right:
        right = _turned(right) if dtype == jnp.bfloat16 else [m.T for m in right]
    return [
        jnp.dot(a, b, preferred_element_type=jnp.float32) for a, b in zip(left, right, strict=True)
    ]


def as_rows(taps: Array, hwoi: bool) -> Array:
    """Reshape a kernel to a matrix: (T, C, O) -> (T*C, O), or if hwoi (T, O, C) -> (O, T*C).

    The last axis stays the last: to transpose is slow, while a product takes a matrix either way
    round.
    """
    return (
        taps.swapaxes(0, 1).reshape(taps.shape[1], -1) if hwoi else taps.reshape(-1, taps.shape[-1])
    )


def from_rows(rows: Array, taps: int, hwoi: bool) -> Array:
    """Invert as_rows."""
    return (
        rows.reshape(len(rows), taps, -1).swapaxes(0, 1)
        if hwoi
        else rows.reshape(taps, -1, rows.shape[-1])
    )


def shifted(x: Array, by: int, axis: int) -> Array:
    """Move x along `axis` by 1 or -1; zeros come in."""
    padding = [(0, 0)] * x.ndim
    padding[axis] = (1, 0) if by > 0 else (0, 1)
    start = 0 if by > 0 else 1
    return jnp.pad(lax.slice_in_dim(x, start, start + x.shape[axis] - 1, 1, axis), padding)


def padded(x: Array) -> Array:
    # Not jnp.pad, which is compiled by itself where its caller is.
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (1, 1, 0), (1, 1, 0), (0, 0, 0)))


def matrix(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])
