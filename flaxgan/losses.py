"""Losses on logits. The sigmoid lives in here, as softplus, so that nothing saturates."""

import jax
from jax import Array


def discriminator_loss(real_logits: Array, fake_logits: Array) -> Array:
    """Binary cross-entropy with real = 1 and fake = 0, the two means added (Goodfellow et al. 2014, equation 1)."""
    return jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()


def generator_loss(fake_logits: Array) -> Array:
    """Non-saturating: the cross-entropy of taking generated pictures for real (Goodfellow et al. 2014, section 3)."""
    return jax.nn.softplus(-fake_logits).mean()
