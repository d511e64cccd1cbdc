"""Grey pictures of more than 8 bits, or of floats: what values a set of them holds."""

import numpy as np

from flaxgan.data.decoding import decoding
from flaxgan.data.source import Source, Unreadable

SAMPLED = 64  # pictures that are looked at
BITS = (8, 10, 12, 14, 16)  # that cameras and scanners have


def is_deep(mode: str) -> bool:
    """Tell whether a picture of this mode has more than 8 bits a value."""
    return mode == "F" or mode.startswith("I")


def guessed(source: Source) -> tuple[float, float] | None:
    """Return the values that are black and white, or None if the pictures have 8 bits.

    Guessed from some pictures of all the set: a 16-bit file may hold what a camera of 12 bits saw.
    """
    least, most, floats = np.inf, -np.inf, False
    for i in np.unique(np.linspace(0, len(source) - 1, SAMPLED).astype(int)).tolist():
        try:
            picture, _ = source.read(i)
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
