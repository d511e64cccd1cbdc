"""How files are damaged."""

from pathlib import Path

import numpy as np


def damage(path: Path, rng: np.random.Generator) -> None:
    """Flip a bit, cut, lengthen, overwrite or remove a file."""
    whole = path.read_bytes()
    place = int(rng.integers(len(whole))) if whole else 0
    match rng.choice(["flip", "flip", "flip", "cut", "more", "noise", "remove"]):
        case "flip" if whole:
            broken = bytearray(whole)
            broken[place] ^= 1 << rng.integers(8)
            path.write_bytes(broken)
        case "cut":
            path.write_bytes(whole[:place])
        case "more":
            path.write_bytes(whole + rng.bytes(9))
        case "noise":
            path.write_bytes(whole[:place] + rng.bytes(len(whole) - place))
        case _:
            path.unlink()
