"""How the Python API and the command start a run, from fields by name."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaxgan.system.errors import UserError, explaining_limits

if TYPE_CHECKING:
    from flaxgan.run import Run
    from flaxgan.runs.caller import Caller


def start(given: dict[str, Any], base: dict[str, Any], caller: "Caller") -> "Run":
    """Train as the fields `given` say, on top of those of `base` if the run is new; return it."""
    from flaxgan.run import Run
    from flaxgan.runs.opening import open_run
    from flaxgan.system.distributed import join
    from flaxgan.training import train

    with explaining_limits():
        new = open_run(given, base)
        if new.config.distributed:
            join(new.config.coordinator_address, new.config.num_processes, new.config.process_id)
        return Run(train(new, caller))


def dry_run(given: dict[str, Any], base: dict[str, Any]) -> str:
    """Return in words what a run that is started so would be, and take; write nothing."""
    from flaxgan.runs.opening import open_run
    from flaxgan.summary import summary
    from flaxgan.system.devices import set_up_devices

    new = open_run(given, base)
    return summary(new, set_up_devices(new.config.device))


def base_fields(recipe: str | None, config: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a new run starts from: a recipe's, another run's, or none.

    `config` is the other run's config.json. Raises UserError if there is no such recipe or file, or
    if both are named.
    """
    from flaxgan.recipes import open_recipe
    from flaxgan.runs.provenance import fields_of_file

    if recipe and config:
        raise UserError(
            "--recipe and --config both say what a new run starts from; leave one of them out"
        )
    if recipe:
        return open_recipe(recipe)[0].chosen()
    return fields_of_file(config, given) if config else {}


def plain(name: str, value: Any) -> Any:
    """Return a field's value as configurations have it.

    Paths become text, NumPy's numbers Python's, and a size a pair.
    """
    if name == "image_size" and not isinstance(value, str):
        sides = [value] * 2 if not hasattr(value, "__len__") else value
        return tuple(int(side) for side in sides)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if hasattr(value, "item") else value


def named(dataset: Any, labels: Any, class_names: Sequence[str]) -> str:
    """Return what a run calls its data set.

    That is what is given, the file that an array is stored in, or the name of a Source.
    """
    from flaxgan.data.array import store
    from flaxgan.data.open import DATASETS
    from flaxgan.data.source import Source

    if isinstance(dataset, Source):
        DATASETS[dataset.name] = dataset
        dataset = dataset.name
    if not isinstance(dataset, str | os.PathLike):
        return str(store(dataset, labels, class_names))
    if labels is not None or len(class_names):
        raise UserError(
            "labels and class_names belong to a dataset that is an array; a folder or file has"
            " its own"
        )
    return os.fspath(dataset)


def require_known(given: dict[str, Any]) -> None:
    """Raise UserError, with the nearest names, for a keyword that is no flag."""
    from flaxgan.config import fields_of, method_of_folder

    run_dir = given.get("run_dir")
    method = given.get("method") or (run_dir and method_of_folder(run_dir)) or "gan"
    known = [name for name, field in fields_of(method).items() if field.metadata["flag"]]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(
                name, [*known, "labels", "recipe", "config", "on_log", "on_snapshot"], 3
            )
            raise UserError(
                f"train has no {name}"
                + (f"; did you mean {' or '.join(near)}?" if near else " (see docs/cli.md)")
            )
