"""Packages that only some of what flaxgan does needs: its extras."""

import importlib
from typing import Any

from flaxgan.system.errors import UserError


def imported(module: str, extra: str, what: str) -> Any:
    """Import a module that an extra of flaxgan brings. Raises UserError where it is missing.

    `what` names what takes it, for the message.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"{what} takes the package {package}: pip install 'flaxgan[{extra}]'"
        ) from error
