"""Decoding, cropping and resizing is done once: a memory-mapped array in the user's cache folder."""

import contextlib
import dataclasses
import errno
import glob
import hashlib
import json
import mmap
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from flaxgan.data.images import to_pixels
from flaxgan.data.source import Source
from flaxgan.errors import UserError

DAY = 24 * 3600
FORMAT = 2  # part of every key: raise it when the same source would give other pixels


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    images: np.ndarray  # uint8 (N, H, W, C), memory-mapped
    labels: np.ndarray  # int32 (N,), indices into class_names; zeros if there are no classes
    class_names: tuple[str, ...]
    sha256: str  # of images and labels

    @property
    def class_counts(self) -> dict[str, int]:
        """How many pictures each class has; empty if there are none."""
        counts = np.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True)) if self.class_names else {}


def cache_dir() -> Path:
    """$FLAXGAN_CACHE, else a folder flaxgan in the user's cache folder. Raises UserError if there is no such user."""
    if own := os.environ.get("FLAXGAN_CACHE"):
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flaxgan"
    except RuntimeError as error:
        raise UserError("there is no home folder to keep prepared pictures in; set FLAXGAN_CACHE to a folder") from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def expect_random_reads(pixels: np.ndarray) -> None:
    """If it is memory-mapped, tell the system: its read-ahead would fetch dozens of pages around each picture."""
    memory = pixels
    while isinstance(memory, np.ndarray):
        memory = memory.base
    if isinstance(memory, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # not on Windows
        memory.madvise(mmap.MADV_RANDOM)


def prepare(source: Source, image_size: tuple[int, int], channels: int) -> ImageDataset:
    """The data set at this size: from the cache, or built into it. Raises UserError if no picture is readable."""
    height, width = image_size
    prefix = f"{source.name}-{height}x{width}x{channels}-{_digest(source.identity)}-"
    folder = cache_dir() / "data" / (prefix + _digest([source.fingerprint, FORMAT]))
    try:
        if not folder.is_dir():
            _build(source, image_size, channels, folder)
            for outdated in folder.parent.glob(glob.escape(prefix) + "*"):  # the same source as it was before it changed
                if outdated != folder:
                    shutil.rmtree(outdated, ignore_errors=True)
        meta = json.loads((folder / "meta.json").read_text())
        pictures, skipped, sha256 = (meta[name] for name in ("pictures", "skipped", "sha256"))
        images = np.load(folder / "images.npy", mmap_mode="r")[:pictures]
        labels = np.load(folder / "labels.npy")
    except (OSError, ValueError, EOFError, KeyError) as error:  # all but the first of files that were cut short or changed
        raise UserError(
            f"can't use the picture cache {folder}: {error}; remove it if it is there, or set FLAXGAN_CACHE to another folder"
        ) from error
    if skipped:
        shown = ", ".join(skipped[:10]) + (", …" if len(skipped) > 10 else "")
        what = f"skipped {len(skipped)} of {len(skipped) + pictures} files, as no readable pictures"
        print(f"flaxgan: warning: {what}: {shown}", file=sys.stderr)
    class_names = tuple(source.class_names)
    if labels.min() < 0:  # as TFDS marks pictures without a class
        labels, class_names = np.zeros_like(labels), ()
    return ImageDataset(images, labels, class_names, sha256)


def _reserve(path: Path) -> None:
    """Have the disk set the file's space aside: a map to a full one would kill the process as it is written to. Raises OSError."""
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # file systems that can't
                raise


def _build(source: Source, image_size: tuple[int, int], channels: int, folder: Path) -> None:
    """Write beside the final place, then rename: two processes may build at once, and the first to finish wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.parent.glob(".building-*"):  # by a process that was killed
        with contextlib.suppress(FileNotFoundError):  # another's, which is ready by now
            if time.time() - abandoned.stat().st_mtime > DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-", ignore_cleanup_errors=True) as temporary:
        building = Path(temporary) / folder.name  # which others may read, if the umask lets them; the temporary one is private
        building.mkdir()
        shape = (len(source), *image_size, channels)
        images = np.lib.format.open_memmap(building / "images.npy", "w+", np.uint8, shape)
        _reserve(building / "images.npy")
        labels = np.zeros(len(source), np.int32)

        def decode(i: int) -> bool:
            try:
                picture, labels[i] = source.read(i)
                images[i] = to_pixels(picture, image_size, channels)
            except source.unreadable:
                return False
            return True

        title = f"preparing {source.name}"
        if not sys.stderr.isatty():
            print(f"{title}: {len(source)} pictures", flush=True)
        # Closing the map before the pool lets Ctrl-C drop what is not yet begun.
        with ThreadPoolExecutor() as pool, contextlib.closing(pool.map(decode, range(len(source)))) as done:
            readable = list(tqdm(done, title, len(source), unit=" pictures", disable=None))
        kept = np.flatnonzero(readable)
        if not len(kept):
            raise UserError(f"none of the {len(source)} files in {source.title} is a readable picture")
        if len(kept) < len(source):
            for new, old in enumerate(kept):
                images[new] = images[old]
        images.flush()
        labels = labels[kept]
        np.save(building / "labels.npy", labels)
        sha256 = hashlib.sha256(images[: len(kept)])
        sha256.update(labels)
        skipped = [source.item_name(i) for i in np.flatnonzero(~np.array(readable))]
        meta = {"pictures": len(kept), "skipped": skipped, "sha256": sha256.hexdigest()}
        (building / "meta.json").write_text(json.dumps(meta))
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was quicker, with the same pictures
                raise
