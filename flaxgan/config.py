"""The configuration of a run: one frozen dataclass, whose fields are also flags (flags.py).

What every method has is in shared.py, what only one has in options/.
"""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from flaxgan.fields import check, flag, parse_period, parse_range, period_steps, require
from flaxgan.options import OPTIONS
from flaxgan.shared import SharedOptions, parse_extractors
from flaxgan.system.errors import UserError
from flaxgan.system.files import read_text

PERIODS = ("checkpoint_every", "evaluate_every")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(SharedOptions):
    """Everything that decides what a run does: options of every method, and its own."""

    options: Any = None  # the method's own, of the class OPTIONS[method]; None: its defaults

    def __post_init__(self) -> None:
        if isinstance(self.image_size, int):
            object.__setattr__(self, "image_size", (self.image_size, self.image_size))
        elif isinstance(self.image_size, list):  # as JSON has it
            object.__setattr__(self, "image_size", tuple(self.image_size))
        for name in PERIODS:
            if type(getattr(self, name)) in (int, str):
                object.__setattr__(self, name, self._parsed(name, parse_period))
        for name, parse in (("range", parse_range), ("extractor", parse_extractors)):
            if isinstance(getattr(self, name), tuple | list):  # as in Python
                object.__setattr__(self, name, ",".join(map(str, getattr(self, name))))
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, self._parsed(name, parse))
        require(self, "method", self.method in OPTIONS, f"must be one of {', '.join(OPTIONS)}")
        if self.options is None:
            object.__setattr__(self, "options", OPTIONS[self.method]())
        check(self)
        divides = self.batch_size % self.accumulate == 0
        require(self, "accumulate", divides, f"must divide --batch-size {self.batch_size}")
        if self.watch is None and self.watch_host != SHARED["watch_host"].default:
            raise UserError("--watch-host says where to --watch; give that too")
        if self.init_checkpoint and not self.init_from:
            raise UserError("--init-checkpoint is that of --init-from; give that too")
        self._check_processes()

    def _check_processes(self) -> None:
        """Raise UserError if the flags of several processes contradict each other."""
        joining = (self.coordinator_address, self.num_processes, self.process_id)
        given = [value for value in joining if value is not None]
        if given and (not self.distributed or len(given) < len(joining)):
            raise UserError(
                "--coordinator-address, --num-processes, --process-id belong together, and to"
                " --distributed; give all of them or none"
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
        if self.coordinator_address is None or not self.num_processes or self.process_id is None:
            return
        host, _, port = self.coordinator_address.rpartition(":")
        is_address = bool(host) and port.isdecimal()
        require(self, "coordinator_address", is_address, "must be HOST:PORT, as host0:1234")
        is_one = 0 <= self.process_id < self.num_processes
        require(self, "process_id", is_one, f"must lie in [0, {self.num_processes})")

    def _parsed(self, name: str, parse: Callable[[str], str]) -> str:
        """Return a field as `parse` spells it. Raises UserError."""
        try:
            return parse(str(getattr(self, name)))
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{flag(name)}: {error}") from error

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """Return a configuration of fields in one list, the method's own among them.

        Raises UserError if there is no such field.
        """
        method, fields = fields.get("method", "gan"), renamed(fields)
        known = fields_of(method)
        if unknown := sorted(fields.keys() - known.keys()):
            raise UserError(f"there is no {flag(unknown[0])} for --method {method}")
        own = {name: value for name, value in fields.items() if name not in SHARED}
        shared = {name: value for name, value in fields.items() if name in SHARED}
        return cls(**shared, options=OPTIONS[method](**own))

    def replace(self, **fields: Any) -> Self:
        """Return a copy with some fields changed, the method's own among them."""
        return type(self).make(**(self.flat() | renamed(fields)))

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
        """Return the folder that --dataset names, or None if it names none.

        Its path is absolute, as open_run makes it.
        """
        return Path(self.dataset) if os.path.isabs(self.dataset) else None

    @property
    def image_folders(self) -> list[Path]:
        """Return the folders that --dataset and --target name, as image_folder."""
        named = [self.dataset, getattr(self.options, "target", None)]
        return [Path(name) for name in named if name and os.path.isabs(name)]

    @property
    def values(self) -> tuple[float, float] | None:
        """Return what --range says is black and white in pictures of more than 8 bits."""
        low, high = self.range.split(",") if self.range else (0, 0)
        return (float(low), float(high)) if self.range else None

    @property
    def condition(self) -> str:
        """Return what pictures can be asked for by: none, class or text."""
        return getattr(self.options, "condition", "none")

    @property
    def images_per_step(self) -> int:
        """Return how many new images a step takes."""
        return self.batch_size * getattr(self.options, "batches_per_step", 1)

    def lengths(self, per_epoch: int) -> dict[str, int]:
        """Return the steps after which each given flag ends the run; the least of them counts.

        An epoch has `per_epoch` steps.
        """
        images, epochs = self.images or 0, self.epochs or 0
        ends = {
            "images": -(-images // self.images_per_step),
            "epochs": epochs * per_epoch,
            "max_steps": self.max_steps or 0,
        }
        return {flag(name): steps for name, steps in ends.items() if steps}

    def steps_every(self, name: str, per_epoch: int) -> int | None:
        """Return `checkpoint_every` or `evaluate_every` in steps, or None for never.

        An epoch has `per_epoch` steps.
        """
        period = getattr(self, name)
        return period and period_steps(period, per_epoch)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that config.json holds; not run_dir: a run folder may be moved."""
        fields = self.fields
        return {name: self[name] for name in fields if fields[name].metadata["saved"]}

    def chosen(self) -> dict[str, Any]:
        """Return the fields that differ from the defaults."""
        fields = self.fields
        return {name: self[name] for name in fields if self[name] != fields[name].default}

    @classmethod
    def from_dict(cls, fields: dict[str, Any], **changes: Any) -> Self:
        """Invert to_dict, with some fields changed; keys that are no field are left out."""
        known, fields = fields_of(fields.get("method", "gan")), renamed(fields)
        return cls.make(**{name: fields[name] for name in known if name in fields} | changes)


SHARED = {field.name: field for field in dataclasses.fields(Config) if field.metadata}


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as they are today: once `conditional`, now `condition`, and `matching`, now a
    share, were True or False.

    Raises UserError if `conditional` and `condition` are there and contradict each other.
    """
    if isinstance(fields.get("matching"), bool):
        fields = fields | {"matching": 0.5 if fields["matching"] else 0.0}
    if "conditional" not in fields:
        return fields
    others = {name: value for name, value in fields.items() if name != "conditional"}
    condition = "class" if fields["conditional"] else "none"
    if others.setdefault("condition", condition) != condition:
        raise UserError("conditional is an older name of condition; leave one of them out")
    return others


def method_of_folder(run_dir: str | None) -> str | None:
    """Return the method of the run in a folder, or None if no run can be read there."""
    file = Path(run_dir or os.devnull, "config.json")
    try:
        method = json.loads(read_text(file.expanduser())).get("method")
    except (OSError, ValueError, RuntimeError, AttributeError):  # open_run says what is wrong
        return None
    return method if method in [*OPTIONS] else None


def fields_of(method: str) -> dict[str, dataclasses.Field[Any]]:
    """Return the declarations of all fields of a method's runs, by name.

    Raises UserError if there is no such method.
    """
    if method not in OPTIONS:
        raise UserError(f"--method {method} is not known; there are {', '.join(OPTIONS)}")
    return SHARED | {field.name: field for field in dataclasses.fields(OPTIONS[method])}
