"""Find the latents of given pictures, by gradient descent (Karras et al. 2020, arXiv:1912.04958,
appendix D).
"""

import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from flaxgan.data.pixels import to_uint8
from flaxgan.methods.latent_space import LatentSpace, from_z, images_of, latent_space
from flaxgan.methods.nearness import FEATURES, Goal, distances_to, goal_of, maps_of, measured
from flaxgan.methods.sampling import first_latents
from flaxgan.methods.state import Network
from flaxgan.pretrained.perceptual import distance
from flaxgan.rng import PROJECTING, random_key
from flaxgan.system.bars import progress_bar

STEPS = 300
BATCH = 8  # pictures that are searched for at a time
TRIED, STARTS = 256, 4  # latents that are drawn for a picture; the nearest ones are improved
EXPLORING = 0.25  # of the steps; then the nearest start alone goes on
FRAMES = 24  # of the film of a search
RATE, NOISE = 0.1, 0.05  # at first, in latents of mean square 1
CALM = 0.75  # of the steps, after which there is no noise
PIXELS, LENGTH = 1.0, 0.1  # weights in the loss, beside the features' 1


class Projection(NamedTuple):
    """What was found for N pictures."""

    space: str  # what the latents are: "z" or "w"
    latents: np.ndarray  # float32 (N, *shape)
    labels: np.ndarray | None  # what they show: int32 (N,), classes; float32 (N, D), sentences
    images: np.ndarray  # uint8 (N, H, W, C), what the generator makes of the latents
    feature_distances: np.ndarray  # (N,), to the pictures: see pretrained/perceptual.py
    rms_errors: np.ndarray  # (N,), root mean square of the differences, where white is 1
    film: np.ndarray  # uint8 (N, F, H, W, C), the nearest image at moments of the search
    shown: np.ndarray | None = None  # (N,), the names of `labels`


class _Search(NamedTuple):
    """S latents on their way for each of P pictures."""

    points: Array  # (P, S, *shape), of mean 0 and mean square 1
    condition: Array | None  # (P, S, ...)
    number: Array | None  # (P, S), of the condition among those that are tried
    optimiser: Any


@jax.jit
def _tried(
    generator: Network, variables: Any, goal: Goal, latents: Array, condition: Array | None
) -> Array:
    """Return how far latents (B, *shape) are from each picture: (P, B)."""
    images = images_of(generator, latents, condition)
    made = maps_of(variables, images)

    def one(of_one: Goal) -> Array:
        features = jax.vmap(distance, (0, None))(made, of_one.maps)
        return features + PIXELS * jnp.square(images - of_one.pictures[None]).mean((1, 2, 3))

    return lax.map(one, goal)


def _made(generator: Network, space: LatentSpace, search: _Search, noise: Any = 0.0) -> Array:
    """Make the images of a search's points: float32 (P, S, H, W, C)."""
    latents = _latents(space, search.points + noise)
    flat = latents.reshape(-1, *space.shape)
    rows = search.condition
    condition = None if rows is None else rows.reshape(-1, *rows.shape[2:])
    images = images_of(generator, flat, condition)
    return images.reshape(*search.points.shape[:2], *images.shape[1:])


def _latents(space: LatentSpace, points: Array) -> Array:
    return points * space.scale + space.mean.reshape(*[1] * (points.ndim - 1), -1)


def _optimiser(steps: int) -> optax.GradientTransformation:
    def rate(step: Array) -> Array:
        done = step / steps
        falling = 0.5 - 0.5 * jnp.cos(jnp.pi * jnp.minimum(1, (1 - done) / 0.25))
        return RATE * falling * jnp.minimum(1, (done + 1 / steps) / 0.05)

    return optax.adam(rate)


@partial(jax.jit, static_argnames=("steps", "shape"))
def _improved(
    generator: Network,
    variables: Any,
    goal: Goal,
    moments: tuple[Array, Array],
    search: _Search,
    between: tuple[Array, Array],
    key: Array,
    steps: int,
    shape: tuple[int, ...],
) -> tuple[_Search, Array, Array]:
    """Do the steps from the first to before the second of `between`.

    Returns the search, how far each point then is (P, S), and the nearest images, uint8 (P, H, W,
    C). All pictures have the same noise, so that what is found depends on each alone.
    """
    space = LatentSpace("", shape, *moments)

    def loss(points: Array, noise: Array) -> Array:
        images = _made(generator, space, search._replace(points=points), noise)
        features, squares = distances_to(variables, goal, images)
        axes = tuple(range(2, points.ndim))
        long = jnp.square(jnp.square(points).mean(axes) - 1)
        return (features + PIXELS * squares + LENGTH * long).sum()

    def step(number: Array, state: tuple[Array, Any]) -> tuple[Array, Any]:
        points, optimiser = state
        strength = NOISE * jnp.square(jnp.maximum(0, 1 - number / (CALM * steps)))
        drawn = jax.random.normal(jax.random.fold_in(key, number), (1, *points.shape[1:]))
        gradient = jax.grad(loss)(points, strength * drawn)
        updates, optimiser = _optimiser(steps).update(gradient, optimiser)
        return points + updates, optimiser

    points, optimiser = lax.fori_loop(*between, step, (search.points, search.optimiser))
    search = search._replace(points=points, optimiser=optimiser)
    images = _made(generator, space, search)
    features, squares = distances_to(variables, goal, images)
    far = features + PIXELS * squares
    nearest = images[jnp.arange(len(far)), far.argmin(1)]
    return search, far, to_uint8(nearest)


