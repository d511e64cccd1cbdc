import jax
import jax.numpy as jnp
import numpy as np

from flaxgan.losses import discriminator_loss, generator_loss


def test_worked_by_hand():
    """At logit 0 the discriminator says one half: each term is log 2. At logit log 3 it says three quarters."""
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
    np.testing.assert_allclose(discriminator_loss(jnp.float32(real), jnp.float32(fake)), expected, rtol=1e-5)
    np.testing.assert_allclose(generator_loss(jnp.float32(fake)), -np.log(p_fake).mean(), rtol=1e-5)


def test_the_generator_learns_where_the_discriminator_is_sure():
    """Non-saturating: the gradient is -1 (not 0) on a picture that is certainly recognised; nothing overflows."""
    sure = jnp.array([-200.0])
    assert jax.grad(generator_loss)(sure) == -1
    assert jnp.isfinite(generator_loss(sure)) and jnp.isfinite(discriminator_loss(sure, -sure))
