"""A run's folder: which configuration it has, and whether it may be resumed."""

import contextlib
import dataclasses
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset, Source, open_source, steps_per_epoch
from flaxgan.data.open import is_path
from flaxgan.fields import is_a, spelled
from flaxgan.methods import check
from flaxgan.presets import Choice
from flaxgan.runs.metrics_log import METRICS_FILE, evaluated, logged
from flaxgan.runs.provenance import require_this_version, start_of
from flaxgan.system.errors import FULL, UserError, say
from flaxgan.system.files import locked, portable, replacing, require_outside

OWN = (  # files and folders of a run, which it writes and reads alone
    *("config.json", METRICS_FILE, "checkpoints", "best_checkpoint"),
    *("generated_images", "real_images.png", "real_vs_generated.png", "losses.png"),
)


def _absolute(dataset: str | None, data_dir: str | None) -> dict[str, str]:
    """The two fields that may be paths, independent of the working directory."""
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


class TrainedRun(NamedTuple):
    """What sampling and evaluation need to know of a run."""

    config: Config
    # how many pictures of each class it was trained on; empty if they have none
    class_counts: dict[str, int]
    sha256: str | None  # of those pictures
    num_images: int | None  # how many there were; None if config.json doesn't say

    @property
    def per_epoch(self) -> int | None:
        """The steps of an epoch; None if `num_images` is not known."""
        return (
            None
            if self.num_images is None
            else steps_per_epoch(self.num_images, self.config.images_per_step)
        )


def load_run(run_dir: Path) -> TrainedRun:
    """Raises UserError if the folder is no run."""
    saved, config = _read(run_dir)
    data = saved.get("data", {})
    names = data.get("class_names", ())
    counts = dict(zip(names, data.get("class_counts", ()), strict=True))
    return TrainedRun(config, counts, data.get("sha256"), data.get("images"))


def require_apart(output: Path, run_dir: Path, config: Config) -> None:
    """Raises UserError if --output is a file of the run, or lies in a folder of the run's or among
    its pictures.
    """
    own = [*(run_dir / name for name in OWN), *filter(None, [config.image_folder])]
    require_outside(output, own, "which belongs to the run")


def _read(run_dir: Path) -> tuple[dict[str, Any], Config]:
    """config.json as it is, and the configuration in it."""
    path = run_dir / "config.json"
    try:
        saved = json.loads(path.read_text())
        if missing := {"dataset", "image_size", "channels"} - saved.keys():
            raise ValueError(f"it does not say {', '.join(sorted(missing))}")
        require_this_version(saved)
        data = saved.get("data", {})
        if not isinstance(data, dict) or not isinstance(saved.get("chosen", {}), dict):
            raise ValueError("what it says of the data, or of what was chosen, is no object")
        if not is_a(data.get("images", 1), int) or data.get("images", 1) < 1:
            raise ValueError("it does not say how many pictures there are")
        if len(data.get("class_counts", ())) != len(data.get("class_names", ())):
            raise ValueError("it does not say how many pictures each class has")
        return saved, Config.from_dict(saved, run_dir=str(run_dir))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{run_dir} is no run of flaxgan: there is no {path}; name a run's folder"
        ) from error
    except UserError as error:
        raise UserError(f"{path} can't be read: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} can't be read: {error}; bring it back as it was, or take another run"
        ) from error


