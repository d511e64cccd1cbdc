"""The EfficientNet-Lite0 extractor with its published weights."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from PIL import Image, ImageFilter

from flaxgan.data.synthetic import draw
from flaxgan.metrics.kernel import mmd2
from flaxgan.pretrained import efficientnet
from flaxgan.pretrained.extractor import Extractor, own_devices
from flaxgan.system.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def extractor(cache):
    return Extractor("efficientnet_lite0", own_devices())


@pytest.fixture(scope="module")
def flowers():
    return np.stack([np.asarray(draw(i)[0].resize((32, 32))) for i in range(70)])


@pytest.mark.parametrize("size, stride", [(3, 1), (5, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (14, 5)])
def test_depthwise_convolution_equals_xlas(size, stride, shape):
    x = RNG.normal(size=(2, *shape, 6)).astype(np.float32)
    kernel = RNG.normal(size=(size, size, 6)).astype(np.float32)
    dimensions = ("NHWC", "HWIO", "NHWC")
    expected = lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        (stride, stride),
        "SAME",
        dimension_numbers=dimensions,
        feature_group_count=6,
    )
    np.testing.assert_allclose(efficientnet.depthwise(x, kernel, stride), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (28, 28), (300, 200), (224, 224)])
def test_resize_is_the_bicubic_one_that_pillow_has(shape):
    image = RNG.integers(0, 256, shape).astype(np.uint8)
    expected = Image.fromarray(image.astype(np.float32)).resize(
        (224, 224), Image.Resampling.BICUBIC
    )
    resized = np.asarray(efficientnet.resize(image[None, :, :, None]))
    assert resized.shape == (1, 224, 224, 3) and resized.min() >= 0 and resized.max() <= 255
    np.testing.assert_allclose(resized[0, :, :, 0], np.clip(expected, 0, 255), atol=5e-3)
    np.testing.assert_array_equal(resized[..., 0], resized[..., 2])


@pytest.mark.slow
def test_features_depend_on_the_picture_alone(extractor, flowers):
    features = extractor(flowers, "one device, a ragged batch")
    assert features.shape == (70, 1280) and features.dtype == np.float32
    assert np.isfinite(features).all() and features.std(0).mean() > 0.05
    every = Extractor("efficientnet_lite0", jax.devices())
    np.testing.assert_allclose(every(flowers[30:], "eight devices"), features[30:], atol=1e-4)


@pytest.mark.slow
def test_mirrored_features_are_those_of_mirrored_pictures(extractor, flowers):
    mirrored = np.ascontiguousarray(flowers[:64, :, ::-1])
    np.testing.assert_array_equal(
        extractor(flowers[:64], "", mirrored=True), extractor(mirrored, "")
    )


@pytest.mark.slow
def test_cached_features_are_read_again(extractor, flowers, monkeypatch):
    first = extractor.cached(flowers[:8], "these pictures", "")
    monkeypatch.setattr(Extractor, "__call__", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(extractor.cached(flowers[:8], "these pictures", ""), first)


@pytest.mark.slow
def test_features_that_were_cut_short_are_extracted_anew(extractor, flowers, cache):
    first = np.array(extractor.cached(flowers[:8], "pictures of a cut file", ""))
    newest = max((cache / "features").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for size in (0, 5, newest.stat().st_size - 1):
        os.truncate(newest, size)
        np.testing.assert_array_equal(
            extractor.cached(flowers[:8], "pictures of a cut file", ""), first
        )


@pytest.mark.slow
def test_more_damage_is_further_away(extractor, flowers):
    flowers = flowers[:64]  # one batch

    def damaged(change):
        return np.stack([np.asarray(change(Image.fromarray(image))) for image in flowers])

    def blocks(side):
        return lambda image: image.resize((side, side), Image.Resampling.BOX).resize(
            (32, 32), Image.Resampling.NEAREST
        )

    real, other = extractor(flowers, "")[::2], extractor(flowers, "")[1::2]
    noise = RNG.normal(size=flowers.shape)
    series = {
        "noise": [np.clip(flowers + scale * noise, 0, 255).astype(np.uint8) for scale in (10, 60)],
        "blur": [
            damaged(lambda image, r=r: image.filter(ImageFilter.GaussianBlur(r))) for r in (0.7, 3)
        ],
        "blocks": [damaged(blocks(side)) for side in (16, 6)],
    }
    for name, (slightly, badly) in series.items():
        distances = [
            mmd2(real, x)
            for x in (other, extractor(slightly, name)[1::2], extractor(badly, name)[1::2])
        ]
        assert distances == sorted(distances) and distances[2] > 2 * abs(distances[1]), (
            name,
            distances,
        )


def test_weights_that_are_not_the_published_ones(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256"):
        efficientnet.load(tmp_path / "weights.pth")


def test_features_of_a_grey_picture_are_those_of_it_in_three_equal_channels():
    grey = RNG.integers(0, 256, (1, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_array_equal(
        efficientnet.resize(grey), efficientnet.resize(jnp.repeat(grey, 3, -1))
    )
