"""Open a run: a new one, or one that is resumed with some of its fields changed."""

import datetime
import os
from pathlib import Path
from typing import Any

from flaxgan.config import Config, renamed
from flaxgan.data import open_data
from flaxgan.data.open import is_path
from flaxgan.fields import flag, spelled
from flaxgan.methods import check
from flaxgan.presets import Choice
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import evaluated, logged
from flaxgan.runs.trained import read_config
from flaxgan.runs.transfer import inherited
from flaxgan.system.errors import UserError
from flaxgan.system.files import portable


def open_run(given: dict[str, Any], recipe: dict[str, Any] | None = None) -> Run:
    """Open a new run with these fields, or resume the one in `run_dir` with these changed.

    A new run has the recipe's fields, too. Writes nothing yet. Raises UserError if the folder is
    something else, or if what is given contradicts what the run is.
    """
    given = renamed({name: value for name, value in given.items() if value is not None})
    asked = (recipe or {}) | given
    folder = content = None
    if (run_dir := asked.get("run_dir")) is not None:
        folder, content = _listed(run_dir)
    if folder is None or not content:
        return _new_run(folder, asked)
    if "config.json" not in content:
        raise UserError(
            f"--run-dir {folder} is not empty and no run of flaxgan; name a new folder or a run's"
        )
    return _resumed_run(folder, given)


def _new_run(folder: Path | None, asked: dict[str, Any]) -> Run:
    """Return a new run with the fields `asked` for, in `folder` or in one named by its data."""
    asked = inherited(asked)
    fields = Config.make(**asked)
    config = fields.replace(**_absolute(fields.flat()))
    if config.image_size is not None:
        check(config)  # before anything is downloaded
    source = open_data(config)
    folder = folder or _new_folder(source.name)
    for pictures in config.image_folders:
        if pictures in folder.resolve().parents:
            raise UserError(
                f"the run {folder} would lie among the pictures of {pictures}; name a --run-dir"
                " elsewhere"
            )
    return Run(folder, config, source, None, frozenset(asked))


def _resumed_run(folder: Path, given: dict[str, Any]) -> Run:
    """Return the run in `folder`, changed as `given`; raise UserError if a field is fixed."""
    has_checkpoints = any(folder.glob("checkpoints/*"))
    if any(folder.glob("generated_images/*")) and not has_checkpoints:
        raise UserError(
            f"the checkpoints of {folder} are gone; bring them back, or name a new --run-dir"
        )
    saved, before = read_config(folder)
    given = given | _absolute({"data_dir": before.data_dir} | given)
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
    source = open_data(config)
    return Run(folder, config, source, saved, frozenset(given), chosen)


def _absolute(fields: dict[str, Any]) -> dict[str, str]:
    """Return those of the fields with paths that are given, made absolute."""
    data_dir, absolute = fields.get("data_dir"), {}
    if data_dir is not None:
        absolute["data_dir"] = _resolved("--data-dir", data_dir)
    for name in ("dataset", "target"):
        if (value := fields.get(name)) is not None:
            is_folder = is_path(value, data_dir)
            absolute[name] = _resolved(flag(name), value) if is_folder else value
    return absolute


def _resolved(name: str, path: str) -> str:
    """Return a path as absolute and without links; raise UserError if it can't be."""
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:  # ~ of nobody, or links in a circle
        raise UserError(f"{name} {path} can't be used: {error}") from error


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
    fixed: list[str] = [x for x in ("dataset", "target", "split") if x in before.fields]
    if begun:
        fixed = [name for name, field in before.fields.items() if field.metadata["fixed"]]
        if not evaluated(folder):
            fixed = [name for name in fixed if name not in ("extractor", "evaluate_num")]
    changed = [name for name in given if name in fixed and given[name] != before[name]]
    for name in ("dataset", "target"):
        if name in changed and os.path.isabs(before[name]) and os.path.isabs(given[name]):
            changed.remove(name)  # a folder that has moved: require_same looks at its pictures
    return [
        f"{spelled(name, given[name])} (the run has {spelled(name, before[name])})"
        for name in changed
    ]


def _new_folder(name: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
    return Path("runs") / f"{portable(name)}-{stamp}"
