"""Flowers drawn by the project itself, so that the first run needs no network: ten species, 4,096
pictures.

Picture i is a function of i alone. It is drawn four times larger than 64x64 and shrunk by the
common resize, which antialiases it.
"""

import colorsys
import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from flaxgan.data.source import Source

NAME = "synthetic_flowers"
VERSION = 1  # raise it when the drawing changes
NUM_IMAGES = 4096
CANVAS = 256

Colour = tuple[int, int, int]
# (n, 2), x to the right and y down; flowers have radius 1 before they are placed
Points = np.ndarray


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


def _round(t):
    return np.sin(np.pi * t**1.7) ** 0.6


def _pointed(t):
    return np.sin(np.pi * t**0.8) * (1 - t**4)


def _cup(t):
    return np.sin(np.pi * t**0.75) ** 0.6 * (1 - t**5)


def _strap(t):
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


def _colour(hue: float, saturation: float, value: float) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(255 * r), round(255 * g), round(255 * b)


def _background(rng: np.random.Generator) -> Image.Image:
    """Out-of-focus foliage, sky or earth: a vertical gradient with soft blobs of neighbouring
    hues.
    """
    hue, saturation = [(0.30, 0.5), (0.36, 0.4), (0.24, 0.45), (0.55, 0.25), (0.10, 0.3)][
        rng.integers(5)
    ]
    top, bottom = rng.uniform(0.25, 0.75, 2)
    size = CANVAS // 4
    ramp = np.linspace(0, 1, size)[:, None, None]
    ends = [
        np.array(_colour(hue + rng.normal(0, 0.02), saturation, value)) for value in (top, bottom)
    ]
    picture = Image.fromarray(
        np.broadcast_to(ends[0] * (1 - ramp) + ends[1] * ramp, (size, size, 3)).astype(np.uint8)
    )
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(5, 12)):
        x, y, r = *rng.uniform(0, size, 2), rng.uniform(4, 14)
        draw.ellipse(
            (x - r, y - r, x + r, y + r),
            _colour(hue + rng.normal(0, 0.03), saturation, rng.uniform(0.2, 0.8)),
        )
    return picture.filter(ImageFilter.GaussianBlur(4)).resize(
        (CANVAS, CANVAS), Image.Resampling.BICUBIC
    )


def _petal(species: Species, width: float) -> Points:
    """Outline of a petal of length 1 that points along +x."""
    t = np.linspace(0, 1, 14)
    half = species.outline(t) * width
    tip = 1 - species.notch * np.exp(-((half / max(width, 1e-6)) ** 2) * 6) * (t > 0.8)
    upper = np.stack([t * tip, half], 1)
    return np.concatenate([upper, upper[::-1] * (1, -1)])


CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20)), np.sin(np.linspace(0, 2 * np.pi, 20))], 1)
LEAF = _petal(SPECIES[5], 0.22)


def _rotation(angle: float) -> np.ndarray:
    """points @ _rotation(angle) turns them from the x axis towards the y axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def draw(i: int) -> tuple[Image.Image, int]:
    """Picture i (256x256 RGB) and its species' index."""
    label = i % len(SPECIES)
    species = SPECIES[label]
    rng = np.random.default_rng((VERSION, i))
    picture = _background(rng)
    canvas = ImageDraw.Draw(picture)

    centre = CANVAS / 2 + rng.uniform(-16, 16, 2)
    radius = rng.uniform(78, 112)
    tilt, lean, turn = rng.uniform(0.72, 1.0), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    hue, saturation = rng.uniform(*species.hues), rng.uniform(*species.saturation)
    brightness, light = rng.uniform(0.85, 1.0), rng.uniform(0, 2 * np.pi)
    # The flower's own plane -> pixels: seen aslant, `tilt` of its true height along the direction
    # `lean`.
    plane = (
        radius * _rotation(lean) @ np.diag([1, 1 if species.side_view else tilt]) @ _rotation(-lean)
    )

    def polygon(points: Points, colour: Colour, transform: np.ndarray = plane) -> None:
        canvas.polygon((points @ transform + centre).ravel().tolist(), colour)

    def petal(outline: Points, angle: float, length: float) -> None:
        """A dark rim, the body, and two strokes inside it towards the shade of the throat."""
        shade = brightness * (1 - 0.14 * (1 - np.cos(angle - light)) + rng.normal(0, 0.02))
        transform = length * _rotation(angle) @ plane
        dark, pale = species.throat, max(0, -species.throat)
        for scale, depth in ((1.03, None), (1.0, 0.0), ((0.72, 0.7), 0.35), ((0.45, 0.5), 0.8)):
            value, fade = (
                (0.72 * shade, 0) if depth is None else (shade * (1 - depth * dark), depth * pale)
            )
            polygon(outline * scale, _colour(hue, saturation - fade, value), transform)

    def disc(radius: float, colour: Colour, at: Points | float = 0.0) -> None:
        polygon(CIRCLE * radius + at, colour)

    green = _colour(0.30 + rng.normal(0, 0.02), 0.6, rng.uniform(0.3, 0.5))
    canvas.line([*centre, *(centre + (rng.uniform(-40, 40), 2 * CANVAS))], green, 10)
    for angle in rng.choice([0.25, 0.8, 2.3, 2.9], rng.integers(1, 3), replace=False):
        polygon(LEAF, green, rng.uniform(100, 150) * _rotation(angle))

    if species.side_view:
        upright = -np.pi / 2 + rng.uniform(-0.25, 0.25)
        for angle in (-0.12, 0.12, -0.3, 0.3, 0.0):
            petal(_petal(species, species.width) @ _rotation(angle) * 1.5 - (0.7, 0), upright, 1.0)
        return picture, label

    for whorl, length in enumerate(species.whorls):
        outline = _petal(species, species.width * rng.uniform(0.92, 1.08))
        angles = turn + (np.arange(species.petals) + 0.5 * whorl) * 2 * np.pi / species.petals
        for angle in angles + rng.normal(0, 0.04, species.petals):
            petal(outline, angle, length * rng.uniform(0.94, 1.04))
    rim = tuple(int(c * 0.6) for c in species.heart)
    disc(species.heart_radius * 1.08, rim)
    disc(species.heart_radius, species.heart)
    if species.heart_radius > 0.25:  # florets, in the spiral of the golden angle
        for k in range(40):
            disc(
                0.03, rim, 0.95 * species.heart_radius * np.sqrt(k / 40) * _rotation(2.39996 * k)[0]
            )
    for k in range(species.stamens):
        tip = rng.uniform(0.3, 0.42) * _rotation(turn + k * 2 * np.pi / species.stamens)[0]
        canvas.line((np.stack([tip * 0.2, tip]) @ plane + centre).ravel().tolist(), rim, 4)
        disc(0.045, (240, 200, 90) if sum(species.heart) > 150 else (60, 50, 60), tip)
    return picture, label


def open_synthetic_flowers() -> Source:
    return Source(
        name=NAME,
        title=NAME,
        identity=NAME,
        fingerprint=[VERSION, NUM_IMAGES],
        length=NUM_IMAGES,
        read=draw,
        item_name=str,
        class_names=[species.name for species in SPECIES],
        channels=3,
        image_size=None,
        flip=True,
    )
