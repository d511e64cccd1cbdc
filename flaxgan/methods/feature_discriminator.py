"""A second discriminator, of a published network's feature maps (Sauer et al. 2021,
arXiv:2111.01007), beside that of pixels (Kumari et al. 2022, arXiv:2112.09130).
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

SIDE = 64  # smaller pictures are enlarged to about this: maps of fewer pixels say little


def feature_discriminator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the heads once, on the pictures that discriminator_step sees with the same `rng`.

    They see no conditions. Loss and accuracies are means over heads and places.
    """
    heads, view = state.feature_discriminator, discriminator_view(state, config)
    loss = LOSSES[config.options.loss]
    smoothed = 1 - config.options.label_smoothing

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        fakes = (generated or generate(state, batch)).outputs
        # one by one: without augmentation generator_step needs the maps of the same fakes
        maps = [_maps(state, view(x, rng.fold(i))) for i, x in enumerate((batch["image"], fakes))]
        both = [interleave(*pair) for pair in zip(*maps, strict=True)]

        def loss_fn(params: Any) -> tuple[Array, tuple[Any, Metrics]]:
            logits, batch_stats, _ = heads.replace(params=params).train_mode(both, groups=2)
            judged = [(x[::2].ravel(), x[1::2].ravel(), smoothed) for x in logits]
            right = [[share.mean() for share in loss.correct(*pair)] for pair in judged]
            real_accuracy, fake_accuracy = jnp.array(right).mean(0)
            value = jnp.stack([loss.discriminator(*pair) for pair in judged]).mean()
            metrics: Metrics = {
                "feature_d_loss": value,
                "feature_d_real_accuracy": real_accuracy,
                "feature_d_fake_accuracy": fake_accuracy,
            }
            return value, (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(heads.params)
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = accumulate_gradients(
        gradients, batch, rng, config.accumulate, heads.module.axis
    )
    return state.replace(feature_discriminator=heads.update(grads, batch_stats)), metrics


def feature_loss(state: GANState, reals: Array, fakes: Array, config: Config) -> Array:
    """Return the mean over the heads of the generator's loss, of pictures as they are shown.

    The maps of real ones are computed only if the loss asks for them.
    """
    heads, loss = state.feature_discriminator, LOSSES[config.options.loss]
    logits = [heads.train_mode(_maps(state, x))[0] for x in (reals, fakes)]
    losses = [loss.generator(a.ravel(), b.ravel()) for a, b in zip(*logits, strict=True)]
    return jnp.stack(losses).mean()


def _maps(state: GANState, images: Array) -> list[Array]:
    num, height, width, channels = images.shape
    times = round(SIDE / min(height, width))
    if times > 1:
        shape = (num, height * times, width * times, channels)
        images = jax.image.resize(images, shape, "linear")
    return perceptual.maps(state.feature_network, images)
