"""Draw what a request asks of a generator: samples, mixtures, and what lies between seeds."""

from collections.abc import Callable

import numpy as np

from flaxgan.methods.latent_space import has_mapping
from flaxgan.methods.noise import noise_numbers
from flaxgan.methods.sampling import between, draw, first_latents, latents
from flaxgan.methods.state import Network
from flaxgan.methods.styles import draw_between, draw_mixed, truncated
from flaxgan.request import FRAMES, Request
from flaxgan.system.errors import UserError

Rows = list[np.ndarray | None]  # classes or texts of each set of images


def drawn(generator: Network, request: Request, conditions: Callable[[int], Rows]) -> np.ndarray:
    """Draw images: uint8 (N, H, W, C), a set for each row that conditions(images of a set) returns.

    Raises UserError if the generator can't make them.
    """
    if has_mapping(generator):
        return _by_styles(truncated(generator, request.truncation), request, conditions)
    if request.mix is not None:
        raise UserError("--mix is for runs of --architecture style; leave it out")
    seed, latent_dim = request.first_seed, generator.module.latent_dim
    if request.through_prompts:
        z = first_latents(seed, 1, latent_dim, truncation=request.truncation)
        z = z.repeat(request.each, 0)
    elif request.interpolate is not None:
        frames = request.frames or FRAMES
        z = between([*request.interpolate], frames, latent_dim, request.truncation)
    else:
        z = first_latents(seed, request.each, latent_dim, truncation=request.truncation)
    return np.concatenate([draw(generator, z, row) for row in conditions(len(z))])


def _by_styles(
    generator: Network, request: Request, conditions: Callable[[int], Rows]
) -> np.ndarray:
    seed, latent_dim, count = request.first_seed, generator.module.latent_dim, request.each
    if request.mix is not None:
        pictures = np.array(request.mix)
        z = np.concatenate([latents(seed, i, 1, latent_dim) for i in request.mix])
        noise, (row, *others) = noise_numbers(seed, pictures), conditions(max(request.mix) + 1)
        if others:
            raise UserError("--mix makes one table; name one --class or --prompt")
        row = None if row is None else row[pictures]
        return draw_mixed(generator, z, row, noise, request.mix_at or 0)
    if request.interpolate is not None and not request.through_prompts:
        ends = np.concatenate([latents(seed, 0, 1, latent_dim) for seed in request.interpolate])
        noise = noise_numbers(seed, np.zeros(count, int))  # else it would flicker
        frames = request.frames or FRAMES
        rows = (draw_between(generator, ends, frames, row, noise) for row in conditions(count))
        return np.concatenate([*rows])
    pictures = np.arange(count) * (not request.through_prompts)  # of words alone: the first's z
    z = first_latents(seed, count, latent_dim)[pictures]
    noise = noise_numbers(seed, pictures)
    return np.concatenate([draw(generator, z, row, noise) for row in conditions(count)])
