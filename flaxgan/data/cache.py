"""Decoding, cropping, resizing are done once: a memory-mapped array in the cache folder."""

import contextlib
import dataclasses
import glob
import hashlib
import json
import mmap
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from flaxgan.data.build import Target, build
from flaxgan.data.dataset import Dataset
from flaxgan.data.outcome import Outcome
from flaxgan.data.source import Source
from flaxgan.system.errors import UserError, complain
from flaxgan.system.files import cache_dir
from flaxgan.system.seals import is_intact

FILES = ("images.npy", "labels.npy", "items.npy", "digests.npy", "meta.json")
DAY = 24 * 3600
FORMAT = 6  # part of every key: raise it when the same source would give other pixels


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def expect_random_reads(pixels: np.ndarray) -> None:
    """Tell the system that a memory-mapped array is read at random.

    Its read-ahead would fetch dozens of pages around each image.
    """
    memory: Any = pixels
    while isinstance(memory, np.ndarray):
        memory = memory.base
    if isinstance(memory, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # not on Windows
        memory.madvise(mmap.MADV_RANDOM)


def prepare(
    source: Source, image_size: tuple[int, int], channels: int, fit: str = "crop"
) -> Dataset:
    """Return the data set at this size, fitted as --fit says: from the cache, or built into it.

    Says what people should know of it.

    Raises UserError if no picture is readable, or one can't be read for reasons that are not its
    own.
    """
    target = Target(image_size, channels, fit)
    height, width = image_size
    fitted = "" if fit == "crop" else f"{fit}-"
    prefix = f"{source.name}-{height}x{width}x{channels}-{fitted}{_digest(source.identity)}-"
    content = _digest([source.fingerprint, FORMAT, *(source.values or ())])
    folder = cache_dir() / "data" / (prefix + content)
    try:
        if folder.is_dir() and not all(is_intact(folder / name) for name in FILES):
            complain(f"flaxgan: note: {folder} is not as it was written; it is prepared anew")
            shutil.rmtree(folder)
        if not folder.is_dir():
            folder = _build(source, target, folder)
            # the same source as it was before it changed
            for outdated in folder.parent.glob(glob.escape(prefix) + "*"):
                if outdated != folder:
                    shutil.rmtree(outdated, ignore_errors=True)
        outcome = Outcome(**json.loads((folder / "meta.json").read_text()))
        images = np.load(folder / "images.npy", mmap_mode="r")
        labels, items, digests = (
            np.load(folder / f"{name}.npy") for name in ("labels", "items", "digests")
        )
    except UserError:
        raise
    # all but the first of files that were cut short or changed
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise UserError(
            f"can't use the picture cache {folder}: {error}; remove it if it is there, or set"
            " FLAXGAN_CACHE to another folder"
        ) from error
    if not source.quiet:
        for line in [*(f"note: {note}" for note in source.notes), *outcome.lines(image_size)]:
            complain(f"flaxgan: {line}")
    class_names = tuple(source.class_names)
    if labels.min() < 0:  # as TFDS marks pictures without a class
        labels, class_names = np.zeros_like(labels), ()
    dataset = Dataset.of(images, labels, class_names, outcome.sha256, items=items, digests=digests)
    low_high = outcome.values and (float(outcome.values[0]), float(outcome.values[1]))
    return dataclasses.replace(dataset, values=low_high)


def _build(source: Source, target: Target, folder: Path) -> Path:
    """Build beside the final place, then rename: of two processes the first to finish wins.

    Returns where it is in the end: elsewhere than in `folder`, where the next start would find it,
    if files could not be read that the next one may read.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.parent.glob(".building-*"):  # by a process that was killed
        with contextlib.suppress(FileNotFoundError):  # another's, which is ready by now
            if time.time() - abandoned.stat().st_mtime > DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=".building-", ignore_cleanup_errors=True
    ) as temporary:
        # which others may read, if the umask lets them; the temporary one is private
        building = Path(temporary) / folder.name
        building.mkdir()
        if not (outcome := build(source, target, building)).lasting:
            folder = folder.with_name(f"{folder.name}-without-{_digest(outcome.skipped)}")
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was quicker, with the same pictures
                raise
    return folder
