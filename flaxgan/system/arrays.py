"""Strangers' files of arrays: read without unpickling, and not beyond a size."""

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

UNREADABLE = (  # what NumPy raises for a file that is damaged, or none of its own
    *(OSError, ValueError, EOFError, TypeError, KeyError, MemoryError),
    RuntimeError,  # of zipfile: a method that it does not know, a password
    *(SyntaxError, tokenize.TokenError),  # of what is in a file's header
    *(zipfile.BadZipFile, zlib.error),
)


def read_npz(path: Path, most: int) -> dict[str, np.ndarray]:
    """Read all arrays of a .npz, of `most` bytes together; raise one of UNREADABLE if it is none.

    ValueError says that they are more.
    """
    with zipfile.ZipFile(path) as parts:
        if sum(part.file_size for part in parts.infolist()) > most:
            raise ValueError("it is too large")
    with np.load(path, allow_pickle=False) as content:
        return dict(content)
