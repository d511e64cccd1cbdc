import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.methods.penalties import PENALTIES
from flaxgan.rng import Rng

pytestmark = pytest.mark.usefixtures("own_convolutions")

RNG = Rng(jax.random.key(0))
REAL, FAKE = jnp.ones((2, 2, 2, 1)), jnp.full((2, 2, 2, 1), 2.0)


def quadratic(x):
    """Whose gradient at x is x."""
    return 0.5 * jnp.square(x).sum((1, 2, 3))


def test_worked_by_hand():
    """Four values of 1 (real) or 2 (generated): squared norms of 4 and 16."""
    np.testing.assert_allclose(PENALTIES["r1"](quadratic, REAL, FAKE, RNG), 0.5 * 4)
    np.testing.assert_allclose(PENALTIES["r2"](quadratic, REAL, FAKE, RNG), 0.5 * 16)


def test_the_gradient_penalty_is_between_the_two_and_least_at_slope_one():
    def slope_one(x):
        return x.sum((1, 2, 3)) / 2  # four values: a gradient of norm 1

    np.testing.assert_allclose(
        PENALTIES["gradient_penalty"](slope_one, REAL, FAKE, RNG), 0, atol=1e-6
    )
    value = PENALTIES["gradient_penalty"](quadratic, REAL, FAKE, RNG)
    assert (2 - 1) ** 2 < value < (4 - 1) ** 2, (
        "norms between those of the real and of the generated pictures"
    )
    # Values of s + 2 (1 - s) where a picture's share s is of the real one: norms of twice that.
    shares = np.asarray(RNG.uniform((2, 1, 1, 1))).ravel()
    np.testing.assert_allclose(value, np.square(2 * (2 - shares) - 1).mean(), rtol=1e-5)
