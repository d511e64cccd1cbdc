import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.models.attention import SelfAttention, attend, max_pool, plainly_attend
from flaxgan.models.batch_norm import BatchNorm, BatchNormOfClass
from flaxgan.models.layers import Conv, Dense, dropout, half, twice
from flaxgan.models.network import DiscriminatorNetwork
from flaxgan.models.resnet import Block
from flaxgan.rng import Rng

pytestmark = pytest.mark.usefixtures("own_convolutions")

X = jax.random.normal(jax.random.key(0), (6, 4, 4, 8))


def init(module, *args):
    return jax.jit(lambda *args: module.init(jax.random.key(1), *args))(*args)


@pytest.mark.parametrize(
    ("layer", "x"),
    [(Dense(5, spectral_norm=True), X.reshape(6, -1)), (Conv(5, spectral_norm=True), X)],
)
def test_spectral_norm_divides_by_the_largest_singular_value(layer, x):
    variables = init(layer, x)
    apply = jax.jit(lambda variables: layer.apply(variables, x, mutable=["batch_stats"])[1])
    for _ in range(100):
        variables = variables | apply(variables)
    largest = jnp.linalg.svd(variables["params"]["kernel"].reshape(-1, 5), compute_uv=False)[0]
    plain = type(layer)(5).apply({"params": variables["params"]}, x)
    np.testing.assert_allclose(layer.apply(variables, x), plain / largest, atol=1e-4)


def test_spectral_norm_keeps_its_vector_unless_it_is_training():
    layer, x = Dense(5, spectral_norm=True), X.reshape(6, -1)
    variables = init(layer, x)
    _, updates = layer.apply(variables, x, mutable=[])
    assert updates == {}


@pytest.mark.slow
def test_attention_begins_as_the_identity_and_is_a_weighted_mean_of_all_positions():
    layer = SelfAttention()
    variables = init(layer, X)
    assert (layer.apply(variables, X) == X).all()
    params = variables["params"] | {"gamma": jnp.ones(())}
    # the same everywhere: so is what is attended to, whatever the weights
    x = jnp.broadcast_to(X[:, :1, :1], X.shape)
    output, value = (params[name]["kernel"] for name in ("output", "values"))
    np.testing.assert_allclose(
        layer.apply({"params": params}, x), x + x @ value @ output, atol=1e-5
    )


def test_keys_and_values_are_the_largest_of_four_neighbours():
    x = jnp.asarray([[0, 1, 5, 6], [2, 3, 4, 4]], jnp.float32)[None, :, :, None]
    np.testing.assert_array_equal(max_pool(x)[0, :, :, 0], [[3, 6]])


def queries_keys_values(dtype):
    """Keys and values are far from 0 on one side, as the largest of four are."""
    shapes = (2, 64, 3), (2, 16, 3), (2, 16, 5)
    return [
        (2 * i + jax.random.normal(jax.random.key(i), shape)).astype(dtype)
        for i, shape in enumerate(shapes)
    ]


def test_attention_and_its_gradients_of_both_orders_are_those_that_jax_derives():
    arrays = queries_keys_values(jnp.float32)

    def all_of(attend):
        def gradients(*arrays):
            return jax.grad(lambda *arrays: jnp.sin(attend(*arrays)).sum(), (0, 1, 2))(*arrays)

        def penalty(*arrays):  # as R1's, a gradient of a gradient
            return sum((gradient**2).sum() for gradient in gradients(*arrays))

        return attend(*arrays), gradients(*arrays), jax.grad(penalty, (0, 1, 2))(*arrays)

    both = (
        jax.tree.leaves(jax.jit(all_of, static_argnums=0)(function))
        for function in (attend, plainly_attend)
    )
    for ours, derived in zip(*both, strict=True):
        np.testing.assert_allclose(ours, derived, rtol=0, atol=1e-5 * float(abs(derived).max()))


