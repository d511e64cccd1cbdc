"""The accuracy of a run's discriminator on real and generated images."""

import functools
from typing import Any

import jax
import numpy as np
from jax import Array

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.gan import GANState
from flaxgan.methods.gan_batch import discriminator_view
from flaxgan.methods.growing import as_trained, reduced
from flaxgan.methods.losses import LOSSES
from flaxgan.metrics.comparison import Comparison, Measured, NotApplicable, NotMeasured
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.models.growth import growth_of
from flaxgan.rng import JUDGING, Rng, random_key

JUDGED = 2048  # real images, and generated ones, that the discriminator is asked about


@functools.partial(jax.jit, static_argnames="config")
def _logits(state: GANState, images: Any, condition: Any, rng: Rng, config: Config) -> Array:
    """Return the logits (N,) of a batch of uint8 images, all real or all generated.

    The discriminator sees them as in training.
    """
    shown = reduced(preprocess(images), state.discriminator)
    view = discriminator_view(state, config)(shown, rng.fold(0))
    return state.discriminator.train_mode(view, condition, rng=rng.fold(1))[0]


def _pairs(c: Comparison, num_classes: int | None) -> np.ndarray:
    """Return the indices of a real and a generated image each, of the same class: int (2, N)."""
    if not num_classes:
        return np.stack([np.arange(c.count)] * 2)
    pairs = []
    for label in range(num_classes):
        rows = [np.flatnonzero(x.labels == label) for x in (c.real.image_set, c.generated)]
        pairs.append(np.stack([x[: min(map(len, rows))] for x in rows]))
    return np.random.default_rng(c.seed).permutation(np.concatenate(pairs, 1), axis=1)


def accuracy(c: Comparison) -> dict[str, Measured]:
    """Measure how many images the discriminator of the run takes for what they are.

    It sees batches of real or of generated images, augmented as in training (--augment), with the
    statistics of the batch. metrics.jsonl has the same, but for mirrored images, and for generated
    ones made by the weights that are not averaged.
    """
    config = c.config
    if c.state is None or config is None or config.method != "gan":
        raise NotApplicable("a discriminator's accuracy takes pictures sampled from a run")
    if c.real.image_set.images.shape[1:] != c.generated.images.shape[1:]:
        raise NotMeasured(
            "the real pictures differ in size or channels from those that the run's discriminator"
            " was trained on"
        )
    if config.condition == "text" and c.real.image_set.text is None:
        raise NotMeasured(
            "the run's discriminator takes pictures with sentences, and these have none"
        )
    state = c.state
    if growth_of(config):
        state = state.replace(discriminator=as_trained(state.discriminator, state.step))
    classes = config.num_classes
    if classes and c.real.image_set.class_names != c.generated.class_names:
        raise NotMeasured(
            "the real pictures have other classes than those that the run's discriminator was"
            " trained on"
        )
    pairs = _pairs(c, classes)[:, :JUDGED]
    batch = min(config.batch_size // config.accumulate, pairs.shape[1])
    if not batch:
        raise NotMeasured("no generated picture is of a class of the real ones")
    batches = pairs[:, : pairs.shape[1] // batch * batch].reshape(2, -1, batch)

    def logits(side: int, image_set: ImageSet) -> Any:
        outputs = []
        for i, rows in enumerate(batches[side]):
            asked = image_set.text if config.condition == "text" else image_set.labels
            condition = None if config.condition == "none" or asked is None else asked[rows]
            rng = Rng(random_key(c.seed, JUDGING)).fold(2 * i + side)
            outputs.append(
                np.asarray(_logits(state, image_set.images[rows], condition, rng, config))
            )
        return np.concatenate(outputs)

    smoothed = 1 - config.options.label_smoothing
    correct = LOSSES[config.options.loss].correct(
        logits(0, c.real.image_set), logits(1, c.generated), smoothed
    )
    protocol = {"reference": 0.5, "batch_size": batch, "images_of_each": batches[0].size}
    names = ("d_real_accuracy", "d_fake_accuracy")
    return {
        name: {"value": float(rows.mean())} | protocol
        for name, rows in zip(names, correct, strict=True)
    }
