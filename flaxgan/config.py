"""The configuration of a run: one frozen dataclass, whose fields are also the flags of the command
line (flags.py).

What only one method has is in its options (options.py).
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Literal, Self

from flaxgan.fields import (
    COUNT,
    POSITIVE,
    SHARE,
    Rule,
    check,
    flag,
    option,
    parse_image_size,
    parse_period,
    period_steps,
    require,
)
from flaxgan.options import OPTIONS
from flaxgan.system.errors import UserError

PERIODS = ("checkpoint_every", "evaluate_every")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run does.

    None means: derived from the data, or from another field. Image size and channels are declared
    as they are once the run is resolved (resolve.py).
    """

    method: str = option("gan", "what is trained", fixed=True)
    dataset: str = option(
        "synthetic_flowers",
        "synthetic_flowers (built in), a TFDS name, a folder of pictures, a .npy or .npz",
        fixed=True,
    )
    data_dir: str | None = option(
        None, "where TFDS keeps its data sets (default: TFDS's own, ~/tensorflow_datasets)"
    )
    split: str | None = option(
        None, "TFDS split, as in train or train+test (default: all splits together)", fixed=True
    )
    image_size: tuple[int, int] = option(
        None,
        "N or HEIGHTxWIDTH (default: the data's own if that is fixed and at most 64, else 64)",
        fixed=True,
        parse=parse_image_size,
    )
    channels: Literal[1, 3] = option(
        None, "1 (grey) or 3 (colour) (default: as the data)", fixed=True
    )
    fit: Literal["crop", "pad", "stretch", "tiles"] = option(
        "crop",
        "pictures of other proportions: crop to the middle, pad with bars, stretch, or cut a long"
        " one into several tiles",
        fixed=True,
    )
    flip: bool | None = option(
        None,
        "mirror pictures at random (default: on for photographs, off for grey data and digits)",
        fixed=True,
    )
    preset: Literal["auto", "plain"] = option(
        "auto",
        "what decides all that is not given: auto, the data and the device; plain, the DCGAN's"
        " paper",
        fixed=True,
    )
    batch_size: int = option(64, "pictures per training step", fixed=True, rule=COUNT)
    images: int | None = option(
        None,
        "train on this many pictures in all (default: what so many different ones need)",
        rule=Rule(lambda value: 1 <= value < 2**50, "must be at least 1, below 2**50"),
    )
    epochs: int | None = option(
        None, "or go through the data this often (default: 25 with --preset plain)", rule=COUNT
    )
    max_steps: int | None = option(
        None,
        "stop after this many steps, counted from the run's first, whatever --epochs says (default:"
        " none)",
        rule=COUNT,
    )
    hours: float | None = option(
        None,
        "stop after so long; what --preset auto chooses is cut to it (default: none)",
        rule=Rule(lambda value: 0 < value < 10_000, "must be more than 0, below 10,000"),
    )
    learning_rate: float = option(2e-4, "Adam's learning rate, both networks", rule=POSITIVE)
    beta1: float = option(0.5, "Adam's decay of the first moment", rule=SHARE)
    beta2: float = option(0.999, "Adam's decay of the second moment", rule=SHARE)
    schedule: Literal["constant", "linear", "cosine"] = option(
        "constant",
        "how the learning rates go: constant, or falling to 0 at the run's end",
        fixed=True,
    )
    ema: int = option(
        10_000,
        "half-life, in pictures seen, of the generator's averaged weights, which are sampled from"
        " (0: off)",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**31, "must not be negative, and below 2**31"),
    )
    num_classes: int | None = option(None, "of the data, if conditional", fixed=True, flag=False)
    seed: int = option(
        0,
        "decides weights, z, data order and flips",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**32, "must lie in [0, 2**32)"),
    )
    run_dir: str | None = option(
        None,
        "the run's folder; resumed if it exists (default: runs/<dataset>-<timestamp>)",
        saved=False,
    )
    checkpoint_every: str = option(
        "1 epoch",
        "epochs, or as '500 steps', between checkpoints and their pictures (one more at the end)",
        parse=parse_period,
    )
    keep_checkpoints: int = option(3, "how many of the newest checkpoints to keep", rule=COUNT)
    log_every: int = option(10, "steps between lines of metrics.jsonl", rule=COUNT)
    evaluate_every: str | None = option(
        None,
        "epochs, or as '500 steps', between evaluations, which choose the best checkpoint (default:"
        " never)",
        parse=parse_period,
    )
    evaluate_num: int = option(
        2048,
        "generated pictures of each of those evaluations",
        fixed=True,
        rule=Rule(lambda value: 2 <= value < 2**31, "must be at least 2"),
    )
    extractor: Literal["efficientnet_lite0", "inception"] = option(
        "efficientnet_lite0",
        "network whose features are compared; inception is what FID is defined by",
        fixed=True,
    )
    inception_weights: str | None = option(
        None, "Inception's published .pth (default: downloaded once into the cache)", saved=False
    )
    device: Literal["auto", "cpu", "gpu", "tpu"] = option(
        "auto", "what to compute on (default: the best there is)"
    )
    dtype: Literal["float32", "bfloat16"] = option(
        "float32", "what the layers compute in; parameters and losses stay float32"
    )
    accumulate: int = option(
        1,
        "go through each batch in this many parts: less memory, the same number of pictures a step",
        rule=COUNT,
    )
    data_home: Literal["auto", "device", "host"] = option(
        "auto",
        "where the pictures live (default: on a GPU or TPU if they fill at most a quarter of its"
        " memory, else the host)",
    )
    parallelism: Literal["jit", "pmap"] = option("jit", "how a step is spread over several devices")
    distributed: bool = option(
        False,
        "this is one of several processes that train together; each gets the same flags",
        saved=False,
    )
    coordinator_address: str | None = option(
        None,
        "HOST:PORT of process 0 (default: as SLURM, Cloud TPU or Kubernetes says)",
        saved=False,
    )
    num_processes: int | None = option(
        None, "how many processes there are (default: as above)", saved=False, rule=COUNT
    )
    process_id: int | None = option(
        None, "which of them this is, from 0 (default: as above)", saved=False
    )
    options: Any = None  # the method's own, of the class OPTIONS[method]; None: its defaults

    def __post_init__(self):
        if isinstance(self.image_size, int):
            object.__setattr__(self, "image_size", (self.image_size, self.image_size))
        elif isinstance(self.image_size, list):  # as JSON has it
            object.__setattr__(self, "image_size", tuple(self.image_size))
        for name in PERIODS:
            if type(getattr(self, name)) in (int, str):
                object.__setattr__(self, name, self._period(name))
        require(self, "method", self.method in OPTIONS, f"must be one of {', '.join(OPTIONS)}")
        if self.options is None:
            object.__setattr__(self, "options", OPTIONS[self.method]())
        check(self)
        require(
            self,
            "accumulate",
            self.batch_size % self.accumulate == 0,
            f"must divide --batch-size {self.batch_size}",
        )
        joining = ("coordinator_address", "num_processes", "process_id")
        given = [name for name in joining if getattr(self, name) is not None]
        if given and (not self.distributed or len(given) < len(joining)):
            raise UserError(
                f"{', '.join(map(flag, joining))} belong together, and to --distributed; give all"
                " of them or none"
            )
        if self.distributed and self.parallelism == "pmap":
            raise UserError(
                "--parallelism pmap is for the devices of one process; with --distributed leave it"
                " at jit"
            )
        if self.distributed and self.data_home == "device":
            raise UserError(
                "--data-home device is for one process; with --distributed each reads only its own"
                " pictures of a batch"
            )
        if given:
            host, _, port = self.coordinator_address.rpartition(":")
            require(
                self,
                "coordinator_address",
                bool(host) and port.isdecimal(),
                "must be HOST:PORT, as host0:1234",
            )
            require(
                self,
                "process_id",
                0 <= self.process_id < self.num_processes,
                f"must lie in [0, {self.num_processes})",
            )

    def _period(self, name: str) -> str:
        try:
            return parse_period(str(getattr(self, name)))
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{flag(name)}: {error}") from error

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """Return a configuration of fields in one list, the method's own among them. Raises
        UserError for unknown ones.
        """
        method = fields.get("method", "gan")
        known = fields_of(method)
        if unknown := sorted(fields.keys() - known.keys()):
            raise UserError(f"there is no {flag(unknown[0])} for --method {method}")
        own = {name: value for name, value in fields.items() if name not in SHARED}
        shared = {name: value for name, value in fields.items() if name in SHARED}
        return cls(**shared, options=OPTIONS[method](**own))

    def replace(self, **fields: Any) -> Self:
        """Return a copy with some fields changed, the method's own among them."""
        return type(self).make(**(self.flat() | fields))

    def flat(self) -> dict[str, Any]:
        """Return all fields in one list, the method's own among them."""
        return {name: self[name] for name in self.fields}

    def __getitem__(self, name: str) -> Any:
        """Return a field by its name, wherever it is."""
        return getattr(self if name in SHARED else self.options, name)

    @property
    def fields(self) -> dict[str, dataclasses.Field[Any]]:
        """Return the declarations of all fields, by name."""
        return fields_of(self.method)

    @property
    def image_folder(self) -> Path | None:
        """Return the folder that --dataset names, once its path is absolute (see Run.open); None if
        it names no folder.
        """
        return Path(self.dataset) if os.path.isabs(self.dataset) else None

    @property
    def conditional(self) -> bool:
        """Tell whether classes are learnt, which takes labelled images."""
        return getattr(self.options, "conditional", False)

    @property
    def images_per_step(self) -> int:
        """Return how many new images a step takes."""
        return self.batch_size * getattr(self.options, "batches_per_step", 1)

    def lengths(self, per_epoch: int) -> dict[str, int]:
        """Return the steps of each flag given that ends the run; the first to end it counts. An
        epoch has `per_epoch` steps.
        """
        images, epochs = self.images or 0, self.epochs or 0
        ends = {
            "images": -(-images // self.images_per_step),
            "epochs": epochs * per_epoch,
            "max_steps": self.max_steps,
        }
        return {flag(name): steps for name, steps in ends.items() if steps}

    def steps_every(self, name: str, per_epoch: int) -> int | None:
        """Return a period, `checkpoint_every` or `evaluate_every`, in steps; None: never. An epoch
        has `per_epoch` steps.
        """
        period = getattr(self, name)
        return period and period_steps(period, per_epoch)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that config.json holds; not run_dir: a run folder may be moved."""
        return {
            name: value
            for name, value in self.flat().items()
            if self.fields[name].metadata["saved"]
        }

    def chosen(self) -> dict[str, Any]:
        """Return the fields that differ from the defaults."""
        return {
            name: value for name, value in self.flat().items() if value != self.fields[name].default
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any], **changes: Any) -> Self:
        """Invert to_dict; keys that are no field are left out."""
        known = fields_of(fields.get("method", "gan"))
        return cls.make(**{name: fields[name] for name in known if name in fields} | changes)


SHARED = {field.name: field for field in dataclasses.fields(Config) if field.metadata}


def method_of_folder(run_dir: str | None) -> str | None:
    """Return the method of the run in a folder; None if there is none, or nothing that can be
    read.
    """
    try:
        return json.loads(Path(run_dir or os.devnull, "config.json").expanduser().read_text()).get(
            "method"
        )
    except (OSError, ValueError, RuntimeError, AttributeError):  # Run.open says what is wrong
        return None


def fields_of(method: str) -> dict[str, dataclasses.Field[Any]]:
    """Return the declarations of all fields of a method's runs, the method's own first. Raises
    UserError for no method.
    """
    if method not in OPTIONS:
        raise UserError(f"--method {method} is not known; there are {', '.join(OPTIONS)}")
    return SHARED | {field.name: field for field in dataclasses.fields(OPTIONS[method])}
