"""Pictures of any size through networks that take multiples of some number of pixels."""

import numpy as np

from flaxgan.config import Config
from flaxgan.methods.translation import Translate
from flaxgan.models import resnet_generator, unet


def unit_of(config: Config) -> int:
    """Return what the sides of a picture have to be multiples of for a run's generator."""
    if config.options.DATA == "smaller":
        return 1
    if getattr(config.options, "generator", "resnet") == "unet":
        return 2 ** unet.halvings(config.image_size)
    return 2**resnet_generator.HALVINGS


def translated(translate: Translate, images: np.ndarray, config: Config) -> np.ndarray:
    """Translate uint8 (N, H, W, C) of any size: filled up by mirroring, and cut again."""
    unit, (height, width) = unit_of(config), images.shape[1:3]
    least = 8 if unit > 1 else 1  # mirrored edges take some pixels
    sides = [max(least, -(-side // unit) * unit) for side in (height, width)]
    if sides == [height, width]:
        return translate(images)
    ends = [(0, whole - side) for whole, side in zip(sides, (height, width), strict=True)]
    return translate(np.pad(images, [(0, 0), *ends, (0, 0)], "symmetric"))[:, :height, :width]
