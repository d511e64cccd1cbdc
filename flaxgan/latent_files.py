"""Files of latents: written by a projection, read to be drawn."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxgan.data.reading import printable
from flaxgan.methods.projection import Projection
from flaxgan.system.arrays import UNREADABLE, read_npz
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing

MOST_NUMBERS = 2**28  # of a file of latents


class Saved(NamedTuple):
    """Latents as a file holds them."""

    latents: np.ndarray  # (N, *shape)
    labels: np.ndarray | None  # what they show: classes (N,), or sentences (N, D)
    step: int | None  # of the checkpoint that they were found for


def save_latents(path: Path, projection: Projection, number: int, step: int) -> None:
    """Write the latents of one of the pictures of a projection as .npz: arrays with one row."""
    rows: dict[str, Any] = {
        projection.space: projection.latents[number : number + 1],
        "step": np.array(step),
    }
    if projection.labels is not None:
        name = "label" if projection.labels.ndim == 1 else "text"
        rows[name] = projection.labels[number : number + 1]
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **rows)


def read_latents(path: Path) -> Saved:
    """Read a .npz that project wrote, or a .npy of z (N, latent_dim). Nothing is unpickled.

    Raises UserError if it is anything else.
    """
    where = printable(path)
    if not path.is_file():
        raise UserError(f"there is no file {where}; name a .npz of project, or a .npy of z")
    try:
        if path.suffix.lower() == ".npy":
            return Saved(_small(np.lib.format.open_memmap(path, "r")), None, None)
        content = read_npz(path, 4 * MOST_NUMBERS)
        found = [name for name in ("w", "z") if name in content]
        if not found:
            raise UserError(
                f"{where} has no latents, 'z' or 'w'; name a .npz of python -m flaxgan.project"
            )
        latents, step = _small(content[found[0]]), content.get("step")
        label, text = content.get("label"), content.get("text")
    except UserError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"can't read {where} as latents: {reason}") from error
    whole = label is None or (label.dtype.kind in "iu" and label.shape == latents.shape[:1])
    if text is not None:
        whole = label is None and text.ndim == 2 and len(text) == len(latents)
        label = text
    if not whole or (step is not None and (step.dtype.kind not in "iu" or step.shape)):
        raise UserError(f"{where} is damaged: its latents, labels and step do not fit together")
    return Saved(latents, label, None if step is None else int(step))


def _small(array: np.ndarray) -> np.ndarray:
    if array.size > MOST_NUMBERS or array.ndim < 2:
        raise ValueError(f"it is {array.dtype} {array.shape}, and no rows of latents")
    return array
