"""The options of the methods that turn a picture into another."""

import dataclasses
from typing import Any, ClassVar, Literal

from flaxgan.fields import COUNT, POSITIVE, WEIGHT, WIDTH, Rule, check, option, require
from flaxgan.fields import require_known as require_known_names
from flaxgan.options.gan import AUGMENTATIONS
from flaxgan.system.errors import UserError

JITTER = 286 / 256  # of the papers: loaded at 286x286, cut to 256x256
JITTER_RULE = Rule(lambda value: 1 <= value <= 2, "must lie between 1 and 2")
HELD_OUT = Rule(lambda value: 0 <= value < 1, "must lie in [0, 1)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranslationOptions:
    """What all methods have that turn a picture into another.

    None means: derived from another field.
    """

    DATA: ClassVar[str] = "paired"  # the form of the data: see data/forms.py
    jitter: float = option(
        JITTER,
        "load pictures so much larger than --image-size, and cut a random part of it (1: off)",
        fixed=True,
        rule=JITTER_RULE,
    )
    hold_out: float = option(
        0.1,
        "share of the pictures that are not trained on, by a hash of each file's content: they are"
        " shown and measured",
        fixed=True,
        rule=HELD_OUT,
    )
    test_split: str | None = option(
        None, "TFDS split that is held out instead, as test (default: none)", fixed=True
    )
    features: int = option(64, "base width of the networks", fixed=True, rule=WIDTH)
    d_features: int | None = option(
        None, "the discriminator's (default: --features)", fixed=True, rule=WIDTH
    )
    blocks: int | None = option(
        None, "residual blocks (default: 9 from 256 pixels on, else 6)", fixed=True, rule=COUNT
    )
    patch: Literal[16, 34, 70] | None = option(
        None,
        "side of the patches that the discriminator judges, in pixels (default: 70; below 128"
        " pixels 34, below 32 pixels 16)",
        fixed=True,
    )
    loss: Literal["bce", "hinge", "lsgan", "wgan"] = option(
        "lsgan", "what discriminators minimise on each patch"
    )
    spectral_norm: bool = option(
        False,
        "bound the discriminator's layers by their largest singular value, not by instance norm",
        fixed=True,
    )
    r1: float = option(
        0.0,
        "weight of half the discriminator's squared gradient at real pictures (0: off)",
        fixed=True,
        rule=WEIGHT,
    )
    augment: str | None = option(
        None,
        "change what the discriminator sees by some of color,translation,cutout; none switches it"
        " off (default: none)",
    )
    d_learning_rate: float | None = option(
        None, "the discriminators' (default: --learning-rate)", rule=POSITIVE
    )
    g_learning_rate: float | None = option(
        None, "the generators' (default: --learning-rate)", rule=POSITIVE
    )

    def __post_init__(self) -> None:
        check(self)
        once = len(set(self.augmentations)) == len(self.augmentations)
        require(
            self, "augment", once, f"must be none, or some of {','.join(AUGMENTATIONS)}, each once"
        )
        require_known_names("augment", self.augmentations, AUGMENTATIONS)
        self.check()

    def check(self) -> None:
        """Raise UserError for options of one method that contradict each other."""

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Return the names in `augment`; none if it is none or not given."""
        names = [name.strip() for name in (self.augment or "none").split(",")]
        return () if names == ["none"] else tuple(names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixOptions(TranslationOptions):
    """What the method "pix2pix" has beside the fields of Config."""

    pairs: Literal["folders", "side-by-side"] = option(
        "folders",
        "where pairs are: in the folders source and target, under one name, or in the left and"
        " right half of each picture",
        fixed=True,
    )
    source: Literal["edges", "hed", "grey", "blur", "mask"] | None = option(
        None, "make the source of each picture itself; no pairs are needed", fixed=True
    )
    swap_pairs: bool = option(False, "exchange source and target of all pairs", fixed=True)
    generator: Literal["unet", "resnet"] = option("unet", "which network translates", fixed=True)
    loss: Literal["bce", "hinge", "lsgan", "wgan"] = option(
        "bce", "what the discriminator minimises on each patch"
    )
    l1: float = option(100.0, "weight of the mean difference to the target", rule=WEIGHT)
    dropout: float = option(
        0.5,
        "share of the inner activations of unet that are left out",
        rule=Rule(lambda value: 0 <= value < 1, "must lie in [0, 1)"),
    )

    def check(self) -> None:
        if self.source and (self.pairs != "folders"):
            raise UserError("--source makes pairs, and --pairs says where they are; leave one out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _UnpairedOptions(TranslationOptions):
    """What the methods that learn from two sets have."""

    DATA: ClassVar[str] = "unpaired"
    target: str | None = option(
        None,
        "what the pictures of --dataset are to become like: takes the same as --dataset",
        fixed=True,
    )


def _antialias(default: bool) -> Any:
    words = "let the residual network change sizes with a blur: no checkerboards, half as fast"
    return option(default, words, fixed=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANOptions(_UnpairedOptions):
    """What the method "cyclegan" has beside the fields of Config."""

    generator: Literal["resnet", "unet"] = option("resnet", "which network translates", fixed=True)
    antialias: bool = _antialias(False)
    cycle: float = option(
        10.0, "weight of the mean difference after there and back again", rule=WEIGHT
    )
    identity: float = option(
        5.0, "weight of the mean difference that a picture of the wanted kind gets", rule=WEIGHT
    )
    pool: int = option(
        50,
        "earlier results that the discriminators see again (0: off)",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**16, "must lie in [0, 65536)"),
    )

    def check(self) -> None:
        if self.antialias and self.generator != "resnet":
            raise UserError("--antialias is for --generator resnet; leave one of them out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CUTOptions(_UnpairedOptions):
    """What the method "cut" has beside the fields of Config."""

    antialias: bool = _antialias(True)
    nce: float = option(1.0, "weight of PatchNCE", rule=WEIGHT)
    identity_nce: bool = option(
        True, "PatchNCE on pictures of the wanted kind, too (without it: FastCUT)", fixed=True
    )
    flip_equivariance: bool = option(
        False, "mirror half of the pictures before, and their features after (FastCUT)", fixed=True
    )
    patches: int = option(256, "places of each map that PatchNCE compares", fixed=True, rule=COUNT)
    temperature: float = option(0.07, "of PatchNCE", rule=POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SRGANOptions(TranslationOptions):
    """What the method "srgan" has beside the fields of Config."""

    DATA: ClassVar[str] = "smaller"
    scale: Literal[2, 3, 4, 8] = option(
        4, "how many times larger pictures become; the small ones are made", fixed=True
    )
    jitter: float = option(
        1.0,
        "load pictures so much larger than --image-size, and cut a random part of it (1: off)",
        fixed=True,
        rule=JITTER_RULE,
    )
    blocks: int | None = option(None, "residual blocks (default: 16)", fixed=True, rule=COUNT)
    loss: Literal["bce", "hinge", "lsgan", "wgan"] = option(
        "bce", "what the discriminator minimises on each patch"
    )
    pixel_images: int | None = option(
        None,
        "pictures of the first phase, which learns from pixels alone, before the discriminator"
        " joins (default: half of the run)",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**50, "must not be negative, and below 2**50"),
    )
    pixel_loss: Literal["l1", "mse"] = option("l1", "difference of pixels", fixed=True)
    pixel: float = option(0.01, "weight of pixels after that", rule=WEIGHT)
    perceptual: float = option(1.0, "weight of the difference of features after that", rule=WEIGHT)
    perceptual_network: Literal["efficientnet_lite0", "hed", "vgg19"] = option(
        "efficientnet_lite0", "network whose features are compared", fixed=True
    )
    vgg19_weights: str | None = option(
        None, "VGG-19's published .pth (default: downloaded once into the cache)", saved=False
    )
    adversarial: float = option(0.005, "weight of the discriminator after that", rule=WEIGHT)

    def check(self) -> None:
        if self.vgg19_weights and self.perceptual_network != "vgg19":
            raise UserError("--vgg19-weights belongs to --perceptual-network vgg19; add that")
