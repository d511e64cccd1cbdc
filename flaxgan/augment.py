"""What the discriminator sees of a picture, real or generated: differentiable augmentation and noise.

Each augmentation changes one picture (H, W, C) in [-1, 1] as its key says: a function each, a line in AUGMENTATIONS, and its name
in config.py.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def color(image: Array, key: Array) -> Array:
    """Brightness, saturation and contrast (Zhao et al. 2020, arXiv:2006.10738, as in its published settings)."""
    brightness, saturation, contrast = jax.random.uniform(key, (3,))
    image = image + (brightness - 0.5)
    grey = image.mean(-1, keepdims=True)
    image = (image - grey) * (2 * saturation) + grey
    mean = image.mean()
    return (image - mean) * (contrast + 0.5) + mean


def translation(image: Array, key: Array, share: float = 1 / 8) -> Array:
    """Moved by up to `share` of its height and width, grey coming in (Zhao et al. 2020)."""
    height, width, _ = image.shape
    most = [round(side * share) for side in (height, width)]
    padded = jnp.pad(image, ((most[0], most[0]), (most[1], most[1]), (0, 0)))
    tops, lefts = (jax.random.randint(k, (), 0, 2 * m + 1) for k, m in zip(jax.random.split(key), most, strict=True))
    return jax.lax.dynamic_slice(padded, (tops, lefts, 0), image.shape)


def cutout(image: Array, key: Array, share: float = 1 / 2) -> Array:
    """A grey rectangle of `share` of its height and width, its centre anywhere (Zhao et al. 2020)."""
    inside = []
    for side, k in zip(image.shape[:2], jax.random.split(key), strict=True):
        length = round(side * share)
        start = jax.random.randint(k, (), 0, side + 1 - length % 2) - length // 2
        positions = jnp.arange(side)
        inside.append((positions >= start) & (positions < start + length))
    return jnp.where((inside[0][:, None] & inside[1][None, :])[..., None], 0, image)


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}
NOISE, CHOICE = 2**32 - 1, 2**32 - 2  # whose random numbers are no augmentation's


def seen(
    images: Array,
    keys: Array,
    augmentations: Sequence[str],
    probability: Array | float | None = None,
    noise: Array | float | None = None,
) -> Array:
    """Pictures (N, H, W, C) as the discriminator sees them, each by its own key, keys (N,).

    `probability`: that a picture is augmented, by all of them; None: every picture is. `noise`: the standard deviation of what is
    added to each value (Sønderby et al. 2017, "instance noise"), or None.
    """
    original = images
    for number, name in enumerate(augmentations):
        images = jax.vmap(AUGMENTATIONS[name])(images, _derived(keys, number))
    if probability is not None:
        chosen = jax.vmap(jax.random.uniform)(_derived(keys, CHOICE)) < probability
        images = jnp.where(chosen[:, None, None, None], images, original)
    if noise is not None:
        drawn = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(_derived(keys, NOISE))
        images = images + noise * drawn
    return images


def _derived(keys: Array, number: int) -> Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