def _first_points(
    generator: Network,
    variables: Any,
    goal: Goal,
    space: LatentSpace,
    conditions: np.ndarray | None,
    seed: int,
) -> _Search:
    """Draw latents, of all conditions in turn, and return the nearest ones of each picture."""
    kinds = 0 if conditions is None else len(conditions)
    count = max(TRIED, -(-4 * kinds // 64) * 64)
    z = first_latents(seed, count, generator.module.latent_dim, PROJECTING)
    numbers = np.resize(np.arange(kinds, dtype=np.int32), count)
    condition = None if conditions is None else conditions[numbers]
    latents = from_z(generator, z, condition)
    pairs = [
        (latents[i : i + 64], condition if condition is None else condition[i : i + 64])
        for i in range(0, count, 64)
    ]
    far = np.concatenate([_tried(generator, variables, goal, *pair) for pair in pairs], 1)
    nearest = far.argsort(1, kind="stable")[:, :STARTS]
    points = (latents[nearest] - np.asarray(space.mean)) / np.asarray(space.scale)
    if condition is None:
        return _Search(jnp.asarray(points), None, None, None)
    chosen, number = jnp.asarray(condition[nearest]), jnp.asarray(numbers[nearest])
    return _Search(jnp.asarray(points), chosen, number, None)


def _nearest(search: _Search, far: Array) -> _Search:
    """Return a search with the nearest of each picture's latents alone."""
    places, best, shape = jnp.arange(len(far)), far.argmin(1), search.points.shape[:2]
    return jax.tree.map(lambda x: x[places, best][:, None] if x.shape[:2] == shape else x, search)


def _found(
    generator: Network,
    variables: Any,
    space: LatentSpace,
    pictures: np.ndarray,
    conditions: Mapping[str, Any],
    seed: int,
    steps: int,
) -> Projection:
    """Project a batch."""
    goal, rows = goal_of(variables, pictures), _rows(conditions)
    search = _first_points(generator, variables, goal, space, rows, seed)
    search = search._replace(optimiser=_optimiser(steps).init(search.points))
    bounds = np.unique(np.linspace(0, steps, FRAMES + 1).round().astype(int))
    chosen_at = bounds[np.searchsorted(bounds, EXPLORING * steps)]
    moments, film = (space.mean, space.scale), []
    parts = [*itertools.pairwise(bounds.tolist())]
    for between in progress_bar(parts, desc="searching", unit="part"):
        key = random_key(seed, PROJECTING)
        search, far, images = _improved(
            generator, variables, goal, moments, search, between, key, steps, space.shape
        )
        film.append(np.asarray(images))
        if between[1] == chosen_at:
            search, far = _nearest(search, far), far.min(1, keepdims=True)
    search = _nearest(search, far)
    distances, errors = map(np.asarray, measured(variables, goal, film[-1]))
    latents = np.asarray(_latents(space, search.points))[:, 0]
    labels = shown = None
    if search.condition is not None:
        labels = np.asarray(search.condition)[:, 0]
        shown = np.array([*conditions])[np.asarray(search.number)[:, 0]]
    found = space.name, latents, labels, film[-1], distances, errors
    return Projection(*found, np.stack(film, 1), shown)


def _rows(conditions: Mapping[str, Any]) -> np.ndarray | None:
    return np.stack([*conditions.values()]) if conditions else None


def project(
    generator: Network,
    pictures: np.ndarray,
    conditions: Mapping[str, Any],
    seed: int,
    steps: int = STEPS,
) -> Projection:
    """Find latents for pictures, uint8 (N, H, W, C) as the generator's.

    `conditions`: of a conditional generator, those that are tried, by name: int32 () or float32
    (D,). The nearest of many latents that `seed` draws are improved in `steps` of Adam: nearer in
    features and pixels, under noise that fades, and with lengths near those that were trained.
    Waits for the device.
    """
    variables = FEATURES.load(None)
    space = latent_space(generator, _rows(conditions))
    size = min(BATCH, len(pictures))
    batches = [
        # whole batches: one program
        np.resize(pictures[start : start + size], (size, *pictures.shape[1:]))
        for start in range(0, len(pictures), size)
    ]
    found = [
        _found(generator, variables, space, batch, conditions, seed, steps)._asdict()
        for batch in batches
    ]
    columns: dict[str, Any] = {name: [part[name] for part in found] for name in found[0]}
    first: dict[str, Any] = {
        name: None if rows[0] is None else np.concatenate(rows)[: len(pictures)]
        for name, rows in columns.items()
        if name != "space"
    }
    return Projection(space.name, **first)
