"""Which pictures of a run its report shows, and what they tell of its health."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxgan.config import Config
from flaxgan.models.growth import resolution
from flaxgan.plots import open_png
from flaxgan.reports.pictures import Encoded, Pictures, cells
from flaxgan.runs.snapshots import step_of
from flaxgan.runs.views import NUM_IMAGES
from flaxgan.system.files import read_text

BYTES_OF_A_SNAPSHOT = 70_000  # on average, as text
MOST_SNAPSHOTS = 40
LARGEST = 2**24  # bytes of an evaluation.json
FIGURES = {
    "evaluation_neighbours.png": "Generated pictures and their nearest training pictures",
    "evaluation_typical.png": "The most and the least typical pictures",
    "evaluation_translations.png": "Translations of held-out pictures",
}


class Room(NamedTuple):
    """Say how much of a page one run may take, so that it stays small."""

    characters: int  # of pictures, as text
    numbers: int  # of curves

    @property
    def snapshots(self) -> int:
        """Return how many snapshots there is room for, beside the newest."""
        return min(MOST_SNAPSHOTS, max(2, self.for_snapshots // BYTES_OF_A_SNAPSHOT))

    @property
    def for_snapshots(self) -> int:
        """Return what of the characters is for snapshots."""
        return self.characters * 7 // 10

    @property
    def for_another(self) -> int:
        """Return what of the characters is for each picture beside the snapshots."""
        return self.characters // 14


class Grid(NamedTuple):
    """A grid that is about to be written: uint8 (H, W, 1 or 3)."""

    path: Path
    pixels: np.ndarray


class Shown:
    """Choose and encode the pictures of a run, each once."""

    def __init__(self, folder: Path, room: Room):
        self.folder, self.room, self._pictures = folder, room, Pictures()

    def snapshots(
        self, config: Config, per_epoch: int | None, drawn: Grid | None
    ) -> tuple[list[dict[str, Any]], int]:
        """Return the snapshots that there is room for, evenly spaced, and how many there are.

        Of too many every second is left out, then every fourth, and so on: those that stay are
        known already. The newest is always shown.
        """
        files = [*(self.folder / "generated_images").glob("*_*.png")]
        by_step = {
            step_of(file, per_epoch): file for file in files + ([drawn.path] if drawn else [])
        }
        by_step.pop(None, None)
        ordered = sorted((step, file) for step, file in by_step.items() if step is not None)
        stride = 1
        while len(ordered) > stride * self.room.snapshots:
            stride *= 2
        chosen = ordered[::stride] + ordered[-1:] * bool((len(ordered) - 1) % stride)
        most, shown = self.room.for_snapshots // (self.room.snapshots + 1), []
        for step, file in chosen:
            if drawn and file == drawn.path:
                picture: Encoded | None = self._pictures.add(file, most, drawn.pixels)
            else:
                picture = self._pictures.of(file, most)
            if picture:
                seen, epoch = step * config.images_per_step, per_epoch and step / per_epoch
                shown.append({"step": step, "images_seen": seen, "epoch": epoch, **picture})
                if side := resolution(config, step):
                    shown[-1]["resolution"] = side
        return shown, len(ordered)

    def real(self) -> Encoded | None:
        """Return the grid of real pictures."""
        return self._pictures.of(self.folder / "real_images.png", self.room.for_another)

    def figures(self) -> list[dict[str, Any]]:
        """Return what flaxgan.evaluate has drawn, with a title for each."""
        found = {
            title: self._pictures.of(self.folder / name, self.room.for_another)
            for name, title in FIGURES.items()
        }
        return [{"title": title, **picture} for title, picture in found.items() if picture]

    def samples(
        self, config: Config, drawn: Grid | None, are_grids: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return real and generated images, uint8 (N, H, W, C), if the snapshots `are_grids`.

        There are none where the pictures lack.
        """
        with contextlib.suppress(OSError, ValueError, SyntaxError):
            if are_grids:
                newest = drawn.pixels if drawn else _pixels(self._newest())
                real = _pixels(self.folder / "real_images.png")
                columns = math.isqrt(NUM_IMAGES) if config.condition != "none" else None
                generated = cells(newest, config.image_size, columns)
                return cells(real, config.image_size), generated
        nothing = np.zeros((0, *config.image_size, config.channels), np.uint8)
        return nothing, nothing

    def _newest(self) -> Path:
        files = (self.folder / "generated_images").glob("*_*.png")
        return max(files, key=lambda file: file.stat().st_mtime_ns)

    def evaluation(self) -> dict[str, Any]:
        """Return what evaluation.json holds, or nothing if it can't be read."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            saved = json.loads(read_text(self.folder / "evaluation.json", LARGEST))
            if isinstance(saved, dict) and isinstance(saved.get("metrics"), dict):
                return saved
        return {}


def _pixels(path: Path) -> np.ndarray:
    pixels = np.asarray(open_png(path))
    return pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]