@dataclasses.dataclass(frozen=True)
class Run:
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
        """Open a new run with the recipe's fields and these, or the one in `run_dir` with these
        changed. Writes nothing yet.

        Raises UserError if the folder is something else, or if what is given contradicts what the
        run is.
        """
        given = {name: value for name, value in given.items() if value is not None}
        asked = (recipe or {}) | given
        run_dir, folder = asked.get("run_dir"), None
        content: list[str] = []
        if run_dir is not None:
            try:
                folder = Path(run_dir).expanduser()
                content = [name for name in os.listdir(folder) if not name.startswith(".")]
            except FileNotFoundError:
                pass  # a new one
            except (OSError, RuntimeError) as error:  # no folder, not readable, or ~ of nobody
                raise UserError(
                    f"--run-dir {run_dir} can't be used: {error}; name a new folder or a run's"
                ) from error
        if not content:
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
        if "config.json" not in content:
            raise UserError(
                f"--run-dir {folder} is not empty and no run of flaxgan; name a new folder or a"
                " run's"
            )
        has_checkpoints = any(folder.glob("checkpoints/*"))
        if any(folder.glob("generated_images/*")) and not has_checkpoints:
            raise UserError(
                f"the checkpoints of {folder} are gone; bring them back, or name a new --run-dir"
            )
        saved, before = _read(folder)
        given |= _absolute(given.get("dataset"), given.get("data_dir", before.data_dir))
        if has_checkpoints or any(logged(folder)):
            fixed = [name for name in given if before.fields[name].metadata["fixed"]]
            measuring = {"extractor", "evaluate_num"} & {*fixed}
            if measuring and not evaluated(folder):
                fixed = [name for name in fixed if name not in measuring]
        else:  # it ended before its first step, short of memory perhaps
            fixed = [name for name in ("dataset", "split") if name in given]
            saved.pop("data", None)
        changed = [name for name in fixed if given[name] != before[name]]
        if "dataset" in changed and before.image_folder and os.path.isabs(given["dataset"]):
            changed.remove("dataset")  # a folder that has moved: require_same looks at its pictures
        wrong = [
            f"{spelled(name, given[name])} (the run has {spelled(name, before[name])})"
            for name in changed
        ]
        if wrong:
            raise UserError(
                f"{folder} can't be resumed with {', '.join(wrong)}; leave that out, or start a new"
                " --run-dir"
            )
        if {"images", "epochs"} & given.keys():  # one takes the other's place
            given = {"images": None, "epochs": None} | given
        config = before.replace(**given)
        check(config)
        reasons = {
            name: reason
            for name, reason in saved.get("chosen", {}).items()
            if name in config.fields and name not in given
        }
        chosen = {name: Choice(config[name], reason) for name, reason in reasons.items()}
        source = open_source(config.dataset, config.data_dir, config.split)
        return cls(folder, config, source, saved, frozenset(given), chosen)

    def lacks_evaluation(self, step: int) -> bool:
        """Whether this one, the last, is not in the log, and was asked for."""
        return bool(self.config.evaluate_every) and step not in evaluated(self.folder)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, created if it is a new run's. Raises UserError if another process has
        it, or it can't be created.
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
        """`path`: of an OSError, or None."""
        return bool(path) and self.folder.absolute() in Path(os.fsdecode(path)).absolute().parents

    def require_writable(self) -> None:
        """Raises UserError, before anything is computed, if one of the run's folders is locked:
        Orbax would say so at length.
        """
        for own in (self.folder, *(self.folder / name for name in OWN)):
            if own.is_dir() and not os.access(own, os.W_OK | os.X_OK):
                raise UserError(f"can't write to {own}; see to its permissions, and start again")

    def require_same(self, dataset: Dataset) -> None:
        """Raises UserError if the run is resumed and had other pictures, or classes, before."""
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
        """Write what the run is, and how it is started now, after `step` steps, by `command`; what
        is changed is said.

        Raises UserError if it can't be written.
        """
        data = {
            "images": len(dataset.images),
            "sha256": dataset.sha256,
            "class_names": dataset.class_names,
        }
        if dataset.class_names:
            data["class_counts"] = [*dataset.class_counts.values()]
        fields = json.loads(json.dumps(self.config.to_dict()))
        changes = []
        if self.saved is not None:
            changed = {
                name: fields[name]
                for name in fields
                if name in self.saved and self.saved[name] != fields[name]
            }
            changes = self.saved.get("changes", []) + (
                [{"step": step} | changed] if changed else []
            )
            for name, value in changed.items():
                say(f"from step {step} on: {spelled(name, value)} (was {self.saved[name]})")
        try:
            with replacing(self.folder / "config.json") as temporary:
                chosen = {name: choice.reason for name, choice in self.chosen.items()}
                text = {
                    "flaxgan_version": flaxgan.__version__,
                    **fields,
                    "chosen": chosen,
                    "data": data,
                    "changes": changes,
                }
                text["starts"] = [*(self.saved or {}).get("starts", []), start_of(step, command)]
                temporary.write_text(json.dumps(text, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"can't write to --run-dir {self.folder}: {error.strerror}") from error


def _new_folder(name: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return Path("runs") / f"{portable(name)}-{stamp}"
