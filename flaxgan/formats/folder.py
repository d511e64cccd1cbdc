"""The folder that an export fills: its files, samples and a model card."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from flaxgan.formats.card import card
from flaxgan.formats.exporting import Export, File
from flaxgan.plots import grid, save_image
from flaxgan.runs.trained import require_apart
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing, require_writable

FORMATS = ("onnx", "safetensors", "jax")
CARD, SAMPLES = "README.md", "samples.png"


def formats_of(asked: str | Sequence[str]) -> list[str]:
    """Return the formats that are asked for, or all of them. Raises UserError for others."""
    words = [asked] if isinstance(asked, str) else [*asked]
    if unknown := [word for word in words if word not in (*FORMATS, "all")]:
        raise UserError(f"--format {unknown[0]} is not known; name {', '.join(FORMATS)} or all")
    return [name for name in FORMATS if name in words or "all" in words]


def fill(export: Export, formats: Sequence[str], samples: np.ndarray | None) -> Iterator[File]:
    """Write each format's files, then a grid of samples and a model card; yield what is there.

    A card that is there stays: somebody may have filled it in. Raises UserError, before any file is
    written, if one can't be, and if one would not compute what JAX does.
    """
    names = [name for format in formats for name in export.names(format)]
    for name in (*names, SAMPLES, CARD):
        require_apart(export.folder / name, export.run.folder, export.run.config)
        require_writable(export.folder / name)
    for format in formats:
        yield from getattr(export, format)()
    if samples is not None:
        save_image(export.folder / SAMPLES, grid(samples))
        yield File(export.folder / SAMPLES, "generated pictures")
    path = export.folder / CARD
    if path.exists():
        yield File(path, "was there and stays as it is; remove it to have it written anew")
        return
    with replacing(path) as temporary:
        text = card(export.run, export.step, names, samples is not None, export.uint8)
        temporary.write_text(text, encoding="utf-8")
    yield File(path, "the model card: fill in data and licence")


def publishing(folder: Path, name: str) -> str:
    """Return the command with which a user publishes a folder."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "generator"
    return f"hf upload YOUR_NAME/{allowed} {shlex.quote(str(folder))}"
