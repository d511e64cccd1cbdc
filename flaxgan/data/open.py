"""--dataset, --data-dir and --split -> a source of pictures."""

import os
from pathlib import Path

from flaxgan.data import synthetic as synthetic_flowers
from flaxgan.data.folder import open_folder
from flaxgan.data.source import Source
from flaxgan.data.tfds import open_tfds
from flaxgan.system.errors import UserError


def is_folder(dataset: str, data_dir: str | None) -> bool:
    """Whether --dataset, as given, means a folder: it looks like a path, or is one and there is no --data-dir of TFDS's."""
    if dataset == synthetic_flowers.NAME:
        return False
    drive, _ = os.path.splitdrive(dataset)
    # A / alone says nothing, for TFDS names have it, too; a \, which separates on Windows, they never have.
    looks_like_path = drive or dataset.startswith((".", "~", "/")) or os.sep in dataset.replace("/", "")
    return bool(looks_like_path) or (data_dir is None and os.path.isdir(dataset))


def open_source(dataset: str, data_dir: str | None = None, split: str | None = None) -> Source:
    """Find a data set by name or absolute path. Raises UserError if there is none."""
    if dataset == synthetic_flowers.NAME:
        kind, source = "built in", synthetic_flowers.open_synthetic_flowers
    elif os.path.isabs(dataset):
        kind, source = "a folder", lambda: open_folder(Path(dataset), "; say with --dataset where your pictures are")
    else:
        return open_tfds(dataset, data_dir, split)
    if split is not None:
        raise UserError(f"--split is for TFDS data sets, and {dataset} is {kind}; leave it out")
    return source()
