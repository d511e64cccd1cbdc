"""InceptionV3 without PyTorch: shapes, the folded batch norm, pooling, resizing and loading.
Values: tests/parity.
"""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from flaxgan.metrics.inception_score import inception_score
from flaxgan.pretrained import inception
from flaxgan.pretrained.inception_v3 import InceptionV3, average_pool, convolve
from flaxgan.system.errors import UserError


@pytest.fixture(scope="module")
def shapes():
    """The shape of every parameter, by path."""
    variables = jax.eval_shape(InceptionV3().init, jax.random.key(0), jnp.zeros((1, 299, 299, 3)))
    return {path: leaf.shape for path, leaf in flatten_dict(variables["params"]).items()}


@pytest.fixture(scope="module")
def tensors(shapes):
    """A state_dict as published, of random numbers."""
    rng = np.random.default_rng(0)
    tensors = {"fc.weight": rng.normal(0, 0.02, (1008, 2048)), "fc.bias": rng.normal(size=1008)}
    for path, shape in shapes.items():
        if len(shape) == 4:
            height, width, inputs, outputs = shape
            name = ".".join(path[:-1])
            tensors[f"{name}.conv.weight"] = rng.normal(
                0, np.sqrt(2 / (height * width * inputs)), (outputs, inputs, height, width)
            )
            for part in ("weight", "running_var"):
                tensors[f"{name}.bn.{part}"] = rng.uniform(0.5, 1.5, outputs)
            for part in ("bias", "running_mean"):
                tensors[f"{name}.bn.{part}"] = rng.normal(0, 0.1, outputs)
            tensors[f"{name}.bn.num_batches_tracked"] = np.array(0)
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


@pytest.fixture(scope="module")
def variables(tensors):
    return inception.convert(tensors)


def test_the_network_is_the_published_one(shapes):
    """94 convolutions; 23,851,784 parameters in Keras' InceptionV3 of 1000 classes."""
    assert len(shapes) == 2 * 94
    without_classifier = sum(map(np.prod, shapes.values()))
    # Keras keeps a batch norm's beta, mean and variance (17,216 channels) where we keep one bias.
    assert without_classifier + 2 * 17_216 + 2048 * 1000 + 1000 == 23_851_784


@pytest.mark.slow
def test_features_and_logits(variables, shapes, tensors):
    got = {path: leaf.shape for path, leaf in flatten_dict(variables["params"]).items()}
    assert got == shapes | {("fc", "kernel"): (2048, 1008)}
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 16, 3), np.uint8)
    features = jax.jit(inception.features)(variables, images)
    logits = inception.logits(variables, features)
    assert features.shape == (2, inception.DIM) and logits.shape == (2, 1008)
    assert features.dtype == logits.dtype == jnp.float32
    assert np.isfinite(features).all() and np.isfinite(logits).all() and (features >= 0).all()
    assert (features.std(1) > 0).all()
    want = np.asarray(features, np.float64) @ tensors["fc.weight"].T
    np.testing.assert_allclose(logits, want, rtol=0, atol=1e-5 * abs(want).max())


def test_folding_is_the_batch_norm_after_the_convolution(tensors, variables):
    name = "Mixed_6b.branch7x7_2"
    x = np.random.default_rng(1).normal(size=(1, 9, 9, 128)).astype(np.float32)
    folded = variables["params"]["Mixed_6b"]["branch7x7_2"]
    got = convolve(x, folded["kernel"], 1, "SAME") + folded["bias"].reshape(1, 1, 1, -1)
    y = np.asarray(convolve(x, tensors[f"{name}.conv.weight"].transpose(2, 3, 1, 0), 1, "SAME"))
    gamma, beta, mean, variance = (
        tensors[f"{name}.bn.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    want = (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * abs(want).max())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kernel", [(1, 1), (1, 7), (7, 1), (3, 3), (5, 5)])
def test_convolutions_as_xla_has_them(kernel, padding, stride):
    rng = np.random.default_rng(0)
    for size in ((9, 8), (14, 15)):
        x, k = (
            jnp.asarray(rng.normal(size=(2, *size, 3))),
            jnp.asarray(rng.normal(size=(*kernel, 3, 4))),
        )
        want = jax.lax.conv_general_dilated(
            x, k, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        np.testing.assert_allclose(convolve(x, k, stride, padding), want, rtol=0, atol=1e-4)


def test_average_pool_leaves_out_what_is_not_there():
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    want = [
        [(0 + 1 + 3 + 4) / 4, (0 + 1 + 2 + 3 + 4 + 5) / 6, (1 + 2 + 4 + 5) / 4],
        [(0 + 1 + 3 + 4 + 6 + 7) / 6, sum(range(9)) / 9, (1 + 2 + 4 + 5 + 7 + 8) / 6],
        [(3 + 4 + 6 + 7) / 4, (3 + 4 + 5 + 6 + 7 + 8) / 6, (4 + 5 + 7 + 8) / 4],
    ]
    np.testing.assert_allclose(average_pool(x)[0, :, :, 0], want, rtol=1e-6)


def test_resize_by_hand(monkeypatch):
    """2x2 -> 4x4: positions 0, 0.5, 1 and 1.5, where the last has nothing but pixel 1 to come
    from.
    """
    monkeypatch.setattr(inception, "SIDE", 4)
    images = np.array([[0, 100], [40, 200]], np.uint8).reshape(1, 2, 2, 1)
    got = inception.resize(images)
    want = [[0, 50, 100, 100], [20, 85, 150, 150], [40, 120, 200, 200], [40, 120, 200, 200]]
    assert got.shape == (1, 4, 4, 3)
    for channel in range(3):
        np.testing.assert_array_equal(got[0, :, :, channel], want)


def test_resize_down_takes_single_pixels():
    """598 -> 299: every other pixel, untouched by its neighbours, since the rule doesn't smooth."""
    images = np.random.default_rng(0).integers(0, 256, (1, 598, 299, 3), np.uint8)
    np.testing.assert_array_equal(inception.resize(images), images[:, ::2])


def test_the_weights_file(tmp_path, monkeypatch, tensors):
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(inception, "URL", (tmp_path / "absent.pth").as_uri())
    with pytest.raises(UserError, match="can't download .*give --inception-weights FILE"):
        inception.load()
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(UserError, match="other.pth is not the published weight file"):
        inception.load(tmp_path / "other.pth")
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(b"other").hexdigest())
    monkeypatch.setattr("flaxgan.pretrained.weights.read_tensors", {b"other": tensors}.get)
    monkeypatch.setattr(inception, "URL", (tmp_path / "other.pth").as_uri())
    for path in (tmp_path / "other.pth", None):
        np.testing.assert_allclose(
            inception.load(path)["params"]["fc"]["kernel"], tensors["fc.weight"].T
        )


def test_inception_score_of_certain_and_uncertain_pictures():
    """Every picture surely of its own one of 4 classes: 4. All the same, or all undecided: 1."""
    certain = np.tile(50 * np.eye(4, dtype=np.float32), (10, 1))
    np.testing.assert_allclose(inception_score(certain), (4, 0), atol=1e-12)
    np.testing.assert_allclose(inception_score(np.tile(certain[:1], (40, 1))), (1, 0), atol=1e-12)
    np.testing.assert_allclose(inception_score(np.zeros((40, 4), np.float32)), (1, 0), atol=1e-12)
    np.testing.assert_allclose(
        inception_score(np.concatenate([certain[:20], np.zeros((20, 4))]), 2),
        (2.5, 1.5),
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="3 pictures can't be split into 10 parts"):
        inception_score(certain[:3])