def test_attention_in_bfloat16_has_gradients_near_those_in_float32():
    def gradients(arrays):
        return jax.grad(
            lambda *arrays: jnp.sin(attend(*arrays).astype(jnp.float32)).sum(), (0, 1, 2)
        )(*arrays)

    low = queries_keys_values(jnp.bfloat16)
    full = [array.astype(jnp.float32) for array in low]
    for ours, exact in zip(jax.jit(gradients)(low), jax.jit(gradients)(full), strict=True):
        assert ours.dtype == jnp.bfloat16
        assert jnp.linalg.norm(ours.astype(jnp.float32) - exact) < 0.03 * jnp.linalg.norm(exact)


@pytest.mark.slow
@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("features", [8, 5])
def test_a_residual_block_that_resamples_is_a_block_and_the_resampling(features, spectral_norm):
    plain, up, down = (
        Block(features, 3, spectral_norm=spectral_norm, resampling=name)
        for name in (None, "up", "down")
    )
    variables = init(plain, X)
    # no kernel is zero, as the last is at first
    keys = iter(jax.random.split(jax.random.key(2), 20))
    params = jax.tree.map(
        lambda leaf: 0.3 * jax.random.normal(next(keys), leaf.shape), variables["params"]
    )
    apply = jax.jit(
        lambda block, x: block.apply(variables | {"params": params}, x), static_argnums=0
    )
    np.testing.assert_allclose(apply(up, X), apply(plain, twice(X)), atol=1e-4)
    np.testing.assert_allclose(apply(down, X), half(apply(plain, X)), atol=1e-4)


@pytest.mark.slow
def test_batch_norm_of_two_kinds_is_that_of_each_by_itself():
    first, second = X[:3], 2 * X[3:] + 1
    plain = BatchNorm(True, jnp.float32, None)
    variables = plain.init(jax.random.key(0), first)
    assert (variables["batch_stats"]["mean"] == 0).all() and (
        variables["batch_stats"]["var"] == 1
    ).all()
    y1, after = plain.apply(variables, first, mutable="batch_stats")
    want = (first - first.mean((0, 1, 2), keepdims=True)) / jnp.sqrt(
        first.var((0, 1, 2), keepdims=True) + 1e-5
    )
    np.testing.assert_allclose(y1, want * variables["params"]["scale"][None, None, None], atol=1e-5)
    np.testing.assert_allclose(after["batch_stats"]["mean"], 0.1 * first.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(
        after["batch_stats"]["var"], 0.9 + 0.1 * first.var((0, 1, 2)), atol=1e-5
    )

    y2, after = plain.apply({**variables, **after}, second, mutable="batch_stats")
    in_turns = jnp.stack([first, second], 1).reshape(X.shape)
    y, both = BatchNorm(True, jnp.float32, None, groups=2).apply(
        variables, in_turns, mutable="batch_stats"
    )
    np.testing.assert_allclose(y[::2], y1, atol=1e-5)
    np.testing.assert_allclose(y[1::2], y2, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), both, after)
    evaluated = BatchNorm(False, jnp.float32, None).apply({**variables, **both}, X)
    mean, var = (both["batch_stats"][name][None, None, None] for name in ("mean", "var"))
    np.testing.assert_allclose(
        evaluated,
        (X - mean) / jnp.sqrt(var + 1e-5) * variables["params"]["scale"][None, None, None],
        atol=1e-5,
    )


def test_each_class_has_its_own_scale_and_bias():
    layer = BatchNormOfClass(3, train=True, dtype=jnp.float32)
    labels = jnp.array([0, 1, 2, 0, 1, 2])
    variables = jax.jit(lambda: layer.init(jax.random.key(1), X, labels))()
    scale = jnp.array([[1.0], [2.0], [3.0]]) * jnp.ones((3, 8))
    params = {"scale": {"embedding": scale}, "bias": {"embedding": -scale}}
    y, _ = layer.apply(variables | {"params": params}, X, labels, mutable=["batch_stats"])
    normal = (X - X.mean((0, 1, 2), keepdims=True)) / jnp.sqrt(
        X.var((0, 1, 2), keepdims=True) + 1e-5
    )
    factor = (labels + 1.0)[:, None, None, None]
    np.testing.assert_allclose(y, normal * factor - factor, atol=1e-4)


