"""A run's folder: which configuration it has, and whether it may be resumed."""

import contextlib
import dataclasses
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset, Source, open_source
from flaxgan.data.open import is_path
from flaxgan.fields import spelled
from flaxgan.methods import check
from flaxgan.presets import Choice
from flaxgan.runs.metrics_log import evaluated, logged
from flaxgan.runs.provenance import start_of
from flaxgan.runs.trained import RUN_FILES, read_config
from flaxgan.system.errors import FULL, UserError, say
from flaxgan.system.files import locked, portable, replacing


def _absolute(dataset: str | None, data_dir: str | None) -> dict[str, str]:
    """Return the two fields that may be paths, independent of the working directory."""
    fields = {}
    if data_dir is not None:
        fields["data_dir"] = _resolved("--data-dir", data_dir)
    if dataset is not None:
        fields["dataset"] = (
            _resolved("--dataset", dataset) if is_path(dataset, data_dir) else dataset
        )
    return fields


def _resolved(name: str, path: str) -> str:
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:  # ~ of nobody, or links in a circle
        raise UserError(f"{name} {path} can't be used: {error}") from error


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
        return self.saved is not None

    @classmethod
    def open(cls, given: dict[str, Any], recipe: dict[str, Any] | None = None) -> Self:
        """Open a new run with these fields, or resume the one in `run_dir` with these changed.

        A new run has the recipe's fields, too. Writes nothing yet. Raises UserError if the folder
        is something else, or if what is given contradicts what the run is.
        """
        given = {name: value for name, value in given.items() if value is not None}
        asked = (recipe or {}) | given
        folder = content = None
        if (run_dir := asked.get("run_dir")) is not None:
            folder, content = _listed(run_dir)
        if folder is None or not content:
            return cls._new(folder, asked)
        if "config.json" not in content:
            raise UserError(
                f"--run-dir {folder} is not empty and no run of flaxgan; name a new folder or a"
                " run's"
            )
        return cls._resumed(folder, given)

    @classmethod
    def _new(cls, folder: Path | None, asked: dict[str, Any]) -> Self:
        fields = Config.make(**asked)
        config = fields.replace(**_absolute(fields.dataset, fields.data_dir))
        if config.image_size is not None:
            check(config)  # before anything is downloaded
        source = open_source(config.dataset, config.data_dir, config.split)
        folder = folder or _new_folder(source.name)
        if config.image_folder in folder.resolve().parents:
            raise UserError(
                f"the run {folder} would lie among the pictures of {config.dataset}; name a"
                " --run-dir elsewhere"
            )
        return cls(folder, config, source, None, frozenset(asked))

    @classmethod
    def _resumed(cls, folder: Path, given: dict[str, Any]) -> Self:
        has_checkpoints = any(folder.glob("checkpoints/*"))
        if any(folder.glob("generated_images/*")) and not has_checkpoints:
            raise UserError(
                f"the checkpoints of {folder} are gone; bring them back, or name a new --run-dir"
            )
        saved, before = read_config(folder)
        given |= _absolute(given.get("dataset"), given.get("data_dir", before.data_dir))
        begun = has_checkpoints or any(logged(folder))
        if not begun:  # it ended before its first step, short of memory perhaps
            saved.pop("data", None)
        if wrong := _contradictions(folder, given, before, begun):
            raise UserError(
                f"{folder} can't be resumed with {', '.join(wrong)}; leave that out, or start a new"
                " --run-dir"
            )
        if {"images", "epochs"} & given.keys():  # one takes the other's place
            given = {"images": None, "epochs": None} | given
        config = before.replace(**given)
        check(config)
        chosen = {
            name: Choice(config[name], reason)
            for name, reason in saved.get("chosen", {}).items()
            if name in config.fields and name not in given
        }
        source = open_source(config.dataset, config.data_dir, config.split)
        return cls(folder, config, source, saved, frozenset(given), chosen)

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
            try:
                yield
            except OSError as error:  # it is gone, say; a full disk is explained elsewhere
                if error.errno in FULL or not self._holds(error.filename):
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
                f"(then {before.get('images')}, now {len(dataset.images)}); start a new --run-dir"
            )

    def write_config(self, dataset: Dataset, step: int, command: str = "") -> None:
        """Write what the run is, and that `command` starts it now after `step` steps.

        Says what is changed. Raises UserError if it can't be written.
        """
        data: dict[str, Any] = {
            "images": len(dataset.images),
            "sha256": dataset.sha256,
            "class_names": dataset.class_names,
        }
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


def _listed(run_dir: str) -> tuple[Path, list[str]]:
    """Return a folder that may be there, and the names in it. Raises UserError if it is none."""
    try:
        folder = Path(run_dir).expanduser()
        return folder, [name for name in os.listdir(folder) if not name.startswith(".")]
    except FileNotFoundError:  # a new one
        return folder, []
    except (OSError, RuntimeError) as error:  # no folder, not readable, or ~ of nobody
        raise UserError(
            f"--run-dir {run_dir} can't be used: {error}; name a new folder or a run's"
        ) from error


def _contradictions(folder: Path, given: dict[str, Any], before: Config, begun: bool) -> list[str]:
    """Return in words which of the fields `given` can't be changed in the run that is resumed."""
    fixed = ["dataset", "split"]
    if begun:
        fixed = [name for name, field in before.fields.items() if field.metadata["fixed"]]
        if not evaluated(folder):
            fixed = [name for name in fixed if name not in ("extractor", "evaluate_num")]
    changed = [name for name in given if name in fixed and given[name] != before[name]]
    if "dataset" in changed and before.image_folder and os.path.isabs(given["dataset"]):
        changed.remove("dataset")  # a folder that has moved: require_same looks at its pictures
    return [
        f"{spelled(name, given[name])} (the run has {spelled(name, before[name])})"
        for name in changed
    ]


def _new_folder(name: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return Path("runs") / f"{portable(name)}-{stamp}"
