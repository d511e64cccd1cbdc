"""The files of a projection: latents, pictures and a film of each picture, and their distances."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxgan.data.reading import printable
from flaxgan.inputs import listed, read, values
from flaxgan.latent_files import save_latents
from flaxgan.methods.projection import BATCH, Projection
from flaxgan.model import Model
from flaxgan.plots import save_animation, save_image
from flaxgan.runs.trained import require_apart
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing, require_writable
from flaxgan.tables import columns_sheet

TABLE = "projections.csv"
SUFFIXES = (".npz", ".png", ".webp")
FRAME, HOLD = 125, 1500  # ms of each frame of a film, and of its last one


class Row(NamedTuple):
    """A line of projections.csv."""

    picture: str
    shown: str  # the class or the sentence; empty of an unconditional run
    feature_distance: float  # see pretrained/perceptual.py
    rms_error: float  # of pixels from 0 to 1


def asked_by(model: Model) -> str:
    """Return the flag, without dashes, that says what a run shows."""
    return "prompt" if model.config.condition == "text" else "class"


@dataclasses.dataclass(frozen=True)
class Projections:
    """Pictures to project, and the folder for what is found."""

    files: dict[Path, Path]  # by the name of the result, which ends in .png
    folder: Path

    @classmethod
    def of(cls, paths: Sequence[Path], folder: Path) -> "Projections":
        """List pictures. Raises UserError if one is missing, or a result is there already."""
        files = listed(paths)
        results = [name.with_suffix(suffix) for name in files for suffix in SUFFIXES]
        for result in (Path(TABLE), *results):
            if (folder / result).exists():
                raise UserError(
                    f"{printable(folder / result)} is there already; name another --output, or"
                    " remove it"
                )
        return cls(files, folder)

    def write(
        self, model: Model, label: str | None, prompt: str | None, steps: int, seed: int
    ) -> list[Row]:
        """Project the pictures and return the table's rows. The files of each batch are written
        before the next one is searched for.

        Raises UserError if the run has no latents, if no picture can be read, or if a file can't be
        written.
        """
        config = model.config
        require_apart(self.folder, model.run.folder, config)
        fit = "crop" if config.fit == "tiles" else config.fit
        told = config.values or model.run.values or values([*self.files.values()])
        found = {
            name: read(file, config.image_size, told, fit) for name, file in self.files.items()
        }
        pictures = [(name, images) for name, images in found.items() if images is not None]
        if not pictures:
            raise UserError("none of these files is a picture that can be read")
        for name, _ in pictures:
            require_writable(self.folder / name.with_suffix(".webp"))
        size, rows = min(BATCH, len(pictures)), list[Row]()
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            images = np.concatenate([image for _, image in part])
            whole = np.resize(images, (size, *images.shape[1:]))  # all batches: one program
            projection = model.project(whole, label, steps, seed, prompt)
            try:
                for i, (name, picture) in enumerate(part):
                    rows.append(self._write_one(name, picture, projection, i, model.step))
                self._write_table(rows, asked_by(model))
            except OSError as error:
                raise UserError(f"--output {self.folder} can't be written: {error}") from error
        return rows

    def _write_table(self, rows: list[Row], kind: str) -> None:
        with (
            replacing(self.folder / TABLE) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows([("picture", kind, *Row._fields[2:]), *rows])

    def _write_one(
        self, name: Path, picture: np.ndarray, projection: Projection, number: int, step: int
    ) -> Row:
        path = self.folder / name
        save_latents(path.with_suffix(".npz"), projection, number, step)
        made = projection.images[number : number + 1]
        save_image(path, columns_sheet({"picture": picture, "found": made}))
        frames = [
            columns_sheet({"picture": picture, "search": frame[None]})
            for frame in projection.film[number]
        ]
        durations = [FRAME] * (len(frames) - 1) + [HOLD]
        save_animation(path.with_suffix(".webp"), frames, durations)
        return Row(
            printable(self.files[name]),
            "" if projection.shown is None else printable(str(projection.shown[number])),
            float(projection.feature_distances[number]),
            float(projection.rms_errors[number]),
        )
