"""The ten species of the built-in flowers: how many petals, of which shape and colour."""

import dataclasses
from collections.abc import Callable

import numpy as np

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Species:
    name: str
    petals: int  # in a whorl
    # half width of a petal, 0 to 1, at distance t from its base, 0 to 1
    outline: Callable[[np.ndarray], np.ndarray]
    width: float  # the petal's half width over its length
    whorls: tuple[float, ...]  # their radii, outermost first
    hues: tuple[float, float]  # colour family: range of hue in turns,
    saturation: tuple[float, float]  # and of saturation
    heart: Colour
    heart_radius: float
    notch: float = 0.0  # depth of the cut in a petal's tip
    stamens: int = 0
    throat: float = 0.0  # how far the petals darken (below 0: lighten) towards the heart
    side_view: bool = False


def _round(t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * t**1.7) ** 0.6


def _pointed(t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * t**0.8) * (1 - t**4)


def _cup(t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * t**0.75) ** 0.6 * (1 - t**5)


def _strap(t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * t**1.2) ** 0.4


SPECIES = (
    Species("daisy", 18, _strap, 0.13, (1.0,), (0.10, 0.16), (0.0, 0.08), (245, 190, 30), 0.30),
    Species(
        "sunflower",
        17,
        _pointed,
        0.19,
        (1.0, 0.86),
        (0.115, 0.15),
        (0.85, 1.0),
        (85, 48, 20),
        0.42,
        throat=0.15,
    ),
    Species(
        "poppy",
        4,
        _round,
        0.80,
        (1.0,),
        (-0.02, 0.03),
        (0.85, 1.0),
        (35, 25, 35),
        0.20,
        stamens=16,
        throat=0.5,
    ),
    Species(
        "rose",
        6,
        _round,
        0.62,
        (1.0, 0.8, 0.6, 0.4),
        (0.90, 0.97),
        (0.5, 0.85),
        (140, 25, 60),
        0.12,
        throat=0.45,
    ),
    Species(
        "forget-me-not",
        5,
        _round,
        0.52,
        (1.0,),
        (0.56, 0.62),
        (0.45, 0.75),
        (250, 215, 70),
        0.20,
        throat=-0.3,
    ),
    Species(
        "lily",
        6,
        _pointed,
        0.30,
        (1.0,),
        (0.05, 0.09),
        (0.8, 1.0),
        (175, 200, 80),
        0.10,
        stamens=6,
        throat=0.3,
    ),
    Species(
        "tulip",
        3,
        _cup,
        0.34,
        (1.0,),
        (0.76, 0.82),
        (0.45, 0.8),
        (0, 0, 0),
        0.0,
        throat=0.35,
        side_view=True,
    ),
    Species(
        "cherry",
        5,
        _round,
        0.50,
        (1.0,),
        (0.93, 0.98),
        (0.12, 0.3),
        (200, 80, 110),
        0.10,
        0.16,
        12,
        throat=0.25,
    ),
    Species(
        "lotus",
        8,
        _pointed,
        0.30,
        (1.0, 0.78, 0.55),
        (0.84, 0.89),
        (0.3, 0.6),
        (250, 205, 80),
        0.17,
        throat=-0.5,
    ),
    Species(
        "gentian",
        5,
        _pointed,
        0.45,
        (1.0,),
        (0.64, 0.70),
        (0.7, 0.95),
        (235, 235, 250),
        0.13,
        throat=0.4,
    ),
)
