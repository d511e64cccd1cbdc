"""What the discriminator sees of images, real or generated: differentiable augmentation and noise.

Each augmentation changes images (N, H, W, C) in [-1, 1], each of them by random numbers of its own:
a function each, a line in AUGMENTATIONS, and its name in options/gan.py.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.registry import Registry
from flaxgan.rng import Rng


def color(images: Array, rng: Rng) -> Array:
    """Change brightness, saturation and contrast, as in the published settings.

    Zhao et al. 2020, arXiv:2006.10738.
    """
    brightness, saturation, contrast = jnp.split(rng.uniform((len(images), 3, 1, 1)), 3, 1)
    images = images + (brightness - 0.5)
    grey = images.mean(-1, keepdims=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = images.mean((1, 2, 3), keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def translation(images: Array, rng: Rng, share: float = 1 / 8) -> Array:
    """Move by up to `share` of height and width, grey coming in (Zhao et al. 2020)."""
    most = [round(side * share) for side in images.shape[1:3]]
    padded = jnp.pad(images, ((0, 0), (most[0], most[0]), (most[1], most[1]), (0, 0)))
    tops, lefts = (
        rng.fold(axis).integers(0, 2 * m + 1, (len(images),)) for axis, m in enumerate(most)
    )

    def crop(image: Array, top: Array, left: Array) -> Array:
        return jax.lax.dynamic_slice(image, (top, left, 0), images.shape[1:])

    return jax.vmap(crop)(padded, tops, lefts)


def cutout(images: Array, rng: Rng, share: float = 1 / 2) -> Array:
    """Grey out a rectangle of `share` of the sides, its centre anywhere (Zhao et al. 2020)."""
    inside = []
    for axis, side in enumerate(images.shape[1:3]):
        length = round(side * share)
        start = rng.fold(axis).integers(0, side + 1 - length % 2, (len(images), 1)) - length // 2
        positions = jnp.arange(side)[None]
        inside.append((positions >= start) & (positions < start + length))
    return jnp.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], 0, images)


AUGMENTATIONS: Registry[Callable[[Array, Rng], Array]] = Registry(
    "augment", {"color": color, "translation": translation, "cutout": cutout}
)
# seen, until the probability has risen by the excess of the discriminator's accuracy
IMAGES_TO_ADAPT = 10_000
NOISE, CHOICE = 2**32 - 1, 2**32 - 2  # whose random numbers are no augmentation's


def augmented(
    images: Array,
    rng: Rng,
    augmentations: Sequence[str],
    probability: Array | float | None = None,
    noise: Array | float | None = None,
) -> Array:
    """Return images (N, H, W, C) as the discriminator sees them.

    `probability`: that an image is augmented, by all of them; None: every one is. `noise`: the
    standard deviation of what is added to each value (Sønderby et al. 2017, "instance noise"), or
    None.
    """
    original = images
    for number, name in enumerate(augmentations):
        images = AUGMENTATIONS[name](images, rng.fold(number))
    if probability is not None:
        chosen = rng.fold(CHOICE).uniform((len(images), 1, 1, 1)) < probability
        images = jnp.where(chosen, images, original)
    return images if noise is None else images + noise * rng.fold(NOISE).normal(images.shape)


def adapted_probability(
    probability: Array, d_real_accuracy: Array, target: float, batch_size: int
) -> Array:
    """Return the probability of augmentation after a step, by the discriminator's accuracy.

    The accuracy is that on real images.

    ADA's control (Karras et al. 2020, arXiv:2006.06676), in proportion to the excess instead of by
    its sign. Its target, 0.6 as the mean sign of the logits, is an accuracy of 0.8.
    """
    excess = d_real_accuracy - target
    return jnp.clip(probability + excess * (batch_size / IMAGES_TO_ADAPT), 0, 1)
