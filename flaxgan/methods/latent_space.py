"""The space that a generator's pictures are edited in: z, or w where a mapping network makes one of
z (Karras et al. 2019, arXiv:1812.04948).
"""

import itertools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.methods.state import Network
from flaxgan.models.batch_norm import BatchNorm
from flaxgan.models.layers import Kernel
from flaxgan.rng import SELECTING, RowRng, random_key

MEASURED = 4096  # z whose w say where the w lie
STRAIGHT = 1e-3  # radians: what is so near is joined by a straight line


class LatentSpace(NamedTuple):
    """Where a generator's latents lie, and how they are distributed."""

    name: str  # "z" or "w"
    shape: tuple[int, ...]  # of one latent: (latent_dim,), or of w (num_styles, D)
    mean: Array  # (shape[-1],)
    scale: Array  # (), the root mean square of the differences from the mean


def has_mapping(generator: Network) -> bool:
    """Tell whether a generator maps z to w, and makes its pictures of that."""
    return hasattr(generator.module, "mapping")


def latent_space(generator: Network, condition: Any = None) -> LatentSpace:
    """Return the latent space of a generator; w are measured for z of N(0, I).

    `condition`, of a conditional generator: rows, which take turns.
    """
    module: Any = generator.module
    if not has_mapping(generator):
        return LatentSpace("z", (module.latent_dim,), jnp.zeros(module.latent_dim), jnp.ones(()))
    z = jax.random.normal(random_key(0, SELECTING), (MEASURED, module.latent_dim))
    rows = None if condition is None else np.resize(condition, (MEASURED, *condition.shape[1:]))
    w = _mapped(generator, z, rows)
    mean = w.mean(0)
    scale = jnp.sqrt(jnp.square(w - mean[None]).mean())
    return LatentSpace("w", (module.num_styles, w.shape[-1]), mean, scale)


@jax.jit
def _mapped(generator: Network, z: Array, condition: Array | None) -> Array:
    w: Array = generator.call("mapping", z, condition)
    return w


def from_z(generator: Network, z: np.ndarray, condition: Any = None) -> np.ndarray:
    """Return the latents of z (N, latent_dim): float32 (N, *shape), all styles of a w the same."""
    if not has_mapping(generator):
        return z
    styles: int = generator.module.num_styles
    return np.asarray(_mapped(generator, z, condition))[:, None].repeat(styles, 1)


def images_of(
    generator: Network, latents: Array, condition: Array | None = None, noise: Array | None = None
) -> Array:
    """Make float32 images (N, H, W, C) in (-1, 1) of latents (N, *shape); differentiable.

    `noise`: of a generator with a mapping, the pictures' numbers (N,); without there is none.
    """
    if has_mapping(generator):
        maps = None if noise is None else generator.call("noise_maps", RowRng.of(noise))
        images: Array = generator.call("synthesis", latents, maps)
        return images
    return generator.eval_mode(latents, condition)


def interpolated(ends: Any, frames: int, spherical: bool = True) -> np.ndarray:
    """Interpolate from each latent to the next in `frames` steps.

    float32 ((len(ends) - 1) * frames + 1, *shape). Of z it is `spherical` (White 2016,
    arXiv:1609.04468): what lies straight between two z is shorter than any that was trained.
    """
    rows = []
    for a, b in itertools.pairwise(map(jnp.asarray, ends)):
        angle = _angle(a, b) if spherical else 0.0
        for share in jnp.arange(frames) / frames:
            if angle < STRAIGHT:
                rows.append((1 - share) * a + share * b)
            else:
                rows.append(
                    (jnp.sin((1 - share) * angle) * a + jnp.sin(share * angle) * b) / jnp.sin(angle)
                )
    return np.stack([*rows, ends[-1]])


def _angle(a: Array, b: Array) -> Array:
    """Return the angle between two z; 0 where there is no way around, or more than one."""
    lengths = jnp.linalg.norm(a) * jnp.linalg.norm(b)
    cosine = jnp.dot(a, b) / jnp.where(lengths > 0, lengths, 1)
    angle = jnp.arccos(jnp.clip(cosine, -1, 1))
    undefined = (len(a) == 1) | (lengths == 0) | (angle > jnp.pi - STRAIGHT)
    return jnp.where(undefined, 0.0, angle)


