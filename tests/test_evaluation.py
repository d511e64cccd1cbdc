"""What each metric is told of: on pictures whose pixels are their features."""

import jax
import numpy as np
import pytest

from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.data.pixels import preprocess
from flaxgan.methods.gan import create_state
from flaxgan.metrics.accuracy import _logits, _pairs
from flaxgan.metrics.comparison import Comparison
from flaxgan.metrics.evaluation import evaluate
from flaxgan.metrics.image_sets import ImageSet, _select
from flaxgan.metrics.reference import Reference
from flaxgan.pretrained import efficientnet
from flaxgan.rng import Rng


class Fake:
    """An extractor whose features are the pictures' own pixels."""

    name = "efficientnet_lite0"
    network = efficientnet

    def __call__(self, images, title, mirrored=False):
        x = images[:, :, ::-1] if mirrored else images
        return x.reshape(len(x), -1).astype(np.float32)

    def cached(self, images, sha256, title, mirrored=False):
        return self(images, title, mirrored)


def image_set(images, labels=None, names=()):
    return ImageSet(images, "", {"source": "test"}, labels, names)


@pytest.fixture
def compare():
    return lambda real, generated, mirror=False, **how: Comparison(
        Reference(real, Fake(), mirror), generated, **how
    )


def test_which_side_is_which(compare):
    """Half of the modes are drawn, well: precise, but not recalled; and none is a copy."""
    rng = np.random.default_rng(0)

    def tiny(centre, n):
        return np.clip(centre + rng.normal(0, 10, (n, 2, 2, 1)), 0, 255).astype(np.uint8)

    real = image_set(np.concatenate([tiny(60, 60), tiny(190, 60)])[rng.permutation(120)])
    c = compare(real, image_set(tiny(60, 120)))
    measured = evaluate(c, ["precision", "recall", "coverage", "memorisation", "fd"])
    value = {name: entry["value"] for name, entry in measured.items()}
    assert (
        value["precision"] > 0.8 and 0.3 < value["recall"] < 0.6 and 0.3 < value["coverage"] < 0.6
    )
    assert value["memorised"] < 0.2
    assert (
        measured["fd_efficientnet_lite0"]["reference"] > 1e-3
        and measured["recall"]["reference"] < 1
    )


def test_classes_that_are_confused_do_not_agree(compare):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = np.clip(
        60 + 120 * labels[:, None, None, None] + rng.normal(0, 10, (60, 2, 2, 1)), 0, 255
    ).astype(np.uint8)
    names = ("dark", "bright")
    c = compare(image_set(images, labels, names), image_set(images, 1 - labels, names))
    entry = evaluate(c, ["classes"])["class_agreement"]
    assert entry["value"] == 0 and entry["classes"]["dark"]["kid"] > 1


@pytest.mark.parametrize("loss", ["bce", "wgan"])
def test_accuracy_asks_about_each_kind_by_its_own_measure(compare, monkeypatch, loss):
    """A discriminator that sees brightness: real ones are bright, and all logits are positive."""
    monkeypatch.setattr(
        "flaxgan.metrics.accuracy._logits",
        lambda state, images, *_: np.asarray(images, float).mean((1, 2, 3)) - 5,
    )
    bright, dark = (np.full((8, 2, 2, 1), level, np.uint8) for level in (100, 50))
    c = compare(
        image_set(bright),
        image_set(dark),
        state="a run's",
        config=Config.make(batch_size=8, loss=loss),
    )
    got = [entry["value"] for entry in evaluate(c, ["accuracy"]).values()]
    assert got == {"bce": [1, 0], "wgan": [1, 1]}[loss]


@pytest.mark.parametrize(("smoothing", "share"), [(0.0, 0.25), (0.5, 0.75)])
def test_accuracy_knows_of_smoothed_targets_and_of_parts(compare, monkeypatch, smoothing, share):
    """Logits of -2, -1, -0.5 and 1 for real pictures: a smoothed target moves the boundary from 0
    to log(1/3), -1.1.
    """
    keys = []

    def logits(state, images, labels, rng, config):
        keys.append(tuple(jax.random.key_data(rng.key).tolist()))
        return np.array([-2.0, -1.0, -0.5, 1.0])[images[:, 0, 0, 0]]

    monkeypatch.setattr("flaxgan.metrics.accuracy._logits", logits)
    images = np.tile(np.arange(4, dtype=np.uint8), 4)[:, None, None, None] * np.ones(
        (1, 2, 2, 1), np.uint8
    )
    config = Config.make(batch_size=8, accumulate=2, label_smoothing=smoothing)
    measured = evaluate(
        compare(image_set(images), image_set(images), state="a run's", config=config), ["accuracy"]
    )
    assert (measured["d_real_accuracy"]["value"], measured["d_fake_accuracy"]["value"]) == (
        share,
        1 - share,
    )
    assert measured["d_real_accuracy"]["batch_size"] == 4 and len(set(keys)) == len(keys) == 8, (
        "a key each"
    )


