"""Convolutions that double or halve against a convolution and the doubling or halving by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_down, conv_up
from flaxgan.models.layers import half, twice

pytestmark = pytest.mark.usefixtures("own_convolutions")


def doubled(x, kernel):
    return conv_stride1(twice(x), kernel)


def halved(x, kernel):
    return half(conv_stride1(x, kernel))


PAIRS = pytest.mark.parametrize(("merged", "apart"), [(conv_up, doubled), (conv_down, halved)])
KERNEL_SIZES = pytest.mark.parametrize("kernel_size", [3, 5])


def inputs(size, kernel_size, channels):
    rng = np.random.default_rng(1)
    shapes = (2, *size, channels[0]), (kernel_size, kernel_size, *channels)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def assert_same(function, merged, apart):
    both = (
        jax.tree.leaves(jax.jit(function, static_argnums=0)(layer)) for layer in (merged, apart)
    )
    for got, want in zip(*both, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(abs(want).max()))


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("size", "channels"), [((8, 6), (1, 4)), ((2, 4), (9, 2)), ((24, 16), (9, 16))]
)
@KERNEL_SIZES
@PAIRS
def test_values_and_gradients(monkeypatch, platform, size, kernel_size, channels, merged, apart):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    arrays = inputs(size, kernel_size, channels)

    def run(layer):
        return layer(*arrays), jax.grad(lambda *arrays: jnp.sin(layer(*arrays)).sum(), (0, 1))(
            *arrays
        )

    assert_same(run, merged, apart)


@KERNEL_SIZES
@PAIRS
def test_gradients_of_gradients(kernel_size, merged, apart):
    """As a gradient penalty takes them."""
    x, kernel = inputs((8, 6), kernel_size, (3, 5))

    def penalty(layer):
        def squares(x, kernel):
            return jnp.square(jax.grad(lambda x: jnp.sin(layer(x, kernel)).sum())(x)).sum()

        return jax.grad(squares, (0, 1))(x, kernel / 8)

    assert_same(penalty, merged, apart)


@KERNEL_SIZES
@PAIRS
def test_fewer_operations(kernel_size, merged, apart):
    x, kernel = inputs((24, 16), kernel_size, (32, 32))
    merged, apart = (
        jax.jit(layer).lower(x, kernel).compile().cost_analysis()["flops"]
        for layer in (merged, apart)
    )
    # the 3x3 one apart has fewer of its own, by minimal filtering
    assert merged < (0.6 if kernel_size == 5 else 0.9) * apart
