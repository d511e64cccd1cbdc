"""The configuration of a run: one frozen, flat dataclass, whose fields are also the flags of the command line (flags.py)."""

import argparse
import dataclasses
import math
import os
from pathlib import Path
from typing import Any, Literal, Self

from flaxgan.fields import choices_of, flag, is_a, option, parse_image_size, parse_period, period_steps, type_of
from flaxgan.system.errors import UserError

PENALTIES = ("r1", "r2", "gradient_penalty")  # flags with a function of that name in penalties.py
PERIODS = ("checkpoint_every", "evaluate_every")
AUGMENTATIONS = ("color", "translation", "cutout")  # with a function of that name in augment.py


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run does. None means: derived (from the data, or from another field)."""

    dataset: str = option(
        "synthetic_flowers", "synthetic_flowers (built in), the name of a TFDS data set, or a folder of pictures", fixed=True
    )
    data_dir: str | None = option(None, "where TFDS keeps its data sets (default: TFDS's own, ~/tensorflow_datasets)")
    split: str | None = option(None, "TFDS split, as in train or train+test (default: all splits together)", fixed=True)
    image_size: tuple[int, int] | None = option(
        None,
        "N or HEIGHTxWIDTH (default: the data's own if that is fixed and at most 64, else 64)",
        fixed=True,
        parse=parse_image_size,
    )
    channels: Literal[1, 3] | None = option(None, "1 (grey) or 3 (colour) (default: as the data)", fixed=True)
    fit: Literal["crop", "pad", "stretch", "tiles"] = option(
        "crop",
        "pictures of other proportions: crop to the middle, pad with bars, stretch, or cut a long one into several tiles",
        fixed=True,
    )
    flip: bool | None = option(
        None, "mirror pictures at random (default: on for photographs, off for grey data and digits)", fixed=True
    )
    preset: Literal["auto", "plain"] = option(
        "auto", "what decides all that is not given: auto, the data and the device; plain, the DCGAN's paper", fixed=True
    )
    batch_size: int = option(64, "pictures per training step", fixed=True)
    images: int | None = option(None, "train on this many pictures in all (default: what so many different ones need)")
    epochs: int | None = option(None, "or go through the data this often (default: 25 with --preset plain)")
    max_steps: int | None = option(
        None, "stop after this many steps, counted from the run's first, whatever --epochs says (default: none)"
    )
    hours: float | None = option(None, "stop after so long; what --preset auto chooses is cut to it (default: none)")
    features: int = option(64, "base width of both networks", fixed=True)
    d_features: int | None = option(None, "the discriminator's (default: --features)", fixed=True)
    latent_dim: int = option(100, "length of the generator's input z", fixed=True)
    architecture: Literal["dcgan", "dense", "resnet"] = option("dcgan", "which pair of networks", fixed=True)
    conditional: bool = option(False, "learn the classes: pictures of each can be asked for", fixed=True)
    attention: int | None = option(
        None, "self-attention where the feature maps are this high (or wide, if less) (default: none)", fixed=True
    )
    loss: Literal["bce", "hinge", "lsgan", "wgan", "relativistic"] = option("bce", "what both networks minimise")
    label_smoothing: float = option(0.0, "real pictures count as 1 minus this (bce and lsgan)")
    r1: float = option(0.0, "weight of half the discriminator's squared gradient at real pictures (0: off)", fixed=True)
    r2: float = option(0.0, "weight of the same at generated pictures (0: off)", fixed=True)
    gradient_penalty: float = option(
        0.0, "weight of (length of the gradient - 1)² between real and generated pictures, 10 in WGAN-GP (0: off)", fixed=True
    )
    d_norm: Literal["batch", "layer", "none"] | None = option(
        None,
        "normalisation in the discriminator (default: batch; with a gradient penalty layer, with spectral norm none)",
        fixed=True,
    )
    spectral_norm: bool = option(False, "bound the discriminator's layers by their largest singular value", fixed=True)
    dropout: float = option(0.0, "share of the discriminator's activations that are left out")
    instance_noise: float = option(0.0, "standard deviation of noise on what the discriminator sees, at first")
    instance_noise_images: int = option(100_000, "pictures seen until that noise has fallen to nothing")
    augment: str | None = option(
        None, "change what the discriminator sees by some of color,translation,cutout; none switches it off (default: none)"
    )
    augment_target: float | None = option(
        None,
        "--augment no more pictures than it takes for the discriminator to be right about this share of real ones (default: all)",
        fixed=True,
    )
    feature_matching: float = option(
        0.0, "weight of the distance of mean discriminator features in the generator's loss (with --accumulate each part's)"
    )
    d_steps: int = option(1, "updates of the discriminator for each of the generator, with new pictures each", fixed=True)
    ema: int = option(
        10_000, "half-life, in pictures seen, of the generator's averaged weights, which are sampled from (0: off)", fixed=True
    )
    schedule: Literal["constant", "linear", "cosine"] = option(
        "constant", "how the learning rates go: constant, or falling to 0 at the run's end", fixed=True
    )
    learning_rate: float = option(2e-4, "Adam's learning rate, both networks")
    d_learning_rate: float | None = option(None, "the discriminator's (default: --learning-rate)")
    g_learning_rate: float | None = option(None, "the generator's (default: --learning-rate)")
    beta1: float = option(0.5, "Adam's decay of the first moment")
    beta2: float = option(0.999, "Adam's decay of the second moment")
    num_classes: int | None = option(None, "of the data, if conditional", fixed=True, flag=False)
    seed: int = option(0, "decides weights, z, data order and flips", fixed=True)
    run_dir: str | None = option(None, "the run's folder; resumed if it exists (default: runs/<dataset>-<timestamp>)", saved=False)
    checkpoint_every: str = option(
        "1 epoch", "epochs, or as '500 steps', between checkpoints and their pictures (one more at the end)", parse=parse_period
    )
    keep_checkpoints: int = option(3, "how many of the newest checkpoints to keep")
    log_every: int = option(10, "steps between lines of metrics.jsonl")
    evaluate_every: str | None = option(
        None,
        "epochs, or as '500 steps', between evaluations, which choose the best checkpoint (default: never)",
        parse=parse_period,
    )
    evaluate_num: int = option(2048, "generated pictures of each of those evaluations", fixed=True)
    extractor: Literal["efficientnet_lite0", "inception"] = option(
        "efficientnet_lite0", "network whose features are compared; inception is what FID is defined by", fixed=True
    )
    inception_weights: str | None = option(
        None, "Inception's published .pth (default: downloaded once into the cache)", saved=False
    )
    device: Literal["auto", "cpu", "gpu", "tpu"] = option("auto", "what to compute on (default: the best there is)")
    dtype: Literal["float32", "bfloat16"] = option("float32", "what the layers compute in; parameters and losses stay float32")
    accumulate: int = option(1, "go through each batch in this many parts: less memory, the same number of pictures a step")
    data_home: Literal["auto", "device", "host"] = option(
        "auto", "where the pictures live (default: on a GPU or TPU if they fill at most a quarter of its memory, else the host)"
    )
    parallelism: Literal["jit", "pmap"] = option("jit", "how a step is spread over several devices")
    distributed: bool = option(False, "this is one of several processes that train together; each gets the same flags", saved=False)
    coordinator_address: str | None = option(
        None, "HOST:PORT of process 0 (default: as SLURM, Cloud TPU or Kubernetes says)", saved=False
    )
    num_processes: int | None = option(None, "how many processes there are (default: as above)", saved=False)
    process_id: int | None = option(None, "which of them this is, from 0 (default: as above)", saved=False)

    def __post_init__(self):
        if isinstance(self.image_size, int):
            object.__setattr__(self, "image_size", (self.image_size, self.image_size))
        elif isinstance(self.image_size, list):  # as JSON has it
            object.__setattr__(self, "image_size", tuple(self.image_size))
        for name in PERIODS:
            if type(getattr(self, name)) in (int, str):
                object.__setattr__(self, name, self._period(name))
        for name, field in FIELDS.items():
            value, hint = getattr(self, name), type_of(Config, name)
            rule = f"one of {choices_of(hint)}" if choices_of(hint) else f"of type {hint.__name__}"
            self._require(name, is_a(value, hint) or (value is None and field.default is None), f"must be {rule}")
        widths = ("features", "d_features", "latent_dim")
        counts = ("batch_size", "accumulate", "d_steps", "epochs", "max_steps", "instance_noise_images")
        for name in (*widths, *counts, "keep_checkpoints", "log_every"):
            value, bits = getattr(self, name), 20 if name in widths else 31  # XLA aborts on sizes that overflow
            self._require(name, value is None or 1 <= value < 2**bits, f"must be at least 1, below 2**{bits}")
        self._require("images", self.images is None or 1 <= self.images < 2**50, "must be at least 1, below 2**50")
        self._require("hours", self.hours is None or 0 < self.hours < 10_000, "must be more than 0, below 10,000")
        self._require("accumulate", self.batch_size % self.accumulate == 0, f"must divide --batch-size {self.batch_size}")
        self._require("evaluate_num", self.evaluate_num >= 2, "must be at least 2")
        for name in ("learning_rate", "d_learning_rate", "g_learning_rate"):
            rate = getattr(self, name)
            self._require(name, rate is None or (rate > 0 and math.isfinite(rate)), "must be a positive number")
        for name in ("beta1", "beta2"):
            self._require(name, 0 <= getattr(self, name) < 1, "must lie in [0, 1)")
        self._require("ema", 0 <= self.ema < 2**31, "must not be negative, and below 2**31")
        for name in (*PENALTIES, "instance_noise", "feature_matching"):
            value = getattr(self, name)
            self._require(name, value >= 0 and math.isfinite(value), "must be finite and not negative")
        for name in ("label_smoothing", "dropout"):
            self._require(name, 0 <= getattr(self, name) < 1, "must lie in [0, 1)")
        unknown = set(self.augmentations) - set(AUGMENTATIONS)
        once = len(set(self.augmentations)) == len(self.augmentations)
        self._require("augment", not unknown and once, f"must be none, or some of {','.join(AUGMENTATIONS)}, each once")
        target = self.augment_target
        self._require("augment_target", target is None or 0.5 < target < 1, "must lie between 0.5 and 1")
        if target and self.augment is None:
            raise UserError("--augment-target says how often to --augment; give that too")
        if self.label_smoothing and self.loss not in ("bce", "lsgan"):
            raise UserError(
                f"--label-smoothing is for --loss bce and lsgan, whose real pictures have a target; {self.loss} has none"
            )
        if self.d_norm and self.architecture == "resnet":
            raise UserError("--architecture resnet has no normalisation; leave --d-norm out")
        if self.discriminator_norm == "batch" and self._penalised:
            raise UserError(
                "--d-norm batch makes a logit depend on the whole batch, so that --r1, --r2 and --gradient-penalty, which "
                "bound each picture's own gradient, have none to bound; leave it out, or give --d-norm layer or none"
            )
        self._require("seed", 0 <= self.seed < 2**32, "must lie in [0, 2**32)")
        joining = ("coordinator_address", "num_processes", "process_id")
        given = [name for name in joining if getattr(self, name) is not None]
        if given and (not self.distributed or len(given) < len(joining)):
            raise UserError(f"{', '.join(map(flag, joining))} belong together, and to --distributed; give all of them or none")
        if self.distributed and self.parallelism == "pmap":
            raise UserError("--parallelism pmap is for the devices of one process; with --distributed leave it at jit")
        if self.distributed and self.data_home == "device":
            raise UserError("--data-home device is for one process; with --distributed each reads only its own pictures of a batch")
        if given:
            host, _, port = self.coordinator_address.rpartition(":")
            self._require("coordinator_address", bool(host) and port.isdecimal(), "must be HOST:PORT, as host0:1234")
            self._require("num_processes", self.num_processes >= 1, "must be at least 1")
            self._require("process_id", 0 <= self.process_id < self.num_processes, f"must lie in [0, {self.num_processes})")

    def _period(self, name: str) -> str:
        try:
            return parse_period(str(getattr(self, name)))
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{flag(name)}: {error}") from error

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise UserError(f"{flag(name)} {rule}, not {getattr(self, name)}")

    @property
    def _penalised(self) -> bool:
        return any(getattr(self, name) for name in PENALTIES)

    @property
    def discriminator_norm(self) -> str:
        """batch, layer or none."""
        return self.d_norm or ("none" if self.spectral_norm else "layer" if self._penalised else "batch")

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The names in `augment`; none if it is none or not given."""
        names = [name.strip() for name in (self.augment or "none").split(",")]
        return () if names == ["none"] else tuple(names)

    @property
    def image_folder(self) -> Path | None:
        """The folder that --dataset names, once run.resolve has made its path absolute; None if it names no folder."""
        return Path(self.dataset) if os.path.isabs(self.dataset) else None

    @property
    def images_per_step(self) -> int:
        """New pictures that a step takes: a batch for each update of the discriminator."""
        return self.batch_size * self.d_steps

    def lengths(self, per_epoch: int) -> dict[str, int]:
        """Return the steps of each flag given that ends the run; the first to end it counts. An epoch has `per_epoch` steps."""
        ends = {"images": self.images and -(-self.images // self.images_per_step), "max_steps": self.max_steps}
        ends["epochs"] = self.epochs and self.epochs * per_epoch
        return {flag(name): steps for name, steps in ends.items() if steps}

    def steps_every(self, name: str, per_epoch: int) -> int | None:
        """Return a period, `checkpoint_every` or `evaluate_every`, in steps; None: never. An epoch has `per_epoch` steps."""
        period = getattr(self, name)
        return period and period_steps(period, per_epoch)

    def to_dict(self) -> dict[str, Any]:
        """The fields that config.json holds; not run_dir: a run folder may be moved."""
        return {name: value for name, value in dataclasses.asdict(self).items() if FIELDS[name].metadata["saved"]}

    def chosen(self) -> dict[str, Any]:
        """The fields that differ from the defaults."""
        return {name: getattr(self, name) for name, field in FIELDS.items() if getattr(self, name) != field.default}

    @classmethod
    def from_dict(cls, fields: dict[str, Any], **changes: Any) -> Self:
        """The inverse of to_dict; keys that are no field are left out."""
        return cls(**{name: fields[name] for name in FIELDS if name in fields} | changes)


FIELDS = {field.name: field for field in dataclasses.fields(Config)}
