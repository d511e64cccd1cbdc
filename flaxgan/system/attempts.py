"""Drawing that may fail without ending a training."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flaxgan.system.errors import UserError, complain, explaining_limits


class Attempts:
    """Attempt to draw: a failure is a warning on standard error, and ends nothing that waits.

    It is said once of each kind. Still raised are UserError, of a full disk too, and OSError if a
    file in `folder`, where the pictures go, is the reason, as when that is gone; but not
    PermissionError, with which Windows answers while somebody looks at the picture that is to be
    replaced.
    """

    def __init__(self, folder: Path):
        self._folder = folder.absolute()
        self._failed: set[str] = set()

    @contextlib.contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Attempt what is in the block; the warning calls it `what`."""
        try:
            with explaining_limits():
                yield
        except UserError:
            raise
        except Exception as error:  # matplotlib and Pillow fail in any way they like
            if (
                isinstance(error, OSError)
                and not isinstance(error, PermissionError)
                and self._holds(error.filename)
            ):
                raise
            if what not in self._failed:
                self._failed.add(what)
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                complain(f"flaxgan: warning: can't draw {what} ({reason[:200]})")

    def _holds(self, path: Any) -> bool:
        return bool(path) and self._folder in Path(os.fsdecode(path)).absolute().parents
