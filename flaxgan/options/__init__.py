"""The options of each method: frozen dataclasses of its own flags, in modules that --help reads
without JAX.
"""

from typing import Any

from flaxgan.options.gan import AUGMENTATIONS, PENALTIES, GANOptions
from flaxgan.options.translation import (
    CUTOptions,
    CycleGANOptions,
    Pix2PixOptions,
    SRGANOptions,
    TranslationOptions,
)

__all__ = [
    "AUGMENTATIONS",
    "OPTIONS",
    "PENALTIES",
    "CUTOptions",
    "CycleGANOptions",
    "GANOptions",
    "Pix2PixOptions",
    "SRGANOptions",
    "TranslationOptions",
]

OPTIONS: dict[str, Any] = {  # by the names of methods.METHODS
    "gan": GANOptions,
    "pix2pix": Pix2PixOptions,
    "cyclegan": CycleGANOptions,
    "cut": CUTOptions,
    "srgan": SRGANOptions,
}
