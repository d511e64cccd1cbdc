"""Every lowering against XLA's own convolutions: values and gradients, for odd and even sizes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from flaxgan import convolutions
from flaxgan.convolutions import tiles
from flaxgan.convolutions.plain import plain_convolutions

pytestmark = pytest.mark.usefixtures("own_convolutions")

SIZES = [(8, 8), (14, 20), (7, 7), (5, 6), (2, 2)]
LOWERINGS = [
    convolutions.IM2COL,
    convolutions.F2,
    convolutions.F4,
    convolutions.XLA,
    convolutions.XLA_IN_BLOCKS,
]


def xla_conv(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def xla_conv_transpose(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME")


def values_and_gradients(layer, x, kernel, seed=2):
    """(y, gradient by x, gradient by the kernel), both for a random cotangent of y."""

    def run(x, kernel):
        y, pullback = jax.vjp(layer, x, kernel)
        return y, *pullback(jax.random.normal(jax.random.key(seed), y.shape))

    return jax.jit(run)(x, kernel)


def agree(ours, theirs, x, kernel):
    """To float32 rounding."""
    for got, want in zip(
        *(values_and_gradients(layer, x, kernel) for layer in (ours, theirs)), strict=True
    ):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * float(abs(want).max()))


def inputs(size, channels):
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(2, *size, channels[0])), rng.normal(size=(4, 4, *channels))
    return jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_convolution(size, lowering):
    agree(functools.partial(convolutions._conv, lowering), xla_conv, *inputs(size, (3, 5)))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_transposed_convolution(size, lowering):
    agree(
        functools.partial(convolutions._conv_transpose, lowering),
        xla_conv_transpose,
        *inputs(size, (8, 3)),
    )


@pytest.mark.slow
# FEW_POSITIONS, more, and MANY_POSITIONS
@pytest.mark.parametrize("size", [(12, 8), (24, 16), (64, 64)])
@pytest.mark.parametrize("channels", [(3, 16), (16, 3), (16, 8)])
def test_the_layers_of_this_platform(size, channels):
    agree(convolutions.conv4x4, xla_conv, *inputs(size, channels))
    agree(
        convolutions.conv4x4_transpose,
        xla_conv_transpose,
        *inputs((size[0] // 2, size[1] // 2), channels),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer, whole",
    [(convolutions.conv4x4, xla_conv), (convolutions.conv4x4_transpose, xla_conv_transpose)],
)
def test_bfloat16_is_off_by_less_than_two_roundings(layer, whole):
    x, kernel = inputs((64, 64), (16, 16))
    want = whole(x, kernel)
    got = layer(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)).astype(jnp.float32)
    assert jnp.square(got - want).mean() <= (2 * 2**-8) ** 2 * jnp.square(want).mean()


@pytest.mark.parametrize(
    "count, x_bytes, parts",
    [
        (64, 10, 1),
        (64, 11, 2),
        (64, 20, 2),
        (64, 10**6, 64),
        (100, 500, 50),
        (37, 19, 1),
        (37, 200, 37),
    ],
)
def test_parts_of_a_batch_are_as_large_as_the_cache_or_nearly(count, x_bytes, parts):
    n, part = tiles._parts(10, x_bytes, [jnp.arange(count)])
    assert n == parts
    np.testing.assert_array_equal(part(n - 1)[0], np.arange(count)[n - 1 :: n])


@pytest.mark.slow
@pytest.mark.parametrize(
    "part, whole", [("_conv", xla_conv), ("_conv_transpose", xla_conv_transpose)]
)
def test_a_batch_in_parts(monkeypatch, part, whole):
    x, kernel = inputs((8, 12), (3, 5))
    monkeypatch.setattr(convolutions.winograd, "CACHED", x.nbytes // 8)
    layer, batch = (
        functools.partial(getattr(convolutions, part), convolutions.F4),
        jnp.concatenate([x, -x, 2 * x]),
    )
    computed = str(jax.make_jaxpr(layer)(batch, kernel))
    assert computed.count("dot_general[") == 25 and "length=6\n" in computed
    agree(layer, whole, batch, kernel)


@pytest.mark.parametrize(
    "y, channels, dtype, want",
    [
        ((8, 16, 16), 8, "float32", convolutions.F4),
        ((9, 15, 16), 8, "float32", convolutions.F4),  # padded by F2, too
        ((9, 16, 15), 8, "float32", convolutions.F4),
        ((8, 14, 32), 8, "float32", convolutions.F2),  # which F4 would pad, but not F2
        ((8, 32, 14), 8, "float32", convolutions.F2),
        ((2048, 1, 1), 8, "float32", convolutions.F2),
        ((7, 16, 16), 8, "float32", convolutions.F2),
        ((8, 16, 16), 8, "bfloat16", convolutions.F2),
        ((8, 16, 16), 8, "float16", convolutions.F2),
        ((2, 8, 8), 8, "float32", convolutions.IM2COL),
        ((8, 16, 16), 7, "float32", convolutions.IM2COL),
    ],
)
def test_the_choice_on_the_cpu(monkeypatch, y, channels, dtype, want):
    monkeypatch.setattr(convolutions, "on_cpu", lambda: True)
    assert convolutions._lowering(*y, channels, jnp.dtype(dtype)) == want


@pytest.mark.parametrize("dtype, most_in_blocks", [("float32", 64), ("bfloat16", 7)])
def test_the_choice_elsewhere(monkeypatch, dtype, most_in_blocks):
    monkeypatch.setattr(convolutions, "on_cpu", lambda: False)
    chosen = [
        convolutions._lowering(8, 16, 16, channels, jnp.dtype(dtype))
        for channels in (3, most_in_blocks, most_in_blocks + 1)
    ]
    assert chosen == [convolutions.XLA_IN_BLOCKS, convolutions.XLA_IN_BLOCKS, convolutions.XLA]


@pytest.mark.slow
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize(
    "part, whole", [("_conv", xla_conv), ("_conv_transpose", xla_conv_transpose)]
)
def test_gradients_of_gradients(lowering, part, whole):
    """As a gradient penalty takes them."""

    def penalty(layer, x, kernel):
        return jnp.square(jax.grad(lambda x: jnp.sin(layer(x, kernel)).sum())(x)).sum()

    x, kernel = inputs((6, 8), (3, 5))
    ours = functools.partial(getattr(convolutions, part), lowering)
    for got, want in zip(
        *(
            jax.grad(functools.partial(penalty, layer), (0, 1))(x, kernel / 8)
            for layer in (ours, whole)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(abs(want).max()))


LAYERS = [
    (convolutions.conv4x4, 4),
    (convolutions.conv4x4_transpose, 4),
    (convolutions.conv_stride1, 3),
]


def program_of_gradients(layer, size, kernel_size):
    x, kernel = jnp.ones((2, size, size, 16)), jnp.ones((kernel_size, kernel_size, 16, 16))
    gradients = jax.jit(jax.grad(lambda x, kernel: layer(x, kernel).sum(), (0, 1)))
    return gradients.lower(x, kernel).compile().as_text()


@pytest.mark.parametrize("size", [8, 24, 64])
@pytest.mark.parametrize("layer, kernel_size", LAYERS[:2])
def test_no_slow_convolution_is_left_on_the_cpu(size, layer, kernel_size):
    """XLA's CPU gradients of these convolutions are what the lowerings are there to avoid."""
    assert "convolution(" not in program_of_gradients(layer, size, kernel_size)


