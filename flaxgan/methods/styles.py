"""Pictures of a style generator by its styles: nearer to their mean, mixed, and in between."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.data.pixels import to_uint8
from flaxgan.methods.batches import in_batches
from flaxgan.methods.latent_space import images_of
from flaxgan.methods.state import Network
from flaxgan.rng import RowRng
from flaxgan.system.errors import UserError


def truncated(generator: Network, truncation: float | None) -> Network:
    """Return a generator whose w lie nearer to their running mean: so many times as far.

    Raises UserError unless 0 < truncation <= 1.
    """
    if truncation is None:
        return generator
    if not 0 < truncation <= 1:
        raise UserError(
            "--truncation of --architecture style is how far from the mean its styles are, above 0"
            f" and up to 1, not {truncation}"
        )
    return generator.replace(module=generator.module.clone(truncation=float(truncation)))


def _w(generator: Network, z: Array, conditions: Array | None) -> Array:
    """Return the truncated w, float32 (N, D), of z (N, latent_dim) and of conditions, if any."""
    return generator.call("truncated", generator.call("mapping", z, conditions))


@jax.jit
def _between(
    generator: Network, first: Array, second: Array, share: Array, conditions: Any, noise: Array
) -> Array:
    a, b = _w(generator, first, conditions), _w(generator, second, conditions)
    w = a + share[:, None] * (b - a)
    styles = w[:, None].repeat(generator.module.num_styles, 1)
    return to_uint8(images_of(generator, styles, noise=noise))


def draw_between(
    generator: Network,
    ends: np.ndarray,
    frames: int,
    conditions: np.ndarray | None,
    noise: np.ndarray,
) -> np.ndarray:
    """Draw images on straight lines in w from each z of `ends` (K, latent_dim) to the next.

    uint8 ((K - 1) * frames + 1, H, W, C). `conditions`, if any, and `noise` have a row for each
    image.
    """
    at = np.arange((len(ends) - 1) * frames + 1)
    first, second = ends[at // frames], ends[np.minimum(at // frames + 1, len(ends) - 1)]
    share = (at % frames / frames).astype(np.float32)
    return in_batches(partial(_between, generator), first, second, share, conditions, noise)


@partial(jax.jit, static_argnames="mix_at")
def _mixed(
    generator: Network, first: Any, second: Any, conditions: tuple[Any, Any], mix_at: int
) -> Array:
    """Return images with the coarse styles and noise of `first`, and the finer ones of `second`.

    Both are a pair of z and noise numbers.
    """
    (a, a_maps), (b, b_maps) = (
        (_w(generator, z, condition), generator.call("noise_maps", RowRng.of(numbers)))
        for (z, numbers), condition in zip((first, second), conditions, strict=True)
    )
    sides: list[int] = generator.module.sides
    styles = [b if side >= mix_at else a for side in sides]
    both = zip(sides[:-1], a_maps, b_maps, strict=True)
    maps = [y if side >= mix_at else x for side, x, y in both]
    return to_uint8(generator.call("synthesis", jnp.stack(styles, 1), maps))


def draw_mixed(
    generator: Network,
    z: np.ndarray,
    conditions: np.ndarray | None,
    noise: np.ndarray,
    mix_at: int,
) -> np.ndarray:
    """Draw a table of all mixtures of the images of z (K, latent_dim): uint8 (K * K, H, W, C).

    Image (i, j) has the styles of i for maps smaller than `mix_at`, and those of j from there on.
    """
    rows, columns = (x.reshape(-1) for x in np.indices((len(z), len(z))))
    of_rows, of_columns = (None if conditions is None else conditions[at] for at in (rows, columns))

    def mixed(*arrays: Any) -> Array:
        first, second, a_condition, b_condition = arrays[:2], arrays[2:4], *arrays[4:]
        return _mixed(generator, first, second, (a_condition, b_condition), mix_at)

    arrays = (z[rows], noise[rows], z[columns], noise[columns], of_rows, of_columns)
    return in_batches(mixed, *arrays)
