"""How near images are to given pictures: in the maps of a published network, and in pixels."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.data.pixels import preprocess
from flaxgan.pretrained.perceptual import NETWORKS, distance, maps

FEATURES = NETWORKS["efficientnet_lite0"]


class Goal(NamedTuple):
    """Pictures to come near to, float32 (P, H, W, C) in [-1, 1], and their maps."""

    pictures: Array
    maps: list[Array]


def maps_of(variables: Any, images: Array) -> list[Array]:
    return maps(partial(FEATURES.apply, variables), images)


def distances_to(variables: Any, goal: Goal, images: Array) -> tuple[Array, Array]:
    """Return feature distances and mean square errors (P, S) of images (P, S, H, W, C)."""
    flat = maps_of(variables, images.reshape(-1, *images.shape[2:]))
    made = [x.reshape(*images.shape[:2], *x.shape[1:]) for x in flat]
    features = jax.vmap(jax.vmap(distance, (0, None)))(made, goal.maps)
    return features, jnp.square(images - goal.pictures[:, None]).mean((2, 3, 4))


@jax.jit
def goal_of(variables: Any, pictures: Array) -> Goal:
    images = preprocess(pictures)
    return Goal(images, maps_of(variables, images))


@jax.jit
def measured(variables: Any, goal: Goal, images: Array) -> tuple[Array, Array]:
    """Return feature distances and RMS errors (P,) of uint8 images (P, H, W, C)."""
    features, squares = distances_to(variables, goal, preprocess(images)[:, None])
    return features[:, 0], jnp.sqrt(squares[:, 0]) / 2
