import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.methods.losses import LOSSES, feature_matching


def discriminator_loss(real, fake, target=1.0, loss="bce"):
    return LOSSES[loss].discriminator(real, fake, target)


def generator_loss(fake, real=None, loss="bce"):
    return LOSSES[loss].generator(real, fake)


def test_worked_by_hand():
    """At logit 0 the discriminator says one half: each term is log 2. At logit log 3 it says three
    quarters.
    """
    zero, log3 = jnp.zeros(4), jnp.full(4, jnp.log(3.0))
    np.testing.assert_allclose(discriminator_loss(zero, zero), 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(generator_loss(zero), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(discriminator_loss(log3, zero), -np.log(0.75) + np.log(2), rtol=1e-6)
    np.testing.assert_allclose(discriminator_loss(zero, log3), np.log(2) - np.log(0.25), rtol=1e-6)
    np.testing.assert_allclose(generator_loss(log3), -np.log(0.75), rtol=1e-6)


def test_equals_the_cross_entropy_of_probabilities():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 64)) * 3
    p_real, p_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    expected = -np.log(p_real).mean() - np.log(1 - p_fake).mean()
    np.testing.assert_allclose(
        discriminator_loss(jnp.float32(real), jnp.float32(fake)), expected, rtol=1e-5
    )
    np.testing.assert_allclose(generator_loss(jnp.float32(fake)), -np.log(p_fake).mean(), rtol=1e-5)


def test_the_generator_learns_where_the_discriminator_is_sure():
    """Non-saturating: the gradient is -1 (not 0) on a picture that is certainly recognised; nothing
    overflows.
    """
    sure = jnp.array([-200.0])
    assert jax.grad(generator_loss)(sure) == -1
    assert jnp.isfinite(generator_loss(sure)) and jnp.isfinite(discriminator_loss(sure, -sure))


REAL, FAKE = jnp.array([2.0, 0.5]), jnp.array([-3.0, 1.0])


@pytest.mark.parametrize(
    ("loss", "of_discriminator", "of_generator"),
    [
        ("hinge", (0 + 0.5) / 2 + (0 + 2) / 2, 1.0),
        ("lsgan", 0.5 * ((1 + 0.25) / 2 + (9 + 1) / 2), 0.5 * (16 + 0) / 2),
        ("wgan", -1 - 1.25, 1.0),
        (
            "relativistic",
            (np.log1p(np.exp(-5)) + np.log1p(np.exp(0.5))) / 2,
            (np.log1p(np.exp(5)) + np.log1p(np.exp(-0.5))) / 2,
        ),
    ],
)
def test_every_other_loss_worked_by_hand(loss, of_discriminator, of_generator):
    np.testing.assert_allclose(
        discriminator_loss(REAL, FAKE, loss=loss), of_discriminator, rtol=1e-6
    )
    np.testing.assert_allclose(generator_loss(FAKE, REAL, loss=loss), of_generator, rtol=1e-6)


def test_what_is_correct_depends_on_where_the_loss_wants_the_logits():
    real, fake = jnp.array([2.0, 0.4, -1.0]), jnp.array([-3.0, 0.3, -0.9])
    expected = {
        "bce": ([True, True, False], [True, False, True]),  # on either side of 0
        "hinge": ([True, True, False], [True, False, True]),
        "lsgan": ([True, False, False], [True, True, True]),  # of 0.5, between its two targets
        "wgan": ([True, True, False],) * 2,  # against each other
        "relativistic": ([True, True, False],) * 2,
    }
    assert {
        name: tuple(right.tolist() for right in loss.correct(real, fake))
        for name, loss in LOSSES.items()
    } == expected


@pytest.mark.parametrize("target", [1.0, 0.9, 0.4])
@pytest.mark.parametrize("loss", ["bce", "hinge", "lsgan"])
def test_the_boundary_is_what_a_discriminator_says_that_knows_nothing(loss, target):
    """The one logit for all pictures that the loss likes best, if smoothed too: at which neither
    kind is judged right.
    """
    target = target if loss != "hinge" else 1.0
    logits = jnp.linspace(-2, 2, 4001)
    losses = jax.vmap(lambda logit: discriminator_loss(logit[None], logit[None], target, loss))(
        logits
    )
    best = logits[losses <= losses.min() + 1e-7].mean()
    below, above = (
        LOSSES[loss].correct(best + shift, best + shift, target) for shift in (-0.01, 0.01)
    )
    assert [*map(bool, below), *map(bool, above)] == [False, True, True, False]


@pytest.mark.parametrize("loss", ["bce", "lsgan"])
def test_a_smoothed_target_is_where_the_discriminator_is_content(loss):
    """The loss of a real logit is least where it says 0.9: a sigmoid of 0.9, or 0.9 itself."""
    content = {"bce": np.log(0.9 / 0.1), "lsgan": 0.9}[loss]
    slope = jax.grad(lambda real: discriminator_loss(real, jnp.zeros(1), 0.9, loss))(
        jnp.array([content], jnp.float32)
    )
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_feature_matching_is_of_the_means():
    real, fake = jnp.array([[1.0, 2.0], [3.0, 2.0]]), jnp.array([[2.0, 0.0], [2.0, 0.0]])
    assert feature_matching(real, fake) == (0 + 4) / 2
