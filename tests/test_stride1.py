"""The stride-1 convolution against XLA's own: values, gradients, and gradients of gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from flaxgan.convolutions import _stride1, conv_stride1, stride1, thin, winograd3x3

pytestmark = pytest.mark.usefixtures("own_convolutions")


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


@pytest.mark.slow
@pytest.mark.parametrize("lowering", [stride1, thin, winograd3x3], ids=lambda m: m.__name__)
@pytest.mark.parametrize("size, padding", [((8, 6), 0), ((7, 9), 1), ((5, 4), 2)])
def test_each_lowering_with_any_padding(lowering, size, padding):
    rng = np.random.default_rng(0)
    for channels in ((3, 9), (9, 3)) if lowering is thin else ((9, 10),):
        x, kernel = (
            jnp.asarray(rng.normal(size=shape), jnp.float32)
            for shape in ((4, *size, channels[0]), (3, 3, *channels))
        )
        y, pullback = jax.vjp(functools.partial(lowering.conv, padding=padding), x, kernel)
        reference, theirs = jax.vjp(functools.partial(stride1.xla_conv, padding=padding), x, kernel)
        cotangent = jnp.asarray(rng.normal(size=reference.shape), jnp.float32)
        for got, want in zip(
            (y, *pullback(cotangent)), (reference, *theirs(cotangent)), strict=True
        ):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * float(abs(want).max()))


def test_the_choice_by_shape():
    """Few channels, few tiles, another dtype: each has its own way."""

    def chosen(x, kernel, dtype=jnp.float32):
        return _stride1(jnp.zeros(x, dtype), jnp.zeros(kernel, dtype), len(kernel) and 1)

    assert chosen((1, 16, 16, 3), (7, 7, 3, 32)) is thin
    assert chosen((16, 16, 16, 16), (3, 3, 16, 64)) is stride1
    assert chosen((16, 16, 16, 32), (3, 3, 32, 32)) is winograd3x3
    assert chosen((1, 16, 16, 128), (3, 3, 128, 128)) is winograd3x3
    assert chosen((1, 8, 8, 128), (3, 3, 128, 128)) is stride1
    assert chosen((16, 4, 4, 512), (3, 3, 512, 512)) is stride1
    assert chosen((16, 16, 16, 32), (3, 3, 32, 32), jnp.bfloat16) is stride1
    assert chosen((16, 16, 16, 32), (5, 5, 32, 32)) is stride1


@pytest.mark.slow
@pytest.mark.parametrize(
    "lowering, channels", [(thin, (3, 5)), (stride1, (8, 9)), (winograd3x3, (8, 9))]
)
def test_gradients_of_gradients(lowering, channels):
    """As a gradient penalty takes them."""
    x, kernel, _ = inputs((13, 15), 3, channels)

    def penalty(layer, x, kernel):
        return jnp.square(jax.grad(lambda x: jnp.sin(layer(x, kernel)).sum())(x)).sum()

    ours, theirs = (
        jax.jit(jax.grad(lambda *a, f=f: penalty(f, *a), (0, 1)))(x, kernel / 8)
        for f in (functools.partial(lowering.conv, padding=1), xla)
    )
    for got, want in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(abs(want).max()))


def test_no_slow_kernel_gradient_is_left_on_the_cpu():
    """One convolution forward, one for the gradient by x, none for that by the kernel."""
    x, kernel = jnp.ones((2, 8, 8, 8)), jnp.ones((5, 5, 8, 8))
    gradients = jax.jit(
        jax.grad(lambda x, kernel: jnp.square(conv_stride1(x, kernel)).sum(), (0, 1))
    )
    assert gradients.lower(x, kernel).compile().as_text().count(" convolution(") == 2
