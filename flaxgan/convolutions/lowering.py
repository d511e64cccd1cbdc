"""What a lowering of the 4x4 stride-2 convolution is.

A convolution is bilinear, and <conv(x, kernel), y> is linear in all three. So the convolution, its
transpose and the gradient by the kernel are the gradients of one form: each one's own gradients are
the other two. All three are written out, since what JAX would derive adds up padded pieces, pixel
by pixel; stacking the pieces writes whole rows of channels, which the CPU does faster.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import Array

Bilinear = Callable[[Array, Array], Array]


class Lowering(NamedTuple):
    conv: Bilinear  # x (N, H, W, C), kernel (4, 4, C, O) -> y (N, H/2, W/2, O)
    transpose: Bilinear  # y, kernel (4, 4, O, C), as the layer that it is has it -> x
    multiple: int  # even, of which H and W have to be


def closed(
    conv: Callable[..., Array],
    transpose: Callable[..., Array],
    kernel_gradient: Callable[..., Array],
    multiple: int,
) -> Lowering:
    """Return a lowering of three forms that are each other's gradients, of any order.

    Each takes hwoi=: whether kernels are (4, 4, O, C).
    """

    def pair(hwoi: bool) -> tuple[Bilinear, Bilinear]:
        c, t, g = (
            jax.custom_vjp(functools.partial(form, hwoi=hwoi))
            for form in (conv, transpose, kernel_gradient)
        )
        c.defvjp(
            lambda x, kernel: (c(x, kernel), (x, kernel)),
            lambda residuals, y: (t(y, residuals[1]), g(residuals[0], y)),
        )
        t.defvjp(
            lambda y, kernel: (t(y, kernel), (y, kernel)),
            lambda residuals, x: (c(x, residuals[1]), g(x, residuals[0])),
        )
        g.defvjp(
            lambda x, y: (g(x, y), (x, y)),
            lambda residuals, kernel: (t(residuals[1], kernel), c(residuals[0], kernel)),
        )
        return c, t

    return Lowering(pair(False)[0], pair(True)[1], multiple)
