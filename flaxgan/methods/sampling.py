"""Pictures from a trained generator."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from flaxgan.config import Config
from flaxgan.data.pixels import to_uint8
from flaxgan.methods.latent_space import interpolated
from flaxgan.methods.state import Network, without_optimisers
from flaxgan.models.layers import MOMENTUM
from flaxgan.rng import CALIBRATING, SAMPLING, random_key
from flaxgan.system.bars import progress_bar

BATCH = 64
CALIBRATION_BATCHES = 16
NOT_A_ROW = 2**32 - 1


def latents(
    seed: int,
    start: int,
    num: int,
    latent_dim: int,
    stream: int = SAMPLING,
    truncation: float | None = None,
) -> Array:
    """Draw the z from row `start` on of a stream of a seed: float32 (num, latent_dim), N(0, 1).

    Row i depends on seed, stream and i alone, so picture i is the same however many are asked for.
    `truncation`: the largest magnitude, what is beyond drawn anew (Brock et al. 2019, section 3.1):
    more typical pictures, and fewer kinds of them.
    """
    return _rows_of_z(random_key(seed, stream), start, num, latent_dim, truncation)


@functools.partial(jax.jit, static_argnames=("num", "latent_dim", "truncation"))
def _rows_of_z(
    key: Array, start: Array, num: int, latent_dim: int, truncation: float | None
) -> Array:
    def row(i: Array) -> Array:
        row_key = jax.random.fold_in(key, i)
        if truncation is None:
            return jax.random.normal(row_key, (latent_dim,))
        return jax.random.truncated_normal(row_key, -truncation, truncation, (latent_dim,))

    return jax.vmap(row)(start + jnp.arange(num))


def random_classes(
    class_counts: dict[str, int], seed: int, num: int, stream: int = SAMPLING
) -> np.ndarray:
    """Draw classes as frequent as `class_counts` says: int32 (num,).

    Class i depends on counts, seed, stream and i alone.
    """
    # of z, which are drawn from the same stream
    key = jax.random.fold_in(random_key(seed, stream), NOT_A_ROW)
    counts = np.array([*class_counts.values()], np.float32)
    shares = jnp.asarray(counts.cumsum() / counts.sum())
    drawn = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i)))(jnp.arange(num))
    return np.asarray(jnp.searchsorted(shares, drawn, side="right").astype(jnp.int32))


def trained_classes(class_counts: dict[str, int]) -> list[int]:
    """Return the classes of which there was an image."""
    return [id for id, count in enumerate(class_counts.values()) if count]


def spread_classes(class_counts: dict[str, int], num: int) -> np.ndarray:
    """Return classes for a square grid of `num` images, one a row: int32 (num,).

    They are spread evenly over all that were trained.
    """
    classes = np.array(trained_classes(class_counts), np.int32)
    columns = math.isqrt(num)
    rows = min(-(-num // columns), len(classes))
    shown = classes[np.linspace(0, len(classes) - 1, rows).round().astype(int)]
    return np.resize(np.repeat(shown, columns), num)


def between(
    seeds: list[int], frames: int, latent_dim: int, truncation: float | None = None
) -> np.ndarray:
    """Interpolate from the first z of each seed to the next, in `frames` steps.

    float32 ((len(seeds) - 1) * frames + 1, latent_dim), as latent_space.interpolated.
    """
    ends = [latents(seed, 0, 1, latent_dim, truncation=truncation)[0] for seed in seeds]
    return interpolated(ends, frames)


@jax.jit
def _calibrated(generator: Network, labels: Array | None) -> Network:
    """Return a generator with the batch statistics of its own weights.

    These are the mean over batches of z, and of labels (CALIBRATION_BATCHES, BATCH).
    """

    key = random_key(0, CALIBRATING)

    def statistics(batch: Array) -> object:
        z = jax.random.normal(jax.random.fold_in(key, batch), (BATCH, generator.module.latent_dim))
        return generator.replace(batch_stats=zeros).train_mode(
            z, None if labels is None else labels[batch]
        )[1]

    # From running statistics of 0 an update is the batch's share of them: 1 - momentum, the same
    # for all, divided out.
    zeros = jax.tree.map(jnp.zeros_like, generator.batch_stats)
    means = jax.tree.map(lambda x: x.mean(0), lax.map(statistics, jnp.arange(CALIBRATION_BATCHES)))
    return generator.replace(batch_stats=jax.tree.map(lambda x: x / (1 - MOMENTUM), means))


def averaged_generator(
    generator: Network, ema_params: object, class_counts: dict[str, int]
) -> Network:
    """Return the generator to sample from: averaged weights, if any, and their batch statistics.

    A conditional generator's statistics are those of classes as frequent as in `class_counts`.
    """
    if ema_params is None:
        return generator
    generator, labels = generator.replace(params=ema_params), None
    if not generator.batch_stats:
        return generator
    if generator.module.num_classes:
        shape = (CALIBRATION_BATCHES, BATCH)
        labels = random_classes(class_counts, 0, math.prod(shape), CALIBRATING).reshape(shape)
    return _calibrated(generator, labels)


@jax.jit
def generated_images(generator: Network, z: Array, labels: Array | None = None) -> Array:
    """Generate uint8 (N, H, W, C), with the running statistics."""
    return to_uint8(generator.eval_mode(z, labels))


def first_latents(
    seed: int, num: int, latent_dim: int, stream: int = SAMPLING, truncation: float | None = None
) -> np.ndarray:
    """Draw the first `num` z of a stream of a seed, in whole batches: float32 (num, latent_dim)."""
    starts = range(0, num, BATCH)  # so that one program is compiled, however many are asked for
    return np.concatenate(
        [latents(seed, start, BATCH, latent_dim, stream, truncation) for start in starts]
    )[:num]


def sample(
    generator: Network,
    seed: int,
    num: int,
    labels: np.ndarray | None = None,
    stream: int = SAMPLING,
) -> np.ndarray:
    """Sample the first `num` images of a seed: uint8 (num, H, W, C). Waits for the device.

    They are of these classes (num,) if the run is conditional.
    """
    return draw(generator, first_latents(seed, num, generator.module.latent_dim, stream), labels)


def draw(generator: Network, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Draw images of z (N, latent_dim), and of labels (N,) if conditional: uint8 (N, H, W, C).

    Waits for the device.
    """
    batches = []
    for start in progress_bar(
        range(0, len(z), BATCH), desc="sampling", unit="batch", hidden=len(z) <= BATCH
    ):
        # Whole batches here, too.
        whole = (
            x if x is None else np.resize(x[start : start + BATCH], (BATCH, *x.shape[1:]))
            for x in (z, labels)
        )
        batches.append(np.asarray(generated_images(generator, *whole)))
    return np.concatenate(batches)[: len(z)]


