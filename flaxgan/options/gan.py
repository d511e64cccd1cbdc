"""The options of the method "gan"."""

import dataclasses
import re
from typing import ClassVar, Literal

from flaxgan.fields import (
    COUNT,
    POSITIVE,
    SHARE,
    WEIGHT,
    WIDTH,
    Rule,
    check,
    option,
    require,
    require_known,
)
from flaxgan.options.features import FeatureOptions
from flaxgan.options.style import StyleOptions
from flaxgan.options.text import ConditionOptions
from flaxgan.system.errors import UserError

# flags with a function of that name in methods/penalties.py
PENALTIES = ("r1", "r2", "gradient_penalty")
# with a function of that name in methods/augment.py
AUGMENTATIONS = ("color", "translation", "cutout")
# whose networks can --grow
GROWING = ("dcgan", "style")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GANOptions(StyleOptions, ConditionOptions, FeatureOptions):
    """What the method "gan" has beside the fields of Config.

    None means: derived from another field.
    """

    DATA: ClassVar[str] = "images"  # the form of its data: see data/forms.py

    architecture: Literal["dcgan", "dense", "resnet", "style"] = option(
        "dcgan", "which pair of networks", fixed=True, extensible=True
    )
    features: int = option(64, "base width of both networks", fixed=True, rule=WIDTH)
    d_features: int | None = option(
        None, "the discriminator's (default: --features)", fixed=True, rule=WIDTH
    )
    latent_dim: int = option(100, "length of the generator's input z", fixed=True, rule=WIDTH)
    attention: int | None = option(
        None,
        "self-attention where the feature maps are this high (or wide, if less) (default: none)",
        fixed=True,
    )
    loss: Literal["bce", "hinge", "lsgan", "wgan", "relativistic"] = option(
        "bce", "what both networks minimise", extensible=True
    )
    label_smoothing: float = option(
        0.0, "real pictures count as 1 minus this (bce and lsgan)", rule=SHARE
    )
    r1: float = option(
        0.0,
        "weight of half the discriminator's squared gradient at real pictures (0: off)",
        fixed=True,
        rule=WEIGHT,
    )
    r1_every: int = option(
        1,
        "compute --r1 in every so-many-th step alone, with so many times its weight",
        fixed=True,
        rule=COUNT,
    )
    r2: float = option(
        0.0, "weight of the same at generated pictures (0: off)", fixed=True, rule=WEIGHT
    )
    gradient_penalty: float = option(
        0.0,
        "weight of (length of the gradient - 1)² between real and generated pictures, 10 in WGAN-GP"
        " (0: off)",
        fixed=True,
        rule=WEIGHT,
    )
    penalty: str | None = option(
        None,
        "penalties of one's own and their weights, as mine=10 (docs/extending.md) (default: none)",
        fixed=True,
    )
    d_norm: Literal["batch", "layer", "none"] | None = option(
        None,
        "normalisation in the discriminator (default: batch; with a gradient penalty layer, with"
        " spectral norm none)",
        fixed=True,
    )
    spectral_norm: bool = option(
        False, "bound the discriminator's layers by their largest singular value", fixed=True
    )
    dropout: float = option(
        0.0, "share of the discriminator's activations that are left out", rule=SHARE
    )
    instance_noise: float = option(
        0.0, "standard deviation of noise on what the discriminator sees, at first", rule=WEIGHT
    )
    instance_noise_images: int = option(
        100_000, "pictures seen until that noise has fallen to nothing", rule=COUNT
    )
    augment: str | None = option(
        None,
        "change what the discriminator sees by some of color,translation,cutout; none switches it"
        " off (default: none)",
    )
    augment_target: float | None = option(
        None,
        "--augment no more pictures than it takes for the discriminator to be right about this"
        " share of real ones (default: all)",
        fixed=True,
        rule=Rule(lambda value: 0.5 < value < 1, "must lie between 0.5 and 1"),
    )
    feature_matching: float = option(
        0.0,
        "weight of the distance of mean discriminator features in the generator's loss (with"
        " --accumulate each part's)",
        rule=WEIGHT,
    )
    d_steps: int = option(
        1,
        "updates of the discriminator for each of the generator, with new pictures each",
        fixed=True,
        rule=COUNT,
    )
    grow: int | None = option(
        None,
        "begin with pictures of this height (or width, if less), and double it in phases up to full"
        " size (default: none)",
        fixed=True,
        rule=COUNT,
    )
    grow_images: int | None = option(
        None,
        "pictures seen in each phase but the last (default: half of the run, among all of these)",
        fixed=True,
        rule=COUNT,
    )
    fade_images: int | None = option(
        None,
        "pictures over which a phase's new blocks are faded in (default: half of --grow-images)",
        fixed=True,
        rule=COUNT,
    )
    d_learning_rate: float | None = option(
        None, "the discriminator's (default: --learning-rate)", rule=POSITIVE
    )
    g_learning_rate: float | None = option(
        None, "the generator's (default: --learning-rate)", rule=POSITIVE
    )

    def __post_init__(self) -> None:
        check(self)
        self.check_condition()
        once = len(set(self.augmentations)) == len(self.augmentations)
        require(
            self, "augment", once, f"must be none, or some of {','.join(AUGMENTATIONS)}, each once"
        )
        require_known("augment", self.augmentations, AUGMENTATIONS)
        require_known("penalty", self.penalties, PENALTIES)
        if self.augment_target and self.augment is None:
            raise UserError("--augment-target says how often to --augment; give that too")
        if self.label_smoothing and self.loss in ("hinge", "wgan", "relativistic"):
            raise UserError(
                "--label-smoothing is for --loss bce and lsgan, whose real pictures have a target;"
                f" {self.loss} has none"
            )
        self.check_features(self.loss, self.grow)
        if self.d_norm and self.architecture in ("resnet", "style"):
            raise UserError(
                f"--architecture {self.architecture} has no normalisation; leave --d-norm out"
            )
        if (self.grow_images or self.fade_images) and not self.grow:
            raise UserError(
                "--grow-images and --fade-images say how a run is to --grow; give that too"
            )
        if self.grow and self.architecture not in GROWING:
            raise UserError(
                f"--grow is for --architecture {' and '.join(GROWING)}; {self.architecture} has no"
                " small pictures to begin with"
            )
        if self.r1_every > 1 and not self.r1:
            raise UserError("--r1-every says how often --r1 is computed; give its weight, too")
        self.require_style(self.architecture)
        if self.discriminator_norm == "batch" and self._penalised:
            raise UserError(
                "--d-norm batch makes a logit depend on the whole batch, so that --r1, --r2,"
                " --gradient-penalty and --matching-penalty, which bound each picture's own"
                " gradient, have none to bound; leave it out, or give --d-norm layer or none"
            )

    @property
    def _penalised(self) -> bool:
        return bool(self.penalties or self.matching_penalty)

    @property
    def penalties(self) -> dict[str, float]:
        """Return the weights of the penalties that are on, by name.

        Raises UserError if `penalty` can't be read.
        """
        weights = {name: weight for name in PENALTIES if (weight := getattr(self, name))}
        for word in self.penalty.split(",") if self.penalty else ():
            name, _, weight = (part.strip() for part in word.partition("="))
            require(
                self,
                "penalty",
                bool(re.fullmatch(r"\d+(\.\d+)?(e-?\d+)?", weight)),
                "must be NAME=WEIGHT,...",
            )
            weights[name] = float(weight)
        return weights

    @property
    def discriminator_norm(self) -> str:
        """Return the discriminator's normalisation: batch, layer or none."""
        return self.d_norm or (
            "none" if self.spectral_norm else "layer" if self._penalised else "batch"
        )

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Return the names in `augment`; none if it is none or not given."""
        names = [name.strip() for name in (self.augment or "none").split(",")]
        return () if names == ["none"] else tuple(names)

    @property
    def batches_per_step(self) -> int:
        """Return how many batches of new images a step takes: one for each discriminator update."""
        return self.d_steps
