"""Penalties on the discriminator's gradient: a function each, a line in PENALTIES, and a flag of
that name in options/gan.py.

Each is a mean over pictures of something of that picture's own gradient. Batch norm makes a logit
depend on the whole batch, so that no such gradient exists: with a penalty the discriminator is
normalised in another way (see Config.d_norm).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.registry import Registry
from flaxgan.rng import Rng

MATCHING_POWER = 6
Logits = Callable[[Array], Array]  # pictures (N, H, W, C) -> (N,), each of its own picture alone


def _squared_norms(logits: Logits, x: Array) -> Array:
    """Return the squared norm of each image's own gradient: (N,)."""
    return jnp.square(jax.grad(lambda x: logits(x).sum())(x)).sum((1, 2, 3))


def r1(logits: Logits, real: Array, fake: Array, rng: Rng) -> Array:
    """Return half the squared norm at real images (Mescheder et al. 2018, equation 9)."""
    return 0.5 * _squared_norms(logits, real).mean()


def r2(logits: Logits, real: Array, fake: Array, rng: Rng) -> Array:
    """Return half the squared norm at generated images (Mescheder et al. 2018, equation 10)."""
    return 0.5 * _squared_norms(logits, fake).mean()


def gradient_penalty(logits: Logits, real: Array, fake: Array, rng: Rng) -> Array:
    """Return the squared distance of the norm from 1, between real and generated images.

    Gulrajani et al. 2017, equation 3.
    """
    share = rng.uniform((len(real), 1, 1, 1))
    # the root's gradient at 0 is infinite
    norms = jnp.sqrt(_squared_norms(logits, share * real + (1 - share) * fake) + 1e-12)
    return jnp.square(norms - 1).mean()


def matching_penalty(logits: Callable[[Array, Array], Array], real: Array, text: Array) -> Array:
    """Return the matching-aware gradient penalty at real images and their own sentences (N, D).

    The lengths of both gradients, added, to the power MATCHING_POWER (Tao et al. 2022, DF-GAN,
    arXiv:2008.05865, equation 2), whose weight there is 2. The sentence's is by numbers of about
    1, as networks take them, of which a vector of length 1 is a fraction.
    """
    gradients = jax.grad(lambda *inputs: logits(*inputs).sum(), (0, 1))(real, text)
    # the root's gradient at 0 is infinite
    norms = [jnp.sqrt(jnp.square(x.reshape(len(x), -1)).sum(1) + 1e-12) for x in gradients]
    return ((norms[0] + norms[1] / text.shape[-1] ** 0.5) ** MATCHING_POWER).mean()


PENALTIES: Registry[Callable[[Logits, Array, Array, Rng], Array]] = Registry(
    "penalty", {"r1": r1, "r2": r2, "gradient_penalty": gradient_penalty}
)
