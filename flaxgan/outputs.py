"""Where sampled pictures go: one grid, an animation, an array, or a folder of single ones."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxgan.plots import enlarged, grid, grid_shape, name_rows, save_animation, save_image, table
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing, require_writable

MOST_PIXELS = 2**28  # of a grid or frame: it is made in memory


@dataclasses.dataclass(frozen=True)
class Output:
    """A place to write pictures to, in the form that its name says, and how many times as large
    (see plots.enlarged).
    """

    path: Path
    scale: int = 1
    smooth: bool = False

    @property
    def form(self) -> "Form":
        """Return how it is written. Raises UserError if the name says nothing known."""
        if self.path.name.lower() in FORMS:
            raise UserError(f"--output {self.path} has no name before {self.path.name}")
        if self.path.suffix.lower() not in FORMS:
            raise UserError(
                f"--output {self.path}: {self.path.suffix} is not known; name a .png or .jpg (one"
                " grid), a .npy, a folder, or with --interpolate a .gif or .webp"
            )
        return FORMS[self.path.suffix.lower()]

    def require_fit(self, num: int, size: tuple[int, int], columns: int | None) -> None:
        """Raise UserError if `num` images, so many beside each other, can't be written so.

        `size` is (height, width).
        """
        h, w = (side * self.scale for side in size)
        if self.form.write is _write_array and self.scale > 1:
            raise UserError(
                f"--output {self.path} holds pictures as they are; leave --scale out, or name a"
                " .png or a folder"
            )
        if self.form.animated:
            height, width = num // (columns or 1) * h, w
        else:
            _, height, width = grid_shape(num, h, w, columns)
        if self.form.longest and (
            max(height, width) > self.form.longest or height * width > MOST_PIXELS
        ):
            raise UserError(
                f"--output {self.path} would be {height} pixels high and {width} wide, and can have"
                f" {self.form.longest} a side and {MOST_PIXELS} in all; ask for fewer pictures or"
                " classes, or a smaller --scale"
            )

    def require_writable(self) -> None:
        """Raise UserError if it can't be written, or would mix with what is there."""
        require_writable(self.path if self.path.suffix else self.path / "0.png")
        if not self.path.suffix and any(self.path.iterdir()):
            raise UserError(f"--output {self.path} is not an empty folder; name another")

    def write(
        self,
        images: np.ndarray,
        columns: int | None = None,
        names: list[str] | None = None,
        heads: list[str] | None = None,
    ) -> None:
        """Write uint8 (N, H, W, C), `columns` beside each other, with a name for each row.

        Without columns it is as square as it gets; `heads`: a name for each column, too. Raises
        UserError if that fails.
        """
        try:
            self.form.write(self, images, columns, names, heads)
        except OSError as error:
            raise UserError(f"--output {self.path} can't be written: {error}") from error

    def enlarged(self, images: np.ndarray) -> np.ndarray:
        return enlarged(images, self.scale, self.smooth)


def _write_grid(
    output: Output,
    images: np.ndarray,
    columns: int | None,
    names: list[str] | None,
    heads: list[str] | None,
) -> None:
    images = output.enlarged(images)
    if len(images) == 1:
        return save_image(output.path, images[0])
    if names and heads:
        return save_image(output.path, table(images, names, heads))
    sheet = grid(images, columns)
    save_image(output.path, name_rows(sheet, names) if names else sheet)


def _write_animation(output: Output, images: np.ndarray, columns: int | None, *_: object) -> None:
    rows = np.split(output.enlarged(images), len(images) // (columns or 1))
    frames = np.concatenate(rows, 1)  # one above the other
    there_and_back = [*frames, *frames[-2:0:-1]]
    save_animation(output.path, there_and_back, [83] * len(there_and_back))  # 12 a second


def _write_array(output: Output, images: np.ndarray, *_: object) -> None:
    with replacing(output.path) as temporary, temporary.open("wb") as file:
        np.save(file, images)


def _write_folder(output: Output, images: np.ndarray, *_: object) -> None:
    digits = len(str(len(images) - 1))
    for i in range(len(images)):
        save_image(output.path / f"{i:0{digits}d}.png", output.enlarged(images[i : i + 1])[0])


class Form(NamedTuple):
    write: Callable[..., None]
    longest: int | None = None  # side in pixels, where all pictures are in one

    @property
    def animated(self) -> bool:
        return self.write is _write_animation


FORMS = {  # by suffix
    "": Form(_write_folder),
    ".npy": Form(_write_array),
    ".png": Form(_write_grid, 2**31 - 1),
    ".jpg": Form(_write_grid, 2**16 - 1),
    ".jpeg": Form(_write_grid, 2**16 - 1),
    ".gif": Form(_write_animation, 2**16 - 1),
    ".webp": Form(_write_animation, 2**14 - 1),
}
