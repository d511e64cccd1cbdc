"""What each metric is told of: on pictures whose pixels are their features."""

from types import SimpleNamespace

import numpy as np
import pytest

from flaxgan.data import ImageDataset
from flaxgan.metrics import efficientnet
from flaxgan.metrics.evaluation import Comparison, evaluate
from flaxgan.metrics.reference import PictureSet, Reference
from flaxgan.metrics.sets import _select


class Fake:
    """An extractor whose features are the pictures' own pixels."""

    name = "efficientnet_lite0"
    network = efficientnet

    def __call__(self, images, title, mirrored=False):
        x = images[:, :, ::-1] if mirrored else images
        return x.reshape(len(x), -1).astype(np.float32)

    def cached(self, images, sha256, title, mirrored=False):
        return self(images, title, mirrored)


def picture_set(images, labels=None, names=()):
    return PictureSet(images, "", {"source": "test"}, labels, names)


@pytest.fixture
def compare():
    return lambda real, generated, mirror=False, **how: Comparison(Reference(real, Fake(), mirror), generated, **how)


def test_which_side_is_which(compare):
    """Half of the modes are drawn, well: precise, but not recalled; and none is a copy."""
    rng = np.random.default_rng(0)

    def tiny(centre, n):
        return np.clip(centre + rng.normal(0, 10, (n, 2, 2, 1)), 0, 255).astype(np.uint8)

    real = picture_set(np.concatenate([tiny(60, 60), tiny(190, 60)])[rng.permutation(120)])
    c = compare(real, picture_set(tiny(60, 120)))
    measured = evaluate(c, ["precision", "recall", "coverage", "memorisation", "fd"])
    value = {name: entry["value"] for name, entry in measured.items()}
    assert value["precision"] > 0.8 and 0.3 < value["recall"] < 0.6 and 0.3 < value["coverage"] < 0.6
    assert value["memorised"] < 0.2
    assert measured["fd_efficientnet_lite0"]["reference"] > 1e-3 and measured["recall"]["reference"] < 1


def test_classes_that_are_confused_do_not_agree(compare):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = np.clip(60 + 120 * labels[:, None, None, None] + rng.normal(0, 10, (60, 2, 2, 1)), 0, 255).astype(np.uint8)
    names = ("dark", "bright")
    c = compare(picture_set(images, labels, names), picture_set(images, 1 - labels, names))
    entry = evaluate(c, ["classes"])["class_agreement"]
    assert entry["value"] == 0 and entry["classes"]["dark"]["kid"] > 1


@pytest.mark.parametrize("loss", ["bce", "wgan"])
def test_accuracy_asks_about_each_kind_by_its_own_measure(compare, monkeypatch, loss):
    """A discriminator that sees brightness: real ones are bright, and all logits are positive."""
    monkeypatch.setattr(
        "flaxgan.metrics.evaluation._logits", lambda d, images, labels: np.asarray(images, float).mean((1, 2, 3)) - 5
    )
    bright, dark = (np.full((8, 2, 2, 1), level, np.uint8) for level in (100, 50))
    discriminator = SimpleNamespace(module=SimpleNamespace(num_classes=None))
    c = compare(picture_set(bright), picture_set(dark), discriminator=discriminator, batch_size=8, loss=loss)
    got = [entry["value"] for entry in evaluate(c, ["accuracy"]).values()]
    assert got == {"bce": [1, 0], "wgan": [1, 1]}[loss]


def test_a_choice_is_at_random():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    chosen = _select(ImageDataset(images, np.zeros(100, np.int32), (), ""), 20, {"source": "x"}).images.ravel().tolist()
    assert len(set(chosen)) == 20 and chosen != sorted(chosen) and max(chosen) > 40