def test_pictures_are_judged_in_pairs_of_a_class(compare, monkeypatch):
    """Logits are brightness and a thousand for each class: of a class, real pictures are the
    brighter ones.
    """
    monkeypatch.setattr(
        "flaxgan.metrics.accuracy._logits",
        lambda state, images, labels, *_: np.asarray(images, float)[:, 0, 0, 0] + 1000 * labels,
    )
    rng, names = np.random.default_rng(0), ("a", "b", "c")
    sets = [
        image_set(np.full((40, 2, 2, 1), level, np.uint8), rng.integers(0, 3, 40), names)
        for level in (100, 50)
    ]
    config = Config.make(batch_size=4, loss="relativistic", conditional=True, num_classes=3)
    measured = evaluate(compare(*sets, state="a run's", config=config), ["accuracy"])[
        "d_real_accuracy"
    ]
    both = sum(min(np.sum(one.labels == k) for one in sets) for k in range(3))
    assert measured["value"] == 1 and measured["images_of_each"] == both // 4 * 4
    pairs = _pairs(compare(*sets, state="a run's", config=config), 3)
    assert len(set(sets[0].labels[pairs[0, :8]])) > 1, "classes are mixed"
    apart = image_set(sets[1].images, np.zeros(40, int), names)
    c = compare(
        image_set(sets[0].images, np.ones(40, int), names), apart, state="a run's", config=config
    )
    assert not evaluate(c, ["accuracy"]) and "no generated picture is of a class" in c.caveats[0]


@pytest.mark.slow
def test_a_discriminator_judges_pictures_as_it_saw_them_in_training():
    """Most of what it does is left out, and pictures are changed so far that there is little to
    tell them by.
    """
    config = Config.make(image_size=16, channels=3, features=4, latent_dim=8, flip=False)
    state, images = (
        jax.jit(lambda: create_state(config))(),
        np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), np.uint8),
    )
    plain, again, noisy, dropped, augmented = (
        _logits(state, images, None, Rng(jax.random.key(1)), config.replace(**fields))
        for fields in (
            {},
            {"loss": "hinge"},
            {"instance_noise": 3.0},
            {"dropout": 0.0, "augment": "none"},
            {"augment": "cutout"},
        )
    )
    np.testing.assert_allclose(
        plain, state.discriminator.train_mode(preprocess(images))[0], rtol=1e-4, atol=1e-6
    )
    assert (again == plain).all() and (dropped == plain).all()
    for changed in (noisy, augmented):
        assert np.corrcoef(plain, changed)[0, 1] < 0.9
    half = config.replace(dropout=0.5)
    state = jax.jit(lambda: create_state(half))()
    dropped, others = (
        _logits(state, images, None, Rng(jax.random.key(seed)), half) for seed in (1, 2)
    )
    assert np.corrcoef(dropped, others)[0, 1] < 0.9


def test_few_generated_pictures_say_little_about_classes(compare):
    rng, names = np.random.default_rng(0), ("dark", "bright")
    labels = np.arange(60) % 2
    images = np.clip(
        60 + 120 * labels[:, None, None, None] + rng.normal(0, 10, (60, 2, 2, 1)), 0, 255
    ).astype(np.uint8)
    for count, said in ((19, 1), (20, 0)):
        c = compare(
            image_set(images, labels, names), image_set(images[:count], labels[:count], names)
        )
        evaluate(c, ["classes"])
        assert sum("may be missing by chance" in caveat for caveat in c.caveats) == said


def test_a_choice_is_at_random():
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    chosen = _select(Dataset.of(images), 20, {"source": "x"}).images.ravel().tolist()
    assert len(set(chosen)) == 20 and chosen != sorted(chosen) and max(chosen) > 40