@pytest.mark.parametrize("layer, kernel_size", LAYERS)
def test_other_platforms_have_convolutions_of_their_own(monkeypatch, layer, kernel_size):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    program = program_of_gradients(layer, 24, kernel_size)
    assert program.count("convolution(") >= 2 and "dot(" not in program


@pytest.mark.slow
def test_the_kernels_gradient_is_differentiable_too():
    x, kernel = inputs((6, 8), (3, 5))

    def of_squared_gradient(conv):
        def squared(x, kernel):
            return jnp.square(jax.grad(lambda kernel: jnp.sin(conv(x, kernel)).sum())(kernel)).sum()

        return jax.grad(squared, (0, 1))(x, kernel / 8)

    ours = functools.partial(convolutions._conv, convolutions.IM2COL)
    for got, want in zip(of_squared_gradient(ours), of_squared_gradient(xla_conv), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(abs(want).max()))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_what_is_exported_is_the_same_convolution(size, monkeypatch):
    """As one operation of XLA each, whatever the lowering on a CPU is."""
    monkeypatch.setattr(convolutions, "on_cpu", lambda: True)
    x, kernel = inputs(size, (8, 8))
    layers = convolutions.conv4x4, convolutions.conv4x4_transpose, convolutions.conv_stride1
    fast = [layer(x, kernel[:3, :3] if layer is layers[-1] else kernel) for layer in layers]
    with plain_convolutions():
        plain = [layer(x, kernel[:3, :3] if layer is layers[-1] else kernel) for layer in layers]
        operations = str(jax.make_jaxpr(convolutions.conv4x4_transpose)(x, kernel))
    assert operations.count("conv_general_dilated[") == 1 and "dot_general" not in operations
    for a, b in zip(fast, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=5e-6 * float(abs(b).max()))
