"""The folder of a run that is started or resumed, and what it writes to config.json."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset, Source
from flaxgan.data.around import names_held_out
from flaxgan.fields import spelled
from flaxgan.presets import Choice
from flaxgan.runs.metrics_log import evaluated
from flaxgan.runs.provenance import start_of
from flaxgan.runs.trained import RUN_FILES
from flaxgan.system.errors import FULL, UserError, say
from flaxgan.system.files import locked, remove_temporaries, replacing


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is to be started or resumed: its folder, configuration and data source."""

    folder: Path
    config: Config
    source: Source
    saved: dict[str, Any] | None  # config.json as it was, if the run is resumed
    given: frozenset[str] = frozenset()  # the fields that this start's flags, or a recipe, named
    # what the preset chose of the others
    chosen: dict[str, Choice] = dataclasses.field(default_factory=dict)

    @property
    def resumed(self) -> bool:
        """Tell whether the folder was a run's before this start."""
        return self.saved is not None

    def lacks_evaluation(self, step: int) -> bool:
        """Tell whether an evaluation after `step` was asked for and is not in the log."""
        return bool(self.config.evaluate_every) and step not in evaluated(self.folder)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, created if it is a new run's.

        Raises UserError if another process has it, or if it can't be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"can't write to --run-dir {self.folder}: {error.strerror}") from error
        with locked(self.folder):
            if not self.resumed and (self.folder / "config.json").exists():
                raise UserError(
                    f"{self.folder} has become the run of another process meanwhile; name another"
                    " --run-dir"
                )
            for name in RUN_FILES:
                if (self.folder / name).is_symlink():
                    raise UserError(
                        f"{self.folder / name} is a link, and a run writes to files of its own"
                        " alone; put what it leads to in its place, or name another --run-dir"
                    )
            for folder in (self.folder, self.folder / "generated_images"):
                remove_temporaries(folder)
            try:
                yield
            except OSError as error:  # it is gone, say; a full disk is explained elsewhere
                if error.errno in FULL.numbers or not self._holds(error.filename):
                    raise
                raise UserError(
                    f"can't write {error.filename}: {error.strerror}; see to it, and start again"
                ) from error

    def _holds(self, path: Any) -> bool:
        """Tell whether the file of an OSError, if it names one, is the run's."""
        return bool(path) and self.folder.absolute() in Path(os.fsdecode(path)).absolute().parents

    def require_writable(self) -> None:
        """Raise UserError if one of the run's folders can't be written to.

        Orbax would say so at length, after much has been computed.
        """
        for path in (self.folder, *(self.folder / name for name in RUN_FILES)):
            if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
                raise UserError(f"can't write to {path}; see to its permissions, and start again")

    def require_same(self, dataset: Dataset) -> None:
        """Raise UserError if the run is resumed and had other images, or classes, before."""
        before = (self.saved or {}).get("data", {})
        now = {"sha256": dataset.sha256, "class_names": [*dataset.class_names]}
        if any(before.get(name, value) != value for name, value in now.items()):
            names = {*before.get("class_names", dataset.class_names)}
            if other := sorted(names.symmetric_difference(dataset.class_names)):
                raise UserError(
                    f"the classes in {self.source.title} are not those that {self.folder} began"
                    f" with ({', '.join(other[:5])}); name them as before, or start a new --run-dir"
                )
            raise UserError(
                f"the pictures in {self.source.title} are not those that {self.folder} began with "
                f"(then {before.get('images')}, now {len(dataset)}); start a new --run-dir"
            )

    def require_same_captions(self, dataset: Dataset) -> None:
        """Raise UserError if the run is resumed and had other captions before."""
        before = (self.saved or {}).get("data", {}).get("captions", {}).get("sha256")
        if before and dataset.captions is not None and before != dataset.captions.sha256:
            raise UserError(
                f"the captions of {self.source.title} are not those that {self.folder} began with;"
                " bring them back, or start a new --run-dir"
            )

    def write_config(self, dataset: Dataset, step: int, command: str = "") -> None:
        """Write what the run is, and that `command` starts it now after `step` steps.

        Says what is changed. Raises UserError if it can't be written.
        """
        data: dict[str, Any] = {
            "images": len(dataset),
            "sha256": dataset.sha256,
            "class_names": dataset.class_names,
        }
        if dataset.values:
            data["values"] = dataset.values
        if dataset.captions is not None:
            data["captions"] = {"sha256": dataset.captions.sha256}
        if dataset.second is not None:
            data["targets"] = len(dataset.second)
        if dataset.held_out is not None:
            data["held_out"] = names_held_out(self.source, dataset)
        if dataset.class_names:
            data["class_counts"] = [*dataset.class_counts.values()]
        fields = json.loads(json.dumps(self.config.to_dict()))
        before = self.saved or {}
        changed = {
            name: value for name, value in fields.items() if before.get(name, value) != value
        }
        for name, value in changed.items():
            say(f"from step {step} on: {spelled(name, value)} (was {before[name]})")
        text = {
            "flaxgan_version": flaxgan.__version__,
            **fields,
            "chosen": {name: choice.reason for name, choice in self.chosen.items()},
            "data": data,
            "changes": before.get("changes", []) + ([{"step": step} | changed] if changed else []),
            "starts": [*before.get("starts", []), start_of(step, command)],
        }
        try:
            with replacing(self.folder / "config.json") as temporary:
                temporary.write_text(json.dumps(text, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"can't write to --run-dir {self.folder}: {error.strerror}") from error
