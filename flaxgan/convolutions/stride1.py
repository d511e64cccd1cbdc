"""The stride-1 convolution, with gradients that are fast on a CPU, too.

XLA's CPU gradients of it can take ten to twenty times as long as they need. The gradient by x is
the same convolution, by the kernel turned by 180 degrees, and that by the kernel one product.
"""

import functools

import jax
from jax import Array, lax

from flaxgan.convolutions import thin


def xla_conv(x: Array, kernel: Array, padding: int) -> Array:
    """Convolve by XLA with `padding` zeros at each side.

    (N, H, W, I), (S, S, I, O) -> (N, H + 2 * padding - S + 1, W + 2 * padding - S + 1, O).
    """
    sides = [(padding, padding)] * 2
    return lax.conv_general_dilated(
        x, kernel, (1, 1), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: Array, kernel: Array, padding: int) -> Array:
    """Convolve as xla_conv does. Its gradients are fast on a CPU."""
    return xla_conv(x, kernel, padding)


def _backward(padding: int, residuals: tuple[Array, Array], y: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    return conv(y, turned, len(kernel) - 1 - padding), thin.kernel_gradient(x, y, padding)


conv.defvjp(lambda x, kernel, padding: (conv(x, kernel, padding), (x, kernel)), _backward)
