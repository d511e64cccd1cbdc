"""Flowers drawn by flaxgan itself, so that the first run needs no network: 4,096 images.

Picture i is a function of i alone. It is drawn four times larger than 64x64 and shrunk by the
common resize, which antialiases it.
"""

import colorsys
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from flaxgan.data.species import SPECIES, Colour, Species

NAME = "synthetic_flowers"
VERSION = 1  # raise it when the drawing changes
NUM_IMAGES = 4096
CANVAS = 256

# (n, 2), x to the right and y down; flowers have radius 1 before they are placed
Points = np.ndarray


def _colour(hue: float, saturation: float, value: float) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(255 * r), round(255 * g), round(255 * b)


BACKGROUNDS = ((0.30, 0.5), (0.36, 0.4), (0.24, 0.45), (0.55, 0.25), (0.10, 0.3))


class Background(NamedTuple):
    """Foliage, sky or earth out of focus: a vertical gradient with soft blobs."""

    kind: int  # of BACKGROUNDS, which are hue and saturation
    values: tuple[float, float]  # how bright it is at the top and at the bottom, 0 to 1
    ends: list[Colour]
    blobs: list[tuple[float, float, float, Colour]]  # x, y, radius


def _background(rng: np.random.Generator) -> Background:
    kind = int(rng.integers(5))
    hue, saturation = BACKGROUNDS[kind]
    top, bottom = rng.uniform(0.25, 0.75, 2)
    ends = [_colour(hue + rng.normal(0, 0.02), saturation, value) for value in (top, bottom)]
    blobs = []
    for _ in range(rng.integers(5, 12)):
        x, y, r = *rng.uniform(0, CANVAS // 4, 2), rng.uniform(4, 14)
        colour = _colour(hue + rng.normal(0, 0.03), saturation, rng.uniform(0.2, 0.8))
        blobs.append((x, y, r, colour))
    return Background(kind, (top, bottom), ends, blobs)


def _painted(background: Background) -> Image.Image:
    size, ends = CANVAS // 4, np.array(background.ends)
    ramp = np.linspace(0, 1, size)[:, None, None]
    picture = Image.fromarray(
        np.broadcast_to(ends[0] * (1 - ramp) + ends[1] * ramp, (size, size, 3)).astype(np.uint8)
    )
    draw = ImageDraw.Draw(picture)
    for x, y, r, colour in background.blobs:
        draw.ellipse((x - r, y - r, x + r, y + r), colour)
    return picture.filter(ImageFilter.GaussianBlur(4)).resize(
        (CANVAS, CANVAS), Image.Resampling.BICUBIC
    )


def _petal(species: Species, width: float) -> Points:
    """Return the outline of a petal of length 1 that points along +x."""
    t = np.linspace(0, 1, 14)
    half = species.outline(t) * width
    tip = 1 - species.notch * np.exp(-((half / max(width, 1e-6)) ** 2) * 6) * (t > 0.8)
    upper = np.stack([t * tip, half], 1)
    return np.concatenate([upper, upper[::-1] * (1, -1)])


CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 20)), np.sin(np.linspace(0, 2 * np.pi, 20))], 1)
LEAF = _petal(SPECIES[5], 0.22)


def _rotation(angle: float) -> np.ndarray:
    """Return the matrix by which points @ it are turned from the x axis towards the y axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


class Flower(NamedTuple):
    """What decides how a picture looks, but for small chances of each petal."""

    species: Species
    background: Background
    centre: np.ndarray  # (2,), in pixels of the canvas, as the radius is
    radius: float
    hue: float  # of the petals, in turns; may be below 0
    saturation: float
    view: tuple[float, float, float]  # tilt, its direction, and how far the flower is turned


def flower(i: int) -> tuple[Flower, np.random.Generator]:
    """Return what image i shows, and the generator of the chances that are left to draw it."""
    species = SPECIES[i % len(SPECIES)]
    rng = np.random.default_rng((VERSION, i))
    background = _background(rng)
    centre = CANVAS / 2 + rng.uniform(-16, 16, 2)
    radius = rng.uniform(78, 112)
    view = rng.uniform(0.72, 1.0), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    hue, saturation = rng.uniform(*species.hues), rng.uniform(*species.saturation)
    return Flower(species, background, centre, radius, hue, saturation, view), rng


def draw(i: int) -> tuple[Image.Image, int]:
    """Draw image i (256x256 RGB); return it and its species' index."""
    label = i % len(SPECIES)
    (species, background, centre, radius, hue, saturation, view), rng = flower(i)
    tilt, lean, turn = view
    picture = _painted(background)
    canvas = ImageDraw.Draw(picture)
    brightness, light = rng.uniform(0.85, 1.0), rng.uniform(0, 2 * np.pi)
    # The flower's own plane -> pixels: seen aslant, `tilt` of its true height along the direction
    # `lean`.
    plane = (
        radius * _rotation(lean) @ np.diag([1, 1 if species.side_view else tilt]) @ _rotation(-lean)
    )

    def polygon(points: Points, colour: Colour, transform: np.ndarray = plane) -> None:
        canvas.polygon((points @ transform + centre).ravel().tolist(), colour)

    def petal(outline: Points, angle: float, length: float) -> None:
        """Draw a dark rim, the body, and two strokes inside it, shaded towards the throat."""
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
    r, g, b = species.heart
    rim = int(r * 0.6), int(g * 0.6), int(b * 0.6)
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
