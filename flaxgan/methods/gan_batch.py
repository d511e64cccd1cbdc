"""What a step of the method "gan" learns from, and what the discriminator is shown of it.

A batch within a step is a dict: "image" (N, H, W, C) in [-1, 1], "z" (N, latent_dim), if
conditional "label" int32 (N,) or "text" float32 (N, D), and "other", another picture's text, and
for a generator with noise "noise" int32 (N,), a number for each picture that decides its noise.
Under pmap it is a device's part of the batch, and the modules' `axis` is the mapped axis; else it
is the whole batch, wherever its parts lie.
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import Array

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.augment import augmented
from flaxgan.methods.gan_state import GANState
from flaxgan.methods.growing import reduced
from flaxgan.methods.noise import takes_noise
from flaxgan.methods.updates import Batch, Forward, condition_of, forward, others
from flaxgan.rng import Rng, RowRng


def prepared(state: GANState, batch: Batch, rng: Rng, config: Config) -> Batch:
    """Return what the step with this `rng` learns from, of the data's uint8 batch."""
    num = len(batch["image"])
    mirrored = rng.fold(1).bernoulli(0.5, (num,)) if config.flip else None
    whole = {
        "image": reduced(preprocess(batch["image"], mirrored), state.discriminator),
        "z": rng.fold(0).normal((num, state.generator.module.latent_dim)),
    }
    if takes_noise(state.generator.module):
        whole["noise"] = rng.fold(5).integers(0, 2**31 - 1, (num,))
    if config.condition == "class":
        whole["label"] = batch["label"]
    elif config.condition == "text":
        whole["text"] = batch["text"]
    if config.options.matches:
        whole["other"] = others(batch["text"], rng)
    return whole


def generate(state: GANState, batch: Batch) -> Forward:
    """Generate the images of a batch."""
    rng = RowRng.of(batch["noise"]) if "noise" in batch else None
    return forward(state.generator, batch["z"], condition_of(batch), rng)


def discriminator_view(state: GANState, config: Config) -> Callable[[Array, Rng], Array]:
    """Return what augments images (N, H, W, C) for the discriminator in this step.

    Instance noise falls linearly to 0.
    """
    noise = None
    if config.options.instance_noise:
        noise = config.options.instance_noise * jnp.maximum(
            0, 1 - state.step * (config.images_per_step / config.options.instance_noise_images)
        )
    return partial(
        augmented,
        augmentations=config.options.augmentations,
        probability=state.augment_probability,
        noise=noise,
    )
