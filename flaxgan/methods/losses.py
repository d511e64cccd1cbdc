"""Losses on logits: a function each for the discriminator and the generator, what counts as right,
a line in LOSSES, and its name in options/gan.py. One of your own, in your own file, is added by
LOSSES["mine"] = Loss(...) (docs/extending.md).

Sigmoids live in here, as softplus, so that nothing saturates. All are means over the batch, float32
scalars.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.nn import relu, softplus

from flaxgan.registry import Registry
from flaxgan.rng import average


def beyond(
    boundary: Callable[[float], float],
    real_logits: Array,
    fake_logits: Array,
    real_target: float = 1.0,
) -> tuple[Array, Array]:
    """Tell which real logits are above the boundary and which generated ones below.

    At the boundary, 0, the best discriminator finds both equally likely.
    """
    return real_logits > boundary(real_target), fake_logits < boundary(real_target)


class Loss(NamedTuple):
    """A loss of each network, float32 scalars, and what counts as right for the accuracies."""

    # real logits (N,), fake logits (N,), target of the real ones
    discriminator: Callable[[Array, Array, float], Array]
    # real logits (N,), which most leave unused, and fake logits (N,)
    generator: Callable[[Array, Array], Array]
    # The same three -> of each picture, whether it is taken for what it is: bool (N,), (N,).
    correct: Callable[[Array, Array, float], tuple[Array, Array]] = partial(beyond, lambda _: 0.0)


def bce_discriminator(real_logits: Array, fake_logits: Array, real_target: float = 1.0) -> Array:
    """Return the binary cross-entropy with real = real_target and fake = 0, the two means added.

    Goodfellow et al. 2014, equation 1. A target below 1 is one-sided label smoothing (Salimans et
    al. 2016, section 3.4).
    """
    # a product with 0 would stay in the program
    smoothing = (1 - real_target) * real_logits.mean() if real_target < 1 else 0.0
    return softplus(-real_logits).mean() + smoothing + softplus(fake_logits).mean()


def bce_generator(real_logits: Array, fake_logits: Array) -> Array:
    """Return the cross-entropy of taking generated images for real ones: the non-saturating loss.

    Goodfellow et al. 2014, section 3.
    """
    return softplus(-fake_logits).mean()


def hinge_discriminator(real_logits: Array, fake_logits: Array, _: float = 1.0) -> Array:
    """Return the hinge loss: logits beyond ±1 cost nothing (Lim & Ye 2017; Miyato et al. 2018).

    Equation 16 of the latter.
    """
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def lsgan_discriminator(real_logits: Array, fake_logits: Array, real_target: float = 1.0) -> Array:
    """Return the least squares to real = real_target and fake = 0 (Mao et al. 2017, equation 9)."""
    return 0.5 * (jnp.square(real_logits - real_target).mean() + jnp.square(fake_logits).mean())


def lsgan_generator(real_logits: Array, fake_logits: Array) -> Array:
    """Return the least squares to 1 (Mao et al. 2017, equation 9)."""
    return 0.5 * jnp.square(fake_logits - 1).mean()


def wgan_discriminator(real_logits: Array, fake_logits: Array, _: float = 1.0) -> Array:
    """Return the negative of the estimated Wasserstein distance (Arjovsky et al. 2017).

    It is one only if the discriminator is 1-Lipschitz.
    """
    return fake_logits.mean() - real_logits.mean()


def linear_generator(real_logits: Array, fake_logits: Array) -> Array:
    """Return the generator's loss of both hinge and wgan: the negative mean logit."""
    return -fake_logits.mean()


def relativistic_discriminator(real_logits: Array, fake_logits: Array, _: float = 1.0) -> Array:
    """Return the mean softplus of the fake logit minus the real one of each pair.

    Source: Jolicoeur-Martineau 2018; Huang et al. 2024, equation 2.
    """
    return softplus(fake_logits - real_logits).mean()


def relativistic_generator(real_logits: Array, fake_logits: Array) -> Array:
    """Return the mean softplus of the real logit minus the fake one of each pair.

    Source: Huang et al. 2024.
    """
    return softplus(real_logits - fake_logits).mean()


def in_pairs(real_logits: Array, fake_logits: Array, _: float = 1.0) -> tuple[Array, Array]:
    """Tell for which pairs the real logit is above the generated one.

    For losses that leave the logits' offset free.
    """
    right = real_logits > fake_logits
    return right, right


LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "bce": Loss(
            bce_discriminator,
            bce_generator,
            partial(beyond, lambda target: math.log(target / (2 - target))),
        ),
        "hinge": Loss(hinge_discriminator, linear_generator, partial(beyond, lambda _: 0)),
        "lsgan": Loss(
            lsgan_discriminator, lsgan_generator, partial(beyond, lambda target: target / 2)
        ),
        "wgan": Loss(wgan_discriminator, linear_generator, in_pairs),
        "relativistic": Loss(relativistic_discriminator, relativistic_generator, in_pairs),
    },
)


def matching_loss(
    loss: Callable[[Array, Array, float], Array],
    real_logits: Array,
    fake_logits: Array,
    other_logits: Array,
    share: float,
    real_target: float = 1.0,
) -> Array:
    """Return a discriminator's loss that also takes a real image with another's sentence for fake.

    `other_logits` (N,) are of such pairs, `share` what they are of all that counts as generated,
    in [0, 1): half in Reed et al. 2016, arXiv:1605.05396, algorithm 1.
    """
    fake, other = (loss(real_logits, x, real_target) for x in (fake_logits, other_logits))
    return (1 - share) * fake + share * other


def feature_matching(real_features: Array, fake_features: Array, axis: str | None = None) -> Array:
    """Return the squared distance of two batches' mean features (N, ...), per feature.

    Salimans et al. 2016, section 3.1. `axis`: of pmap, over whose devices the means are taken.
    """
    return jnp.square(average(real_features.mean(0) - fake_features.mean(0), axis)).mean()
