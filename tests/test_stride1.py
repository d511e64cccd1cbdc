"""The stride-1 convolution against XLA's own: values, gradients, and gradients of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from flaxgan.convolutions import conv_stride1


def xla(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def inputs(size, kernel_size, channels):
    rng = np.random.default_rng(1)
    shapes = (3, *size, channels[0]), (kernel_size, kernel_size, *channels), (3, *size, channels[1])
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (1, 2)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("channels", [(1, 4), (4, 1), (3, 5)])
def test_values_and_gradients(size, kernel_size, channels):
    x, kernel, cotangent = inputs(size, kernel_size, channels)

    def run(layer):
        y, pullback = jax.vjp(layer, x, kernel)
        return y, *pullback(cotangent)

    for got, want in zip(
        jax.jit(run, static_argnums=0)(conv_stride1),
        jax.jit(run, static_argnums=0)(xla),
        strict=True,
    ):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * float(abs(want).max()))


def test_gradients_of_gradients():
    """As a gradient penalty takes them."""
    x, kernel, _ = inputs((6, 5), 3, (3, 5))

    def penalty(layer, x, kernel):
        return jnp.square(jax.grad(lambda x: jnp.sin(layer(x, kernel)).sum())(x)).sum()

    ours, theirs = (
        jax.jit(jax.grad(lambda *a, f=f: penalty(f, *a), (0, 1)))(x, kernel / 8)
        for f in (conv_stride1, xla)
    )
    for got, want in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(abs(want).max()))


def test_no_slow_kernel_gradient_is_left_on_the_cpu():
    """One convolution forward, one for the gradient by x, none for that by the kernel."""
    x, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 4))
    gradients = jax.jit(
        jax.grad(lambda x, kernel: jnp.square(conv_stride1(x, kernel)).sum(), (0, 1))
    )
    assert gradients.lower(x, kernel).compile().as_text().count(" convolution(") == 2
