"""Convolutions that double or halve against a convolution and the doubling or halving by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.convolutions import conv_stride1
from flaxgan.convolutions.resampled import conv_down, conv_up
from flaxgan.models.layers import half, twice


@pytest.mark.parametrize("size", [(8, 6), (2, 4), (14, 14)])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("channels", [(1, 4), (9, 2)])
@pytest.mark.parametrize(
    ("merged", "apart"),
    [(conv_up, lambda x, kernel: conv_stride1(twice(x), kernel)), (conv_down, lambda x, kernel: half(conv_stride1(x, kernel)))],
)
def test_values_and_gradients(size, kernel_size, channels, merged, apart):
    rng = np.random.default_rng(1)
    shapes = (2, *size, channels[0]), (kernel_size, kernel_size, *channels)
    x, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes)

    def run(layer):
        return layer(x, kernel), *jax.grad(lambda *arrays: jnp.sin(layer(*arrays)).sum(), (0, 1))(x, kernel)

    for got, want in zip(*(jax.jit(run, static_argnums=0)(layer) for layer in (merged, apart)), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * float(abs(want).max()))
