"""Every picture of a source, decoded, brought to one size, written into a folder of the cache."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from flaxgan.data.decoding import decoding
from flaxgan.data.depth import guessed
from flaxgan.data.fit import enlargement
from flaxgan.data.outcome import Outcome
from flaxgan.data.pixels import to_pixels, upright_size
from flaxgan.data.reading import out_of_memory, printable
from flaxgan.data.source import Source, Unreadable
from flaxgan.system.bars import in_notebook, progress_bar
from flaxgan.system.errors import UserError, say
from flaxgan.system.seals import seal

AHEAD = 64  # pictures that may be decoded before their turn to be written
# Pixels of a picture beyond which it is decoded alone, 20,000x20,000 take 5 GB; a JPEG smaller, if
# so many times the size that is wanted are left.
MANY, SPARE = 2**25, 4
LARGE, NOTHING = threading.Lock(), contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Target:
    """What the pictures are to become."""

    image_size: tuple[int, int]  # (height, width)
    channels: int
    fit: str = "crop"


def _reserve(file: BinaryIO, size: int) -> None:
    """Set the file's space aside, so that a full disk is noticed before hours of work.

    Raises OSError.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # file systems that can't
            raise


def _in_order(call: Callable[[int], Any], count: int) -> Generator[Any, None, None]:
    """Yield call(0), call(1), ... of several threads, at most AHEAD of what has been taken."""
    with ThreadPoolExecutor() as pool:
        pending: deque[Future[Any]] = deque()
        try:
            for i in range(count):
                pending.append(pool.submit(call, i))
                if len(pending) > AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # Ctrl-C drops what is not yet begun
            pool.shutdown(cancel_futures=True)


def _write_header(file: BinaryIO, target: Target, pictures: int) -> None:
    """Write the header of a .npy of uint8 (images, H, W, C); its length is always the same."""
    shape = (pictures, *target.image_size, target.channels)
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )


def build(source: Source, target: Target, folder: Path) -> Outcome:
    """Write the arrays of a data set, as .npy, and meta.json into an empty folder.

    Raises UserError if there is no picture, or if a drive or the memory fails;
    OSError if the disk is full.
    """

    def decode(i: int) -> tuple[np.ndarray, int, float, int] | Unreadable:
        try:
            picture, label = source.read(i)
            large = picture.width * picture.height > MANY
            with decoding(), LARGE if large else NOTHING:
                size, wanted = upright_size(picture), target.image_size
                if large:
                    picture.draft(None, (SPARE * max(wanted), SPARE * max(wanted)))
                pixels = to_pixels(picture, wanted, target.channels, target.fit, values)
            return pixels, label, enlargement(size, wanted, target.fit), source.digest(i)
        except Unreadable as error:
            # a new error: the traceback of this one would keep the file's bytes in memory
            return Unreadable(error.kind, error.detail, error.lasting)
        except MemoryError as error:
            raise out_of_memory(f"{printable(source.item_name(i))} of {source.title}") from error

    title = f"preparing {printable(source.name)}"
    if not sys.stderr.isatty() and not in_notebook():
        say(f"{title}: {len(source)} pictures", flush=True)
    values = source.values or guessed(lambda i: source.read(i)[0], len(source))
    outcome, sha256 = Outcome(len(source), values=values), hashlib.sha256()
    labels: list[int] = []
    items: list[int] = []
    digests: list[int] = []
    enlargements: list[float] = []
    with (
        (folder / "images.npy").open("wb") as file,
        contextlib.closing(_in_order(decode, len(source))) as results,
    ):
        _reserve(file, len(source) * int(np.prod(target.image_size)) * target.channels)
        _write_header(file, target, 0)
        for i, result in enumerate(
            progress_bar(results, desc=title, total=len(source), unit=" pictures")
        ):
            if isinstance(result, Unreadable):
                outcome.skipped.append((source.item_name(i), result.kind, result.detail))
                outcome.lasting &= result.lasting
                continue
            pixels, label, growth, digest = result
            file.write(pixels)
            sha256.update(pixels)
            labels.extend([label] * len(pixels))
            items.extend([i] * len(pixels))
            digests.extend([digest] * len(pixels))
            enlargements.extend([growth] * (growth > 1))
        file.truncate()
        file.seek(0)
        _write_header(file, target, len(labels))
    if not labels:
        raise UserError(
            f"none of the {len(source)} files in {source.title} is a readable picture:"
            f" {outcome.reasons}"
        )
    sha256.update(np.array(labels, np.int32).tobytes())
    np.save(folder / "labels.npy", np.array(labels, np.int32))
    np.save(folder / "items.npy", np.array(items, np.int64))
    np.save(folder / "digests.npy", np.array(digests, np.uint64))
    outcome.pictures, outcome.sha256 = len(labels), sha256.hexdigest()
    outcome.note_enlargements(enlargements, target.image_size)
    (folder / "meta.json").write_text(json.dumps(dataclasses.asdict(outcome)))
    for path in [*folder.iterdir()]:
        seal(path)
    return outcome
