"""Where a run comes from: which version wrote it, and how, when and on what it was started."""

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jax

import flaxgan
from flaxgan.config import fields_of, renamed
from flaxgan.runs.schema import LARGEST, parsed
from flaxgan.system.errors import UserError
from flaxgan.system.files import read_text


def start_of(step: int, command: str) -> dict[str, Any]:
    """Return config.json's entry for this start, after so many steps, by a command or call."""
    return {
        "step": step,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
        "device": jax.devices()[0].device_kind,
        "devices": len(jax.devices()),
        "processors": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python_version": platform.python_version(),
        "jax_version": jax.__version__,
        "flax_version": importlib.metadata.version("flax"),
    }


def fields_of_file(path: Path, given: Collection[str]) -> dict[str, Any]:
    """Return the fields of a config.json that a new run starts from.

    Its length gives way to one that is `given`. Raises UserError if the file can't be read, or is
    of another version.
    """
    try:
        saved = renamed(parsed(read_text(path.expanduser(), LARGEST)))
        require_this_version(saved)
        known = fields_of(saved.get("method", "gan"))
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        raise UserError(
            f"--config {path} can't be read: {error}; name the config.json of a run"
        ) from error
    fields = {
        name: saved[name]
        for name, field in known.items()
        if field.metadata["flag"] and saved.get(name) is not None
    }
    shorter = {"images", "epochs"} if {"images", "epochs"} & {*given} else set()
    return {name: value for name, value in fields.items() if name not in shorter}


def require_this_version(saved: dict[str, Any]) -> None:
    """Raise UserError if another minor version wrote a config.json: its fields are others."""
    minor, other = (
        str(version).split(".")[:2]
        for version in (flaxgan.__version__, saved.get("flaxgan_version", ""))
    )
    if other != minor and "flaxgan_version" in saved:
        raise UserError(
            f"it is of flaxgan {'.'.join(other)}, and this is {flaxgan.__version__}, which can't"
            f" read its checkpoints; use flaxgan {'.'.join(other)} for that run, or train anew"
        )
