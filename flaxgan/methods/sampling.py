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
from flaxgan.methods.batches import BATCH, in_batches
from flaxgan.methods.conditions import Conditions, random_conditions
from flaxgan.methods.growing import as_trained
from flaxgan.methods.latent_space import interpolated
from flaxgan.methods.noise import noise_numbers, takes_noise
from flaxgan.methods.state import Network, without_optimisers
from flaxgan.methods.updates import condition_of
from flaxgan.models import ARCHITECTURES
from flaxgan.models.batch_norm import MOMENTUM
from flaxgan.rng import CALIBRATING, SAMPLING, RowRng, random_key

CALIBRATION_BATCHES = 16


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


def between(
    seeds: list[int], frames: int, latent_dim: int, truncation: float | None = None
) -> np.ndarray:
    """Interpolate from the first z of each seed to the next, in `frames` steps.

    float32 ((len(seeds) - 1) * frames + 1, latent_dim), as latent_space.interpolated.
    """
    ends = [latents(seed, 0, 1, latent_dim, truncation=truncation)[0] for seed in seeds]
    return interpolated(ends, frames)


def between_texts(vectors: np.ndarray, frames: int) -> np.ndarray:
    """Interpolate from each vector (N, D) of length 1 to the next, in `frames` steps.

    float32 ((N - 1) * frames + 1, D).
    """
    shares = np.arange((len(vectors) - 1) * frames + 1, dtype=np.float32)[:, None] / frames
    first = np.minimum(shares.astype(int), max(0, len(vectors) - 2))[:, 0]
    shares = shares - first[:, None]
    after = np.minimum(first + 1, len(vectors) - 1)
    rows = (1 - shares) * vectors[first] + shares * vectors[after]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@jax.jit
def _calibrated(generator: Network, asked: Array | None) -> Network:
    """Return a generator with the batch statistics of its own weights.

    These are the mean over batches of z, and of conditions (CALIBRATION_BATCHES, BATCH, ...).
    """

    key = random_key(0, CALIBRATING)

    def statistics(batch: Array) -> object:
        z = jax.random.normal(jax.random.fold_in(key, batch), (BATCH, generator.module.latent_dim))
        return generator.replace(batch_stats=zeros).train_mode(
            z, None if asked is None else asked[batch]
        )[1]

    # From running statistics of 0 an update is the batch's share of them: 1 - momentum, the same
    # for all, divided out.
    zeros = jax.tree.map(jnp.zeros_like, generator.batch_stats)
    means = jax.tree.map(lambda x: x.mean(0), lax.map(statistics, jnp.arange(CALIBRATION_BATCHES)))
    return generator.replace(batch_stats=jax.tree.map(lambda x: x / (1 - MOMENTUM), means))


def averaged_generator(generator: Network, ema_params: object, conditions: Conditions) -> Network:
    """Return the generator to sample from: averaged weights, if any, and their batch statistics.

    A conditional generator's statistics are those of `conditions` as frequent as in the data.
    """
    if ema_params is None:
        return generator
    generator, asked = generator.replace(params=ema_params), None
    if not generator.batch_stats:
        return generator
    if generator.module.num_classes or generator.module.text:
        shape = (CALIBRATION_BATCHES, BATCH)
        rows = condition_of(random_conditions(conditions, 0, math.prod(shape), CALIBRATING))
        asked = rows.reshape(*shape, *rows.shape[1:])
    return _calibrated(generator, asked)


@jax.jit
def generated_images(
    generator: Network, z: Array, condition: Array | None = None, noise: Array | None = None
) -> Array:
    """Generate uint8 (N, H, W, C), with the running statistics, and with noise of these numbers."""
    rng = None if noise is None else RowRng.of(noise)
    return to_uint8(generator.eval_mode(z, condition, rng))


def first_latents(
    seed: int, num: int, latent_dim: int, stream: int = SAMPLING, truncation: float | None = None
) -> np.ndarray:
    """Draw the first `num` z of a stream of a seed, in whole batches: float32 (num, latent_dim)."""
    starts = range(0, num, BATCH)  # so that one program is compiled, however many are asked for
    return np.concatenate(
        [latents(seed, start, BATCH, latent_dim, stream, truncation) for start in starts]
    )[:num]


def draw(
    generator: Network,
    z: np.ndarray,
    condition: np.ndarray | None = None,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """Draw images of z (N, latent_dim), and of a condition (N, ...), if any: uint8 (N, H, W, C).

    `noise`: their numbers (N,), for a generator that takes_noise; without, there is none. Waits for
    the device.
    """
    return in_batches(functools.partial(generated_images, generator), z, condition, noise)


def inputs(
    config: Config,
    conditions: Conditions,
    seed: int,
    num: int,
    *,
    stream: int = SAMPLING,
    truncation: float | None = None,
    spread: bool = False,
) -> dict[str, np.ndarray]:
    """Return what the first `num` images of a seed are made of.

    "z" is float32 (num, latent_dim); a conditional run has "label", int32 (num,), or "text",
    float32 (num, D).

    Conditions are as frequent as `conditions` says, in the training data, or `spread`: one a row
    of a square grid.
    """
    batch = {"z": first_latents(seed, num, config.options.latent_dim, stream, truncation)}
    if takes_noise(ARCHITECTURES[config.options.architecture].Generator):
        batch["noise"] = noise_numbers(seed, np.arange(num), stream)
    if config.num_classes or config.condition == "text":
        batch |= random_conditions(conditions, seed, num, stream, spread)
    return batch


def to_sample(state: Any) -> Any:
    """Return a state with the generator alone, and of its weights the averaged ones, if any."""
    state = without_optimisers(state)
    generator = (
        state.generator if state.ema_params is None else state.generator.replace(params=None)
    )
    beside = "augment_probability", "path_length", "feature_discriminator", "feature_network"
    return state.replace(generator=generator, **dict.fromkeys(("discriminator", *beside)))


def generators(state: Any, conditions: Conditions) -> dict[str, Network]:
    """Return what makes images of z, "result": averaged, with batch statistics of its own."""
    generator = as_trained(state.generator, state.step)
    return {"result": averaged_generator(generator, state.ema_params, conditions)}


def sampler(
    state: Any, config: Config, conditions: Conditions
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return what makes images, uint8 (N, H, W, C), of inputs."""
    generator = generators(state, conditions)["result"]
    return lambda batch: draw(generator, batch["z"], condition_of(batch), batch.get("noise"))
