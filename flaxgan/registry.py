"""Losses, architectures and the like of one's own: names beside those that the options of a method
list.
"""

import importlib.util
import sys
from collections import UserDict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from flaxgan.system.errors import UserError

T = TypeVar("T")
_ADDED: dict[str, list[str]] = {}  # field of the options -> names that were added


class Registry(UserDict[str, T]):
    """A table of functions by the names that a field takes, to which names can be added."""

    def __init__(self, field: str, built_in: dict[str, T]):
        """Make the table of `field`, which lists the names that are `built_in` itself."""
        super().__init__()
        self.data, self._field = dict(built_in), field
        _ADDED[field] = []

    def __setitem__(self, name: str, value: T) -> None:
        """Add what a name stands for, or replace it. Raises UserError for a built-in name."""
        if name in self and name not in _ADDED[self._field]:
            raise UserError(
                f"{name!r} is flaxgan's own name; choose another for what you add to"
                f" --{self._field}"
            )
        super().__setitem__(name, value)
        _ADDED[self._field] = [*dict.fromkeys([*_ADDED[self._field], name])]


def added(field: str) -> list[str]:
    """Return the names that were added to a field's table, oldest first."""
    return _ADDED.get(field, [])


def missing(flag: str, name: str, known: Sequence[str]) -> UserError:
    """Return what to raise for a name that may be of one's own, in a file that was not named."""
    return UserError(
        f"{flag} {name} is none of {', '.join(known)}, nor one of your own that has been added; if"
        " it is yours, name the file that adds it with --plugin FILE, or in Python import it first"
        " (docs/extending.md)"
    )


def load_plugin(path: Path) -> None:
    """Run a Python file, which adds something of one's own.

    Raises UserError if there is no such file.
    """
    name = f"flaxgan_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UserError(f"--plugin {path}: there is no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
