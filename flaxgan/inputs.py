"""Pictures that a person names to be translated: files, and folders of them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from flaxgan.data.decoding import decoding, open_picture
from flaxgan.data.depth import guessed, values_line
from flaxgan.data.fit import FITS
from flaxgan.data.listing import list_files
from flaxgan.data.pixels import Values, to_mode
from flaxgan.data.reading import printable, read_bytes
from flaxgan.data.source import Unreadable
from flaxgan.system.errors import UserError, say


def listed(paths: Sequence[Path]) -> dict[Path, Path]:
    """Return the picture files by the names of their results: what lies below a folder keeps its
    place in it, and each name ends in .png.

    Raises UserError if a path is not there, or if two pictures would have one name.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            try:
                found = {file.path.relative_to(path): file.path for file in list_files(path).files}
            except Unreadable as error:
                raise UserError(f"can't read the folder {printable(path)}: {error.kind}") from error
        elif path.exists():
            found = {Path(path.name): path}
        else:
            raise UserError(f"there is no picture or folder {printable(path)}")
        for name, file in found.items():
            result = name.with_suffix(".png")
            if result in files:
                raise UserError(
                    f"{printable(files[result])} and {printable(file)} would both become"
                    f" {printable(result)}; name them one after the other"
                )
            files[result] = file
    if not files:
        raise UserError(f"{printable(paths[0])} holds no pictures")
    return files


def _opened(file: Path) -> Image.Image:
    return open_picture(io.BytesIO(read_bytes(file)))


def values(files: Sequence[Path]) -> Values | None:
    """Guess what is black and white in pictures of more than 8 bits; say so, if there are any."""
    found = guessed(lambda i: _opened(files[i]), len(files))
    if found:
        say(f"note: {values_line(*found)}")
    return found


def read(
    file: Path,
    image_size: tuple[int, int] | None,
    values: Values | None = None,
    fit: str = "crop",
) -> np.ndarray | None:
    """Read a picture as uint8 (1, H, W, 3), brought to a size, if one is given, as `fit` says.

    `values`: what is black and white in a picture of more than 8 bits. What is no picture is named
    on the screen, and None.
    """
    try:
        picture = _opened(file)
        with decoding():
            picture = to_mode(picture, 3, values)
            if image_size:
                picture = FITS[fit](picture, image_size[::-1])[0]
            return np.asarray(picture)[None]
    except Unreadable as error:
        detail = f": {printable(error.detail)}" if error.detail else ""
        say(f"warning: skipped {printable(file)}, which is {error.kind}{detail}")
        return None
