"""Pictures for a page: shrunk to a number of bytes, as data URLs; and grids taken apart."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flaxgan.plots import GAP, open_png

QUALITY = 80  # of WebP, before a picture is shrunk
LEAST_SIDE = 16  # pixels, to which nothing is shrunk further

Encoded = dict[str, Any]  # "src", a data URL, and "width" and "height" in pixels


def encoded(picture: Image.Image, most: int) -> Encoded:
    """Return a picture as WebP in a data URL of at most `most` characters, shrunk if need be."""
    if picture.mode not in ("L", "RGB"):
        seen = picture.convert("RGBA")
        picture = Image.new("RGB", picture.size, "white")
        picture.paste(seen, mask=seen.getchannel("A"))
    shown, scale = picture, 1.0
    while True:
        buffer = io.BytesIO()
        shown.save(buffer, "WEBP", quality=QUALITY, method=2)
        src = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
        if len(src) <= most or min(shown.size) <= LEAST_SIDE:
            return {"src": src, "width": picture.width, "height": picture.height}
        scale *= max(0.3, 0.95 * (most / len(src)) ** 0.5)
        size = [max(LEAST_SIDE, round(side * scale)) for side in picture.size]
        shown = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)


class Pictures:
    """Encode the pictures of runs, each once as long as its file is the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int], tuple[tuple[int, int] | None, Encoded | None]] = {}

    def of(self, path: Path, most: int) -> Encoded | None:
        """Return the picture in a file, or None if there is none that can be read."""
        try:
            status = path.stat()
        except OSError:
            return None
        stamp, known = (status.st_mtime_ns, status.st_size), self._known.get((path, most))
        if known is None or known[0] not in (None, stamp):
            known = None, _read(path, most)
        self._known[path, most] = stamp, known[1]
        return known[1]

    def add(self, path: Path, most: int, pixels: np.ndarray) -> Encoded:
        """Return the picture of pixels, uint8 (H, W, 1 or 3), that are about to be in a file."""
        picture = encoded(
            Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels), most
        )
        self._known[path, most] = None, picture
        return picture


def _read(path: Path, most: int) -> Encoded | None:
    try:
        return encoded(open_png(path), most)
    except (OSError, ValueError, SyntaxError):  # the last is Pillow's for a broken PNG
        return None


def cells(sheet: np.ndarray, size: tuple[int, int], columns: int | None = None) -> np.ndarray:
    """Return the pictures of a grid, uint8 (N, H, W, C), as plots.grid laid them out.

    `columns` are those on the right, beside a margin with names (default: as many as there is room
    for). White cells at the end are left out.
    """
    h, w = size[0] + GAP, size[1] + GAP
    rows, columns = (sheet.shape[0] - GAP) // h, columns or (sheet.shape[1] - GAP) // w
    left = sheet.shape[1] - GAP - columns * w
    cut = sheet[GAP : GAP + rows * h, GAP + left :]
    cut = cut.reshape(rows, h, columns, w, -1).swapaxes(1, 2).reshape(rows * columns, h, w, -1)
    cut = cut[:, :-GAP, :-GAP]
    drawn = np.flatnonzero((cut < 255).any((1, 2, 3)))
    return cut[: drawn[-1] + 1] if len(drawn) else cut[:0]
