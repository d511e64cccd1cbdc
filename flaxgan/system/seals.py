"""Files of the cache that are known to be, when they are read, as they were written."""

import contextlib
import contextvars
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing

# Bytes of a file up to which its digest is computed whenever it is opened: 0.15 s. That of a larger
# one is, if its size or time is another than when its seal was written, as on another machine, or
# with --verify.
ALWAYS = 2**28
_whole: contextvars.ContextVar[bool] = contextvars.ContextVar("whole", default=False)


@contextlib.contextmanager
def verifying(whole: bool) -> Iterator[None]:
    """Compute the digests of larger files too, if `whole`, while it lasts."""
    token = _whole.set(whole)
    try:
        yield
    finally:
        _whole.reset(token)


def _seal(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> None:
    """Write the digest of a file beside it. Raises OSError."""
    with replacing(_seal(path)) as temporary:
        temporary.write_text(json.dumps({"sha256": _digest(path), "stamp": _stamp(path)}))


def is_intact(path: Path) -> bool:
    """Tell whether a file is there and as it was when it was sealed. Reads all of it at times."""
    try:
        written, stamp = json.loads(_seal(path).read_text()), _stamp(path)
        known, digest = written["stamp"] == stamp, written["sha256"]
        if known and stamp[0] > ALWAYS and not _whole.get():
            return True
        whole: bool = _digest(path) == digest
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False
    if whole and not known:
        with contextlib.suppress(OSError):  # a cache that can only be read
            seal(path)
    return whole


def sealed_array(path: Path, make: Callable[[], np.ndarray], what: str) -> np.ndarray:
    """Return an array that is kept as a .npy, memory-mapped; made, and kept, if it is not there.

    An array that is not as it was written is made anew. Raises UserError, with `what` it is, if it
    can't be kept.
    """
    if is_intact(path):
        with contextlib.suppress(OSError, ValueError, EOFError):
            mapped: np.ndarray = np.load(path, mmap_mode="r")
            return mapped
    array = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
        seal(path)
    except OSError as error:
        raise UserError(
            f"can't keep {what} in {path.parent}: {error.strerror or error}; set FLAXGAN_CACHE"
        ) from error
    return array
