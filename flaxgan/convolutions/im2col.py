"""The 4x4 stride-2 convolution as one product of all 16*C values that an output sees (im2col)."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from flaxgan.convolutions.lowering import closed
from flaxgan.convolutions.matmul import as_rows, from_rows, matrix, multiply, padded, shifted


def _columns(x: Array) -> Array:
    """Gather each output's inputs in a row: (N, H, W, C) -> (N*H/2*W/2, 16*C)."""
    n, h, w, c = x.shape
    # of neighbours in a row, so that longer pieces are copied
    pairs = padded(x).reshape(n, h + 2, w // 2 + 1, 2 * c)
    return matrix(
        jnp.concatenate(
            [pairs[:, i : i + h - 1 : 2, j : j + w // 2] for i in range(4) for j in range(2)], -1
        )
    )


def _conv(x: Array, kernel: Array, hwoi: bool) -> Array:
    n, h, w, _ = x.shape
    rows = as_rows(kernel.reshape(16, *kernel.shape[2:]), hwoi)
    (y,) = multiply([_columns(x)], [rows], x.dtype, turn_right=hwoi)
    return y.astype(x.dtype).reshape(n, h // 2, w // 2, -1)


def _transpose(y: Array, kernel: Array, hwoi: bool) -> Array:
    n, h, w, _ = y.shape
    rows = as_rows(kernel.reshape(16, *kernel.shape[2:]), hwoi)
    (taps,) = multiply([matrix(y)], [rows], y.dtype, turn_right=not hwoi)
    taps = taps.astype(y.dtype).reshape(n, h, w, 4, 4, -1)

    def overlap_add(taps: Sequence[Array], axis: int) -> list[Array]:
        """Add up the columns that overlap; return the even and the odd pixels."""
        return [taps[1] + shifted(taps[3], 1, axis), taps[2] + shifted(taps[0], -1, axis)]

    taps = jnp.stack(overlap_add([taps[:, :, :, :, j] for j in range(4)], 2), 4)
    return jnp.stack(overlap_add([taps[:, :, :, i] for i in range(4)], 1), 2).reshape(
        n, 2 * h, 2 * w, -1
    )


def _kernel_gradient(x: Array, y: Array, hwoi: bool) -> Array:
    factors = [matrix(y)], [_columns(x)]
    (rows,) = multiply(*(factors if hwoi else factors[::-1]), x.dtype, turn_left=True)
    taps = from_rows(rows.astype(x.dtype), 16, hwoi)
    return taps.reshape(4, 4, *taps.shape[1:])


IM2COL = closed(_conv, _transpose, _kernel_gradient, multiple=2)
