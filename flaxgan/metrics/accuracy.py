"""How many pictures the discriminator of a run takes for what they are."""

import functools

import jax
import numpy as np
from jax import Array

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.gan import GANState, discriminator_view
from flaxgan.methods.losses import LOSSES
from flaxgan.metrics.comparison import Comparison, Measured, NotApplicable, NotMeasured
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.rng import JUDGING, Rng, random_key

JUDGED = 2048  # pictures of each kind that the discriminator is asked about


@functools.partial(jax.jit, static_argnames="config")
def _logits(
    state: GANState, images: Array, labels: Array | None, rng: Rng, config: Config
) -> Array:
    """Return the logits (N,) of a batch of uint8 images, all real or all generated, as the
    discriminator saw them in training.
    """
    view = discriminator_view(state, config)(preprocess(images), rng.fold(0))
    return state.discriminator.train_mode(view, labels, rng=rng.fold(1))[0]


def _pairs(c: Comparison) -> np.ndarray:
    """Indices of a real and a generated picture each, of the same class if there are classes: (2,
    N).
    """
    if not c.config.num_classes:
        return np.stack([np.arange(c.count)] * 2)
    sets = [x.labels for x in (c.real.image_set, c.generated)]
    of_classes = [
        [np.flatnonzero(labels == k) for labels in sets] for k in range(c.config.num_classes)
    ]
    pairs = np.concatenate(
        [np.stack([x[: min(map(len, own))] for x in own]) for own in of_classes], 1
    )
    return np.random.default_rng(c.seed).permutation(pairs, axis=1)


def accuracy(c: Comparison) -> dict[str, Measured]:
    """In batches of one kind, normalised by their own statistics, and changed as --augment and the
    like have it.

    So it was in training: metrics.jsonl has the same, but for mirrored pictures, and generated ones
    of the weights as they are.
    """
    if c.state is None or c.config.method != "gan":
        raise NotApplicable("a discriminator's accuracy takes pictures sampled from a run")
    if c.real.image_set.images.shape[1:] != c.generated.images.shape[1:]:
        raise NotMeasured(
            "the real pictures differ in size or channels from those that the run's discriminator"
            " was trained on"
        )
    if c.config.num_classes and c.real.image_set.class_names != c.generated.class_names:
        raise NotMeasured(
            "the real pictures have other classes than those that the run's discriminator was"
            " trained on"
        )
    pairs = _pairs(c)[:, :JUDGED]
    batch = min(c.config.batch_size // c.config.accumulate, pairs.shape[1])
    if not batch:
        raise NotMeasured("no generated picture is of a class of the real ones")
    batches = pairs[:, : pairs.shape[1] // batch * batch].reshape(2, -1, batch)

    def logits(kind: int, image_set: ImageSet) -> np.ndarray:
        of_batches = []
        for i, rows in enumerate(batches[kind]):
            labels = image_set.labels[rows] if c.config.num_classes else None
            rng = Rng(random_key(c.seed, JUDGING)).fold(2 * i + kind)
            of_batches.append(
                np.asarray(_logits(c.state, image_set.images[rows], labels, rng, c.config))
            )
        return np.concatenate(of_batches)

    judged = (
        logits(0, c.real.image_set),
        logits(1, c.generated),
        1 - c.config.options.label_smoothing,
    )
    protocol = {"reference": 0.5, "batch_size": batch, "images_of_each": batches[0].size}
    shares = (float(correct.mean()) for correct in LOSSES[c.config.options.loss].correct(*judged))
    return {
        name: {"value": share} | protocol
        for name, share in zip(("d_real_accuracy", "d_fake_accuracy"), shares, strict=True)
    }
