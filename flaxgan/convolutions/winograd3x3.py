"""The 3x3 stride-1 convolution by minimal filtering.

F(M x M, 3x3) makes each M x M outputs of (M + 2)^2 products of matrices instead of 9 M^2 (Lavin &
Gray 2016, arXiv:1509.09308): M = 4 takes 36 instead of 144. The gradient by x is the same
convolution, by the kernel turned by 180 degrees; that by the kernel has the transposed tables. In
the shapes below, P is (M + 2)^2.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.filters import filter_from_points
from flaxgan.convolutions.matmul import multiply
from flaxgan.convolutions.tiles import (
    apart,
    from_outputs,
    in_parts,
    outputs,
    sum_of_parts,
    sums,
    tiles,
    together,
    transposed,
)

# bytes of x: then the matrices made of it stay in the cache, and in memory that is there already
CACHED = 2**21
# rounds by up to 4e-6 of the largest value
F4 = filter_from_points(0, 1, -1, 1 / 2, -2, taps=3)


def _inputs(x: Array) -> list[Array]:
    """Take x apart: (N, H + 2, W + 2, C) -> P matrices (N*H/M*W/M, C)."""
    return apart(
        lambda x, axis: tiles(x, table=F4.inputs, stride=F4.tile, axis=axis),
        x.astype(jnp.float32),
        (1, 2),
    )


def _taps(kernel: Array) -> list[Array]:
    """Take a kernel apart: (3, 3, C, O) -> P matrices (C, O)."""
    return apart(lambda w, _: sums(F4.taps, w), kernel.astype(jnp.float32), (0, 0))


def _from_taps(matrices: Sequence[Array]) -> Array:
    """Apply the transpose of _taps."""
    return together(lambda m, _: sums(transposed(F4.taps), m), matrices, (-1, -1))


def _filled(x: Array, padding: int) -> Array:
    """Pad with zeros, and at the end with as many more as whole tiles take."""
    ends = [(padding, padding + -(side + 2 * padding - 2) % F4.tile) for side in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), *ends, (0, 0)))


def _convolved(x: Array, taps: list[Array], turned: bool) -> Array:
    n, h, w, _ = x.shape
    products = multiply(_inputs(x), taps, x.dtype, turn_right=turned)
    return from_outputs(products, (n, h - 2, w - 2, products[0].shape[-1]), F4).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv(x: Array, kernel: Array, padding: int, turned: bool = False) -> Array:
    """Convolve with `padding` zeros at each side.

    (N, H, W, I), (3, 3, I, O) -> (N, H + 2 * padding - 2, W + 2 * padding - 2, O). If `turned`, by
    the kernel turned by 180 degrees, from O to I: made of the kernel as it lies, since products
    take matrices either way round, and to read it across took several times as long.
    """
    _, h, w, _ = x.shape
    x, taps = _filled(x, padding), _taps(kernel[::-1, ::-1] if turned else kernel)
    y = in_parts(lambda x: _convolved(x, taps, turned), CACHED, x.nbytes, x)
    return y[:, : h + 2 * padding - 2, : w + 2 * padding - 2]


def kernel_gradient(x: Array, y: Array, padding: int) -> Array:
    """Return the kernel's gradient (3, 3, I, O) of x (N, H, W, I) and y, as conv returns it."""
    x = _filled(x, padding)
    missing = [(0, a - 2 - b) for a, b in zip(x.shape[1:3], y.shape[1:3], strict=True)]
    y = jnp.pad(y, ((0, 0), *missing, (0, 0)))

    def gradient(x: Array, y: Array) -> Array:
        return _from_taps(multiply(_inputs(x), outputs(y, F4), x.dtype, turn_left=True))

    return sum_of_parts(gradient, CACHED, x.nbytes, x, y).astype(x.dtype)


def _backward(
    padding: int, turned: bool, residuals: tuple[Array, Array], y: Array
) -> tuple[Array, Array]:
    x, kernel = residuals
    factors = (y, x, 2 - padding) if turned else (x, y, padding)
    return conv(y, kernel, 2 - padding, not turned), kernel_gradient(*factors)


conv.defvjp(lambda x, kernel, *how: (conv(x, kernel, *how), (x, kernel)), _backward)
