"""Sums of tiles, as minimal filtering takes arrays apart and puts them together by its tables."""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from flaxgan.convolutions.filters import Filter, Table
from flaxgan.convolutions.matmul import matrix, no_inline

# bytes of x, times M: the matrices made of x and of y then still stay in the last cache of most
# CPUs
CACHED = 2**22


def transposed(table: Table) -> Table:
    return tuple(zip(*table, strict=True))


def sums(table: Table, pieces: Sequence[Array] | Array) -> list[Array]:
    """Return the sum of the pieces, arrays of one shape, weighted by each row of a table.

    An Array's pieces are sliced anew for each row: sums of shared slices took a step 4 % longer.
    """
    return [
        functools.reduce(
            operator.add,
            (weight * piece for weight, piece in zip(row, pieces, strict=True) if weight),
        )
        for row in table
    ]


def apart(
    pieces: Callable[[Array, int], Sequence[Array]], x: Array, axes: tuple[int, int]
) -> list[Array]:
    return [matrix(piece) for row in pieces(x, axes[0]) for piece in pieces(row, axes[1])]


def together(
    join: Callable[[Sequence[Array], int], Sequence[Array]],
    pieces: Sequence[Array],
    axes: tuple[int, int],
) -> Array:
    """Stack what `join` makes of each row's pieces behind the axis along which it joins."""
    length = math.isqrt(len(pieces))
    rows = [
        jnp.stack(join(pieces[row : row + length], axes[1]), axes[1] + 1)
        for row in range(0, len(pieces), length)
    ]
    return jnp.stack(join(rows, axes[0]), axes[0] + 1)


@functools.partial(no_inline, static=("table", "stride", "axis"))
def tiles(x: Array, table: Table, stride: int, axis: int) -> list[Array]:
    """Return the table's sums of each tile along an axis, an array for each of its rows.

    A tile is as many neighbours as the table has columns; one begins every `stride` elements.
    """
    width = len(table[0])
    count = (x.shape[axis] - width) // stride + 1
    pieces = [
        lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)
        for start in range(width)
    ]
    return sums(table, pieces)


def outputs(y: Array, f: Filter) -> list[Array]:
    """Take y apart: (N, H, W, O) -> P matrices (N*H/M*W/M, O)."""
    table = transposed(f.outputs)
    return apart(
        lambda y, axis: tiles(y, table=table, stride=f.tile, axis=axis),
        y.astype(jnp.float32),
        (1, 2),
    )


def from_outputs(matrices: Sequence[Array], shape: tuple[int, ...], f: Filter) -> Array:
    """Apply the transpose of _outputs."""
    n, h, w, o = shape
    matrices = [m.reshape(n, h // f.tile, w // f.tile, o) for m in matrices]
    return together(lambda m, _: sums(f.outputs, m), matrices, (1, 2)).reshape(shape)


def in_parts(function: Callable[..., Array], most: int, x_bytes: int, *batches: Array) -> Array:
    """Return the images that a function returns of those of some batches, computed part by part.

    A part is every n-th image, so that each device goes through its own. n is as large as leaves
    each part more than half of `most` of the bytes of x, so that with powers of two it has no more
    than `most`. Parts are computed by a loop: written out, they keep more in memory, took up to
    twice as long, and minutes to compile.
    """
    n, part = _parts(most, x_bytes, batches)
    if n == 1:
        return function(*batches)
    like = jax.eval_shape(function, *part(0))
    images = jnp.zeros((like.shape[0], n, *like.shape[1:]), like.dtype)

    def fill(i: Array, images: Array) -> Array:
        return lax.dynamic_update_index_in_dim(images, function(*part(i)), i, 1)

    return lax.fori_loop(0, n, fill, images).reshape(-1, *like.shape[1:])


def sum_of_parts(function: Callable[..., Array], most: int, x_bytes: int, *batches: Array) -> Array:
    """Return the sum of what a function returns for each part of some batches, as of in_parts."""
    n, part = _parts(most, x_bytes, batches)
    if n == 1:
        return function(*batches)
    return lax.fori_loop(1, n, lambda i, total: total + function(*part(i)), function(*part(0)))


def _parts(
    most: int, x_bytes: int, batches: Sequence[Array]
) -> tuple[int, Callable[[Any], list[Array]]]:
    """Return how many parts there are, and what makes part i of each batch."""
    count = len(batches[0])
    divisors = (n for n in range(1, count + 1) if count % n == 0)
    n = max((n for n in divisors if n * most < 2 * x_bytes), default=1)
    split = [batch.reshape(-1, n, *batch.shape[1:]) for batch in batches]
    return n, lambda i: [lax.dynamic_index_in_dim(batch, i, 1, keepdims=False) for batch in split]
