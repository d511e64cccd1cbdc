"""A second discriminator, of a published network's maps, beside that of pixels (Sauer et al. 2021,
arXiv:2111.01007; beside pixels as Kumari et al. 2022, arXiv:2112.09130): --feature-discriminator.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.gan_batch import discriminator_view, generate
from flaxgan.methods.gan_state import GANState
from flaxgan.methods.losses import LOSSES
from flaxgan.methods.updates import Batch, Forward, Metrics, accumulate_gradients, interleave
from flaxgan.pretrained import perceptual
from flaxgan.rng import Rng

SIDE = 64  # smaller pictures are enlarged to about this: of fewer pixels maps say little


def feature_discriminator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the heads once, on the pictures that discriminator_step sees with the same `rng`.

    The loss is the mean over the heads. There is no penalty.
    """
    heads, view = state.feature_discriminator, discriminator_view(state, config)
    loss_of = LOSSES[config.options.loss].discriminator
    smoothed = 1 - config.options.label_smoothing

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, Array]:
        fakes = (generated or generate(state, batch)).outputs
        # one after the other: a generator_step that sees the same ones needs no other maps
        maps = [_maps(state, view(x, rng.fold(i))) for i, x in enumerate((batch["image"], fakes))]
        both = [interleave(*pair) for pair in zip(*maps, strict=True)]

        def loss_fn(params: Any) -> tuple[Array, Any]:
            logits, batch_stats, _ = heads.replace(params=params).train_mode(both, groups=2)
            losses = [loss_of(x[::2], x[1::2], smoothed) for x in logits]
            return jnp.stack(losses).mean(), batch_stats

        (loss, batch_stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(heads.params)
        return grads, batch_stats, loss

    grads, batch_stats, loss = accumulate_gradients(
        gradients, batch, rng, config.accumulate, heads.module.axis
    )
    state = state.replace(feature_discriminator=heads.update(grads, batch_stats))
    return state, {"feature_d_loss": loss}


def generator_loss(state: GANState, reals: Array, fakes: Array, config: Config) -> Array:
    """Return the generator's loss, the mean over the heads, of pictures as they are seen.

    The maps of real ones are computed only if the loss asks for them.
    """
    logits = [state.feature_discriminator.train_mode(_maps(state, x))[0] for x in (reals, fakes)]
    loss_of = LOSSES[config.options.loss].generator
    return jnp.stack([loss_of(*pair) for pair in zip(*logits, strict=True)]).mean()


def _maps(state: GANState, images: Array) -> list[Array]:
    num, height, width, channels = images.shape
    times = round(SIDE / min(height, width))
    if times > 1:
        shape = (num, height * times, width * times, channels)
        images = jax.image.resize(images, shape, "linear")
    return perceptual.maps(state.features, images)
