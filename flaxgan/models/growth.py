"""Progressive growing (Karras et al. 2018, arXiv:1710.10196): a run in phases, from small pictures
to full size.

All weights are there from the start. A phase uses the inner blocks, up to maps as large as its
pictures, and 1x1 convolutions to and from these: see growing_dcgan.py. An architecture that grows
has a line in GROWING of models/__init__.py, and its name in that of options/gan.py.
"""

import dataclasses

import jax.numpy as jnp
from jax import Array

from flaxgan.config import Config
from flaxgan.models.layers import half, twice
from flaxgan.models.sizes import base_size
from flaxgan.system.errors import UserError

# How much longer a step takes at twice the side. Not four times: the maps added are the thinnest
# (measured on a CPU: docs/growth.md).
COST = 1.6


@dataclasses.dataclass(frozen=True)
class Growth:
    """The phases of a run: stage 0 has the smallest pictures, stage `halvings` those of full size.

    Each but the last has `images` pictures; the new blocks of each but the first are faded in over
    its first `fade_images`.
    """

    side: int  # the shorter one of the full size, in pixels
    halvings: int  # of the full size, to that of the first phase
    images: int
    fade_images: int
    images_per_step: int

    def stage(self, step: int) -> int:
        """Return the phase of a step (from 0)."""
        return min(self.halvings, step * self.images_per_step // self.images)

    def starts(self, stage: int) -> int:
        """Return the first step (from 0) of a phase."""
        return -(-stage * self.images // self.images_per_step)

    def fade(self, stage: int, step: int | Array) -> Array | None:
        """Return how much the new blocks count in a step (from 0), float32 in (0, 1].

        In the first phase none are new: None.
        """
        if stage == 0:
            return None
        steps = (jnp.asarray(step) + 1 - self.starts(stage)).astype(jnp.float32)
        return jnp.minimum(steps * self.images_per_step / self.fade_images, 1)

    def resolution(self, stage: int) -> int:
        """Return the shorter side of a phase's pictures, in pixels."""
        return self.side >> (self.halvings - stage)

    def parts(self, stage: int, accumulate: int) -> int:
        """Return in how many parts a phase goes through a batch that the last takes in so many.

        As few as take no more memory: a picture of half the side takes a quarter.
        """
        fits = 4 ** (self.halvings - stage)
        return next(
            n for n in range(1, accumulate + 1) if accumulate % n == 0 and n * fits >= accumulate
        )


def growth_of(config: Config) -> Growth | None:
    """Return the phases of a resolved configuration, or None if it has none.

    Raises UserError if it can't have such ones.
    """
    options = config.options
    if not getattr(options, "grow", None):
        return None
    require_growth(config)
    images = options.grow_images
    if not images:
        raise UserError("--grow takes --grow-images, which say how long a phase is; give them too")
    side, fade_images = min(config.image_size), options.fade_images or max(1, images // 2)
    halvings = (side // options.grow).bit_length() - 1
    return Growth(side, halvings, images, fade_images, config.images_per_step)


def require_growth(config: Config) -> None:
    """Raise UserError if no maps have pictures of the side --grow, or phases no room to fade in.

    The size of the images is known, and if it is to be checked the length of phases.
    """
    grow, fade, images = (config[name] for name in ("grow", "fade_images", "grow_images"))
    side, smallest = min(config.image_size), min(base_size(config.image_size))
    sides = [side >> k for k in range(12, 0, -1) if side >> k >= smallest]
    if grow not in (None, *sides):
        raise UserError(
            f"--grow {grow}: at this --image-size the first phase may have pictures of"
            f" {' or '.join(map(str, sides))}"
        )
    if fade and images and fade > images:
        raise UserError(
            f"--fade-images {fade} are more than a phase has (--grow-images {images}); give fewer"
        )


def resolution(config: Config, step: int) -> int | None:
    """Return the shorter side of the pictures after `step` steps; None if the run doesn't grow."""
    growth = growth_of(config)
    return growth.resolution(growth.stage(max(step - 1, 0))) if growth else None


def is_full_size(config: Config, step: int) -> bool:
    """Tell whether pictures after `step` steps have the run's full size, and are not enlarged."""
    return resolution(config, step) in (None, min(config.image_size))


def last_stage(config: Config) -> int:
    """Return the phase with pictures of full size; 0 if the run doesn't grow."""
    growth = growth_of(config)
    return growth.halvings if growth else 0


def steps_left(config: Config, step: int, total: int) -> float:
    """Return what is left after `step` of `total` steps, in steps that last as long as the last."""
    growth = growth_of(config)
    if growth is None:
        return total - step
    now = growth.stage(max(step - 1, 0))
    ends = [*map(growth.starts, range(1, growth.halvings + 1)), total]
    left = 0.0
    for stage, end in enumerate(ends):
        left += max(0, min(end, total) - step) * COST ** (stage - now)
        step = max(step, min(end, total))
    return left


def mean_cost(config: Config) -> float:
    """Return the time of an average step of a run, as a share of that of one of its last phase.

    The last phase has half of the steps, as presets choose.
    """
    earlier = [COST**-k for k in range(1, last_stage(config) + 1)]
    return 0.5 + 0.5 * sum(earlier) / len(earlier) if earlier else 1.0


def require_grown(config: Config, step: int) -> None:
    """Raise UserError if networks still grow after `step` steps, and not all of one is in use."""
    growth, last = growth_of(config), step - 1
    if growth is None:
        return
    full = growth.halvings
    if last < 0 or growth.stage(last) < full or float(growth.fade(full, last) or 0) < 1:
        first = growth.starts(full) + -(-growth.fade_images // growth.images_per_step)
        raise UserError(
            f"{config.run_dir} still grows after {step} steps (--grow), and a generator leaves it"
            f" once it has full size, from step {first} on; train it further"
        )


def halved(x: Array, times: int) -> Array:
    """Average each 2x2 pixels so many times: (N, H, W, C) -> (N, H >> times, W >> times, C)."""
    for _ in range(times):
        x = half(x)
    return x


def enlarged(x: Array, times: int) -> Array:
    """Repeat each pixel as 2x2 so many times: (N, H, W, C) -> (N, H << times, W << times, C)."""
    for _ in range(times):
        x = twice(x)
    return x


def blended(old: Array, new: Array, fade: Array) -> Array:
    """Return the share `fade`, float32 (), of `new` and the rest of `old`, of the same shape."""
    share = fade.astype(new.dtype)
    return share * new + (1 - share) * old


def faded(images: Array, fade: Array | None) -> Array:
    """Blend images (N, H, W, C) with themselves at half the size, as generated ones are."""
    return images if fade is None else blended(twice(half(images)), images, fade)
