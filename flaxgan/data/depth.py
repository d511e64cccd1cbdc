"""Grey pictures of more than 8 bits, or of floats: what values a set of them holds."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from flaxgan.data.decoding import decoding
from flaxgan.data.source import Unreadable

SAMPLED = 64  # pictures that are looked at
BITS = (8, 10, 12, 14, 16)  # that cameras and scanners have


def is_deep(mode: str) -> bool:
    """Tell whether a picture of this mode has more than 8 bits a value."""
    return mode == "F" or mode.startswith("I")


def guessed(read: Callable[[int], Image.Image], num: int) -> tuple[float, float] | None:
    """Return the values that are black and white in `num` pictures, or None if they have 8 bits.

    Guessed from some pictures of all the set: a 16-bit file may hold what a camera of 12 bits saw.
    """
    least, most, floats = np.inf, -np.inf, False
    for i in np.unique(np.linspace(0, num - 1, SAMPLED).astype(int)).tolist():
        try:
            picture = read(i)
            if not is_deep(picture.mode):
                continue
            with decoding():
                values = np.asarray(picture)
        except Unreadable:
            continue
        floats |= picture.mode == "F"
        values = values[np.isfinite(values)] if floats else values
        if values.size:
            least, most = min(least, values.min()), max(most, values.max())
    if most < least:
        return None
    if floats:
        usual: list[tuple[float, float]] = [(0, 1), (-1, 1), (0, 255), (0, 65535)]
    else:
        usual = [(0, 2**bits - 1) for bits in BITS]
    fitting = [(low, high) for low, high in usual if low <= least and most <= high]
    return fitting[0] if fitting else (float(least), float(max(most, least + 1)))


def values_line(low: float, high: float) -> str:
    """Say what is black and white in pictures of more than 8 bits."""
    return (
        f"in pictures of more than 8 bits {low:g} is black and {high:g} white; --range LOW,HIGH"
        " says otherwise"
    )
