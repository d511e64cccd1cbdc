import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.methods.augment import AUGMENTATIONS, augmented, color, cutout, translation
from flaxgan.rng import Rng

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (16, 8, 8, 3)), jnp.float32)
RNG = Rng(jax.random.key(0))


def test_nothing_asked_for_changes_nothing():
    assert augmented(IMAGES, RNG, ()) is IMAGES


def test_color_keeps_the_shape_of_a_picture_and_shifts_its_mean():
    """Contrast and saturation turn about a mean, so only brightness moves it: by at most a half."""
    changed = color(IMAGES, RNG)
    shift = changed.mean((1, 2, 3)) - IMAGES.mean((1, 2, 3))
    assert (abs(shift) <= 0.5).all() and len(np.unique(shift)) == 16


@pytest.mark.slow
def test_color_spreads_grey_pictures_and_the_channels_of_colourful_ones_by_random_factors():
    grey = jnp.broadcast_to(jnp.linspace(-0.5, 0.5, 64).reshape(8, 8, 1), (200, 8, 8, 3))
    changed = color(grey, RNG)
    np.testing.assert_allclose(changed.std(-1), 0, atol=1e-6)  # whatever the saturation
    contrast = np.asarray(changed[..., 0].std((1, 2)) / grey[0, ..., 0].std())
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5
    # all pixels alike: a mean of their own, and no contrast but of channels
    red = jnp.zeros((200, 8, 8, 3)).at[..., 0].set(0.9)
    saturation = np.asarray(jnp.ptp(color(red, RNG), -1)[:, 0, 0] / 0.9) / contrast
    assert saturation.min() < 0.05 and 1.95 < saturation.max() <= 2.01


def test_translation_moves_by_at_most_an_eighth_and_fills_with_grey():
    images = jnp.ones((200, 16, 16, 1))
    moved = translation(images, Rng(jax.random.key(1)))
    assert {0.0, 1.0} == set(np.unique(moved).tolist())
    rows, columns = (16 - np.asarray(moved[..., 0]).max(axis).sum(-1) for axis in (2, 1))
    assert set(rows.tolist()) == set(columns.tolist()) == {0, 1, 2}


def test_cutout_takes_half_of_each_side_less_what_lies_outside():
    holes = 1 - cutout(jnp.ones((200, 8, 8, 1)), Rng(jax.random.key(2)))[..., 0]
    heights = np.asarray(holes.max(2).sum(1))
    assert heights.max() == 4 and heights.min() >= 2 and len(np.unique(heights)) > 1


@pytest.mark.slow
def test_each_picture_has_its_own_change_and_gradients_reach_it():
    names = tuple(AUGMENTATIONS)
    others = IMAGES.at[2:].set(0)
    alone = augmented(others, RNG, names, 0.5, 0.1)[:2]
    np.testing.assert_allclose(augmented(IMAGES, RNG, names, 0.5, 0.1)[:2], alone, atol=1e-6)
    assert not np.allclose(*(augmented(jnp.ones((2, 8, 8, 3)), RNG, names)))
    grads = jax.grad(lambda x: augmented(x, RNG, names).sum())(IMAGES)
    assert jnp.isfinite(grads).all() and (grads != 0).mean() > 0.3


@pytest.mark.slow
def test_a_share_of_the_pictures_is_augmented_each_by_all_or_not_at_all():
    images, rng = jnp.tile(IMAGES, (25, 1, 1, 1)), Rng(jax.random.key(5))
    names = ("color", "cutout")
    all_of_them = augmented(images, rng, names)
    for share, deviation in ((0.0, 0), (0.3, 0.08), (1.0, 0)):
        shown = augmented(images, rng, names, jnp.float32(share))
        as_augmented, as_it_was = (
            (shown == other).all((1, 2, 3)) for other in (all_of_them, images)
        )
        assert (as_augmented | as_it_was).all()
        assert abs(float(as_augmented.mean()) - share) <= deviation


def test_noise_has_the_deviation_asked_for():
    noise = augmented(jnp.zeros((64, 16, 16, 3)), Rng(jax.random.key(3)), (), noise=0.2)
    np.testing.assert_allclose(noise.std(), 0.2, rtol=0.02)


def test_brightness_goes_both_ways():
    shift = np.asarray(color(jnp.zeros((200, 4, 4, 3)), Rng(jax.random.key(3))).mean((1, 2, 3)))
    assert -0.5 <= shift.min() < -0.45 and 0.45 < shift.max() <= 0.5


def test_translation_goes_all_ways():
    column = jnp.zeros((200, 16, 16, 1)).at[:, 8, 8].set(1)
    moved = np.asarray(translation(column, Rng(jax.random.key(3))))[..., 0]
    where = np.argwhere(moved)[:, 1:] - 8
    assert {tuple(w) for w in where.tolist()} == {
        (y, x) for y in range(-2, 3) for x in range(-2, 3)
    }


def test_cutout_is_as_wide_as_high():
    holes = np.asarray(1 - cutout(jnp.ones((200, 8, 12, 1)), Rng(jax.random.key(3)))[..., 0])
    assert holes.any(1).sum(1).max() == 6 and holes.any(2).sum(1).max() == 4


def test_each_augmentation_draws_anew(monkeypatch):
    for name in ("one", "two"):
        monkeypatch.setitem(AUGMENTATIONS, name, lambda x, rng: x + rng.uniform((len(x), 1, 1, 1)))
    x = augmented(jnp.zeros((4, 2, 2, 1)), RNG, ("one",))
    y = augmented(jnp.zeros((4, 2, 2, 1)), RNG, ("one", "two"))
    assert (abs(y - 2 * x).max((1, 2, 3)) > 1e-3).all()
