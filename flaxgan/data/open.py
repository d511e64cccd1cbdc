"""--dataset, --data-dir and --split -> a source of pictures."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from flaxgan.data import described as synthetic_flowers
from flaxgan.data.array import is_array_file, open_array
from flaxgan.data.folder import open_folder
from flaxgan.data.source import Source
from flaxgan.data.tfds import open_tfds
from flaxgan.system.errors import UserError

# of one's own, by the names that --dataset then takes
DATASETS: dict[str, Source | Callable[[], Source]] = {}
MISSING = "; say with --dataset where your pictures are"


def is_path(dataset: str, data_dir: str | None) -> bool:
    """Tell whether --dataset, as given, means a folder or a file of arrays.

    It looks like a path, or is one and there is no --data-dir of TFDS's.
    """
    if dataset == synthetic_flowers.NAME or dataset in DATASETS:
        return False
    drive, _ = os.path.splitdrive(dataset)
    # A / alone says nothing, for TFDS names have it, too; a \, which separates on Windows, they
    # never have.
    looks_like_path = (
        drive or dataset.startswith((".", "~", "/")) or os.sep in dataset.replace("/", "")
    )
    return (
        bool(looks_like_path)
        or is_array_file(dataset)
        or (data_dir is None and os.path.isdir(dataset))
    )


def is_tfds(dataset: str) -> bool:
    """Tell whether --dataset, its path absolute, is the name of a TFDS data set."""
    built_in = dataset in DATASETS or dataset == synthetic_flowers.NAME
    return not built_in and not os.path.isabs(dataset)


def _own(dataset: str) -> Source:
    own = DATASETS[dataset]
    return own if isinstance(own, Source) else own()


def open_source(
    dataset: str,
    data_dir: str | None = None,
    split: str | None = None,
    values: tuple[float, float] | None = None,
) -> Source:
    """Find a data set by name or absolute path; `values`: what is black and white in it, if given.

    Raises UserError if there is none.
    """
    source = _found(dataset, data_dir, split)
    return dataclasses.replace(source, values=values) if values else source


def _found(dataset: str, data_dir: str | None, split: str | None) -> Source:
    if dataset in DATASETS:
        kind, source = "your own", lambda: _own(dataset)
    elif dataset == synthetic_flowers.NAME:
        kind, source = "built in", synthetic_flowers.open_synthetic_flowers
    elif os.path.isabs(dataset) and is_array_file(dataset) and not os.path.isdir(dataset):
        kind, source = "a file", lambda: open_array(Path(dataset), MISSING)
    elif os.path.isabs(dataset):
        kind, source = "a folder", lambda: open_folder(Path(dataset), MISSING)
    else:
        return open_tfds(dataset, data_dir, split)
    if split is not None:
        raise UserError(f"--split is for TFDS data sets, and {dataset} is {kind}; leave it out")
    return source()