def strongest(weights: np.ndarray) -> np.ndarray:
    """Return the directions that a linear map (D, K) changes the most, the strongest first.

    They are of length 1 and orthogonal, (D, D): the eigenvectors of W W^T (Shen & Zhou 2021,
    arXiv:2007.06600, section 3.2). The largest number of each is positive.
    """
    weights = weights.astype(np.float64)
    vectors = np.linalg.eigh(weights @ weights.T)[1].T[::-1]
    largest = np.abs(vectors).argmax(1)[:, None]  # else a sign would be the library's choice
    return (vectors * np.sign(np.take_along_axis(vectors, largest, 1))).astype(np.float32)


def directions(generator: Network) -> np.ndarray:
    """Return the directions of a generator's latent space that change its first layers the most.

    float32 (D, D), a row each, as `strongest` orders them; (0, D) if no dense layer takes latents.
    """
    weights = first_weights(generator)
    return strongest(weights) if weights.size else np.zeros((0, len(weights)), np.float32)


def directions_of_z(generator: Network) -> np.ndarray:
    """Return the directions of z that change the first layers the most: (latent_dim, latent_dim).

    Where z is mapped to w, those of the linear map that is nearest to it.
    """
    if not has_mapping(generator):
        return directions(generator)
    z = jax.random.normal(random_key(0, SELECTING), (MEASURED, generator.module.latent_dim))
    w = np.asarray(_mapped(generator, z, _some_condition(generator, MEASURED)))
    mapping = np.linalg.lstsq(np.asarray(z), w - w.mean(0), rcond=None)[0]
    return strongest(mapping @ first_weights(generator))


def first_weights(generator: Network) -> np.ndarray:
    """Return the linear map of latents to what first becomes of them: float32 (D, K).

    That is the first dense layer, and the batch norm after it; of w all layers called "affine",
    beside each other. K is 0 if there is none.
    """
    space = latent_space(generator, _some_condition(generator, 1))
    exact = generator.replace(module=generator.module.clone(dtype=jnp.float32))
    size = space.shape[-1]
    points = jnp.concatenate([jnp.zeros((1, size)), jnp.eye(size)])
    if len(space.shape) > 1:
        points = jnp.repeat(points[:, None], space.shape[0], 1)
    outputs = np.asarray(_first_outputs(exact, points))
    return outputs[1:] - outputs[:1]


def _some_condition(generator: Network, num: int) -> Array | None:
    """Return conditions of the shape that a generator takes, (num, ...), or None."""
    if generator.module.text:
        return jnp.zeros((num, generator.module.text))
    return jnp.zeros(num, jnp.int32) if generator.module.num_classes else None


@jax.jit
def _first_outputs(generator: Network, latents: Array) -> Array:
    """Return what the layers of first_weights make of latents: float32 (N, K)."""
    seen: list[tuple[nn.Module, Array]] = []

    def look(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        output = call(*args, **kwargs)
        if context.method_name == "__call__" and isinstance(
            context.module, (Kernel, nn.Dense, BatchNorm)
        ):
            seen.append((context.module, output))
        return output

    with nn.intercept_methods(look):
        images_of(generator, latents, _some_condition(generator, len(latents)))
    if has_mapping(generator):
        found = [output for module, output in seen if module.name == "affine"]
    else:
        # "words" takes the sentence alone
        dense = [i for i, (module, x) in enumerate(seen) if x.ndim == 2 and module.name != "words"][
            :1
        ]
        found = [
            seen[i + 1][1] if isinstance(seen[i + 1][0], BatchNorm) else seen[i][1] for i in dense
        ]
    flat = [x.reshape(len(latents), -1).astype(jnp.float32) for x in found]
    return jnp.concatenate([jnp.zeros((len(latents), 0)), *flat], 1)
