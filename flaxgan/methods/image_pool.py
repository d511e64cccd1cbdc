"""Earlier results of a generator, which its discriminator is shown again (Shrivastava et al. 2017,
arXiv:1612.07828; in CycleGAN 50 of them).
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array, lax

from flaxgan.rng import Rng


class ImagePool(struct.PyTreeNode):
    """Hold pictures (K, H, W, C) float32, of which the first `count` are there."""

    images: Array
    count: Array  # int32

    @classmethod
    def empty(cls, size: int, shape: tuple[int, ...]) -> "ImagePool | None":
        """Return a pool for `size` pictures of a shape (H, W, C); None if that is 0."""
        return cls(jnp.zeros((size, *shape)), jnp.zeros((), jnp.int32)) if size else None


def exchanged(pool: ImagePool | None, fakes: Array, rng: Rng) -> tuple[ImagePool | None, Array]:
    """Return the pool with new results in it, and what the discriminator is to see of (N, H, W, C).

    Until it is full, every result is kept and shown. Then half of them, at random, take the place
    of one from the pool, which is shown instead. Under pmap every device has the whole pool.
    """
    if pool is None:
        return None, fakes
    whole = fakes if rng.axis is None else lax.all_gather(fakes, rng.axis, tiled=True)
    size = len(pool.images)
    kept = jax.random.bernoulli(jax.random.fold_in(rng.key, 0), 0.5, (len(whole),))
    slots = jax.random.randint(jax.random.fold_in(rng.key, 1), (len(whole),), 0, size)

    def put(pool: ImagePool, drawn: tuple[Array, Array, Array]) -> tuple[ImagePool, Array]:
        fake, keep, slot = drawn
        full = pool.count >= size
        slot = jnp.where(full, slot, pool.count)
        before = pool.images[slot]
        stored = jnp.where(~full | keep, fake, before)
        shown = jnp.where(full & keep, before, fake)
        images = pool.images.at[slot].set(stored)
        return ImagePool(images, jnp.minimum(pool.count + 1, size)), shown

    after, shown = lax.scan(put, pool, (whole, kept, slots))
    return after, rng.rows(shown)