def inputs(
    config: Config,
    class_counts: dict[str, int],
    seed: int,
    num: int,
    *,
    stream: int = SAMPLING,
    truncation: float | None = None,
    spread: bool = False,
) -> dict[str, np.ndarray]:
    """Return what the first `num` images of a seed are made of.

    "z" is float32 (num, latent_dim), "label", if the run is conditional, int32 (num,).

    Classes are as frequent as in `class_counts`, those of the training data, or `spread`: one a row
    of a square grid.
    """
    batch = {"z": first_latents(seed, num, config.options.latent_dim, stream, truncation)}
    if config.num_classes:
        labels = (
            spread_classes(class_counts, num)
            if spread
            else random_classes(class_counts, seed, num, stream)
        )
        batch["label"] = labels
    return batch


def to_sample(state: Any) -> Any:
    """Return a state with the generator alone, and of its weights the averaged ones, if any."""
    state = without_optimisers(state)
    generator = (
        state.generator if state.ema_params is None else state.generator.replace(params=None)
    )
    return state.replace(generator=generator, discriminator=None, augment_probability=None)


def generators(state: Any, class_counts: dict[str, int]) -> dict[str, Network]:
    """Return what makes images of z, "result": averaged, with batch statistics of its own."""
    return {"result": averaged_generator(state.generator, state.ema_params, class_counts)}


def sampler(
    state: Any, config: Config, class_counts: dict[str, int]
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return what makes images, uint8 (N, H, W, C), of inputs."""
    generator = generators(state, class_counts)["result"]
    return lambda batch: draw(generator, batch["z"], batch.get("label"))
