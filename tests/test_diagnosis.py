"""What is wrong with a run, told from pictures and numbers made to be so."""

import numpy as np
import pytest

from flaxgan.data.synthetic import draw
from flaxgan.diagnosis import diagnose

ROWS = [{"step": i, "d_real_accuracy": 0.9, "d_fake_accuracy": 0.8} for i in range(40)]


@pytest.fixture(scope="module")
def flowers():
    """uint8 (64, 64, 64, 3), two sets."""
    images = np.stack([np.asarray(draw(i)[0].resize((64, 64))) for i in range(128)])
    return images[::2], images[1::2]


def test_other_real_pictures_are_healthy(flowers):
    assert diagnose(*flowers, ROWS, {"feature_distance": 10.0}) is None
    assert diagnose(*flowers, []) is None
    assert diagnose(flowers[0], flowers[1][:0], ROWS) is None, "where none could be drawn"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: 0.2 * x + 100, "flat or grey"),
        (lambda x: np.full_like(x, 128), "flat or grey"),
        (lambda x: np.random.default_rng(0).integers(0, 255, x.shape), "noise"),
        (lambda x: np.repeat(x[:1], len(x), 0), "look alike"),
    ],
)
def test_bad_pictures_are_told_by_their_illness(flowers, spoil, said):
    real, other = flowers
    illness = diagnose(real, spoil(other).astype(np.uint8), ROWS)
    assert said in illness and "--" in illness, "with a flag that helps"


def test_collapse_is_told_from_features_too(flowers):
    rows = [*ROWS, {"step": 41, "feature_distance": 3.0}]
    assert "look alike" in diagnose(*flowers, rows, {"feature_distance": 15.0})
    assert diagnose(*flowers, rows, {"feature_distance": 6.0}) is None


def test_a_discriminator_that_is_always_right(flowers):
    wins = [row | {"d_real_accuracy": 1.0, "d_fake_accuracy": 1.0} for row in ROWS]
    assert "--augment" in diagnose(*flowers, wins)
    assert diagnose(*flowers, wins[:5]) is None, "too few rows to tell"
    assert diagnose(*flowers, [*wins[:20], *ROWS[20:]]) is None, "it no longer does"
