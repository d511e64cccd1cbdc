"""Fonts for names in any script: matplotlib's own, another of the system, or numbers of letters."""

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def import_matplotlib() -> Any:
    """Import matplotlib whatever MPLBACKEND names, a notebook's own say; no file needs a backend.

    It takes half a second, for which no start is to wait.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return matplotlib


def _own() -> Path:
    return Path(import_matplotlib().get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """Return what letters a font has; none if it can't be opened."""
    import_matplotlib()
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except Exception:  # fonts are damaged in any way they like
        return frozenset()


@functools.cache
def _having(letters: frozenset[int]) -> str | None:
    """Return the path of a font of the system that has these letters, if there is one."""
    import_matplotlib()
    from matplotlib.font_manager import fontManager

    # but that of boxes, which says of each letter alone that it lacks
    paths = [entry.fname for entry in fontManager.ttflist if "LastResort" not in entry.fname]
    return next((path for path in paths if letters <= _letters(path)), None)


def _lacking(text: str) -> frozenset[int]:
    return frozenset(map(ord, text)) - _letters(str(_own())) - {ord("\n")}


def legible(text: str) -> str:
    """Return a text with each letter that matplotlib's font lacks as its number, as \\u82b1."""
    lacking = _lacking(text)
    return "".join(
        c.encode("ascii", "backslashreplace").decode() if ord(c) in lacking else c for c in text
    )


def font_for(names: Iterable[str], size: float) -> tuple[Font, list[str]]:
    """Return a font that has the letters of all names, and the names as it can write them.

    Letters that no font has are numbers, so that names can still be told apart. Where matplotlib
    fails, it is Pillow's font, of Latin.
    """
    names = [*names]
    try:
        text = "".join(names)
        path: str | None = str(_own())
        if _lacking(text):
            path = _having(frozenset(map(ord, text)))
        if path is None:
            return ImageFont.truetype(str(_own()), size), [*map(legible, names)]
        return ImageFont.truetype(path, size), names
    except Exception:  # matplotlib fails in any way it likes
        return ImageFont.load_default(size), names
