"""What a file system says when a file is read: of the file itself, or of a drive that is away for a
moment.
"""

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from flaxgan.data.source import Unreadable
from flaxgan.system.errors import UserError

T = TypeVar("T")
WAITS = (0.1, 0.5, 2.0)  # seconds, before each further try
# All other errors (EIO, ESTALE, EMFILE, ...) pass, or concern more than this file.
OF_THE_FILE = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "without permission to read"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP), "gone, or a link to nowhere"),
    errno.EISDIR: "become a folder",
}
REMEDIES = {
    errno.EMFILE: "allow more open files (ulimit -n 4096)",
    errno.ENOMEM: "end other programs",
}


def printable(name: object) -> str:
    """Return a file's name on one line; what can't be printed is escaped as in a Python string."""
    return repr(str(name))[1:-1]


def enumerated(names: Sequence[object], most: int = 3) -> str:
    """Return the first of some names of files, on one line."""
    return ", ".join(map(printable, names[:most])) + (", …" if len(names) > most else "")


def patiently(action: Callable[[Path], T], path: Path) -> T:
    """Call `action`, which reads from `path`; a passing error is waited out, for a few seconds.

    Raises Unreadable if the error concerns this file alone, and UserError if another one lasts or
    memory runs out.
    """
    waits = iter(WAITS)
    while True:
        try:
            return action(path)
        except MemoryError as error:
            raise out_of_memory(printable(path)) from error
        except OSError as error:
            if kind := OF_THE_FILE.get(error.errno or 0):
                raise Unreadable(kind, lasting=False) from error
            wait = next(waits, None)
            if wait is None:
                remedy = REMEDIES.get(error.errno or 0, "see to the drive that it lies on")
                raise UserError(
                    f"can't read {printable(path)}: {error.strerror or error}; {remedy}, then start"
                    " again"
                ) from error
        time.sleep(wait)


def out_of_memory(item: str) -> UserError:
    return UserError(
        f"there is not enough memory to read {item}: end other programs, or take it out, then start"
        " again"
    )


def read_bytes(path: Path) -> bytes:
    """Read all of a file. Raises as `patiently` does."""
    return patiently(Path.read_bytes, path)


def require_openable(path: Path) -> None:
    """Raise Unreadable if a file may not be read."""
    if not os.access(path, os.R_OK):  # False after passing errors, too
        patiently(lambda path: path.open("rb").close(), path)