def test_dropout_takes_the_share_and_keeps_the_mean():
    ones, rng = jnp.ones((400, 50)), Rng(jax.random.key(0))
    dropped = dropout(ones, 0.3, rng, 0)
    np.testing.assert_allclose((dropped == 0).mean(), 0.3, atol=0.01)
    np.testing.assert_allclose(dropped.mean(), 1, atol=0.015)
    assert (dropped != dropout(ones, 0.3, rng, 1)).any(), "the next layer draws anew"
    assert dropout(ones, 0.3, None, 0) is ones and dropout(ones, 0.0, rng, 0) is ones


def test_a_class_adds_its_embedding_times_the_features():
    class LogitsOf(DiscriminatorNetwork):
        @nn.compact
        def __call__(self, features, labels=None):
            return self.logits(features, labels)

    params = {"Dense_0": {"kernel": jnp.array([[100.0], [0.0]])}}
    features = jnp.array([[5.0, 7.0], [5.0, 7.0], [5.0, 7.0], [1.0, 4.0]])[:, None, None]
    assert LogitsOf((4, 4)).apply({"params": params}, features).tolist() == [500, 500, 500, 100]
    params["Embedding_0"] = {"kernel": jnp.array([[1.0, 0.0], [0.0, 2.0], [1.0, -1.0]])}
    of_classes = LogitsOf((4, 4), num_classes=3).apply(
        {"params": params}, features, jnp.array([0, 1, 2, 2])
    )
    assert of_classes.tolist() == [505, 514, 498, 97]


def test_the_norm_is_differentiated_too():
    """The output does not change with the kernel's scale: so its gradient is orthogonal to the
    kernel.
    """
    layer, x = Dense(5, spectral_norm=True), X.reshape(6, -1)
    variables = layer.init(jax.random.key(1), x)
    grads = jax.grad(lambda p: jnp.sin(layer.apply(variables | {"params": p}, x)).sum())(
        variables["params"]
    )
    kernel, grad = variables["params"]["kernel"], grads["kernel"]
    assert abs((kernel * grad).sum()) < 1e-4 * jnp.linalg.norm(kernel) * jnp.linalg.norm(grad)


def test_the_norm_is_near_from_the_beginning():
    layer, x = Dense(5, spectral_norm=True), X.reshape(6, -1)
    variables = layer.init(jax.random.key(1), x)
    largest = jnp.linalg.svd(variables["params"]["kernel"], compute_uv=False)[0]
    got = layer.apply(variables, x)
    np.testing.assert_allclose(
        jnp.linalg.norm(x @ variables["params"]["kernel"]) / jnp.linalg.norm(got) / largest,
        1,
        atol=0.01,
    )


def test_layer_norm_is_of_each_picture_by_itself():
    class Normed(DiscriminatorNetwork):
        @nn.compact
        def __call__(self, x):
            return self.normalised(x, train=True)

    x = 3 * X + 2 * jnp.arange(8.0)[None, None, None]
    layer = Normed((4, 4), norm="layer")
    y = layer.apply(layer.init(jax.random.key(0), x), x)
    want = (x - x.mean((1, 2, 3), keepdims=True)) / x.std((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, want, atol=1e-4)


def test_attention_as_written_out():
    layer = SelfAttention()
    params = layer.init(jax.random.key(1), X)["params"] | {"gamma": jnp.ones(())}
    q, k, out, v = (params[name]["kernel"] for name in ("queries", "keys", "output", "values"))

    def flat(x):
        return x.reshape(len(x), -1, x.shape[-1])

    want = X + (
        plainly_attend(flat(X @ (3 * q)), flat(max_pool(X @ (3 * k))), flat(max_pool(X @ v))) @ out
    ).reshape(X.shape)
    params = params | {"queries": {"kernel": 3 * q}, "keys": {"kernel": 3 * k}}
    np.testing.assert_allclose(layer.apply({"params": params}, X), want, atol=1e-5)


def test_residual_blocks_begin_as_the_identity():
    block = Block(8, 3)
    np.testing.assert_array_equal(block.apply(block.init(jax.random.key(1), X), X), X)
