"""Sentences about the built-in flowers, made of the very numbers that draw them."""

import colorsys
import functools
import re
from collections.abc import Sequence

import numpy as np

from flaxgan.data.source import Source
from flaxgan.data.species import SPECIES, Colour, Species
from flaxgan.data.synthetic import NAME as NAME
from flaxgan.data.synthetic import NUM_IMAGES, VERSION, Flower, draw, flower

WHOLE, PART = 2, 1  # sentences of each picture: that say all, and that say some
WORDS = 1  # beside VERSION and a picture's number: the chances of its sentences
NUMBERS = {4: "four", 5: "five", 6: "six"}
SHAPES = {"_round": "round", "_pointed": "pointed", "_cup": "cupped", "_strap": "narrow"}
BACKGROUNDS = ("green", "teal", "olive", "grey blue", "brown")  # as synthetic.BACKGROUNDS
# of a hue, in turns from 0 to 1: from where on it is called so
HUES = (
    *((0.98, "red"), (0.83, "pink"), (0.72, "purple"), (0.5, "blue"), (0.2, "green")),
    *((0.1, "yellow"), (0.04, "orange"), (0.0, "red")),
)
ATTRIBUTES = {  # what sentences say of a flower, and what can be told of its picture
    "number": ("four", "five", "six", "many"),
    "shape": tuple(SHAPES.values()),
    "colour": ("white", "yellow", "orange", "red", "pink", "purple", "blue"),
    "background": BACKGROUNDS,
}
SAY_ALL = (
    "{number} {shape} {colour} petals {on} {background}",
    "a {size}{flower} with {number} {shape} {colour} petals {on} a {background} background",
    "{number} {shape} petals, all of them {colour}, {on} {background}",
    "a {size}{flower} of {number} {shape} petals in {colour}, {background} behind it",
    "the petals are {shape} and {colour}, {number} in all; the background is {background}",
    "{colour} petals, {number} {shape} ones, {on} {background}",
    "a {background} background, a {size}{flower}: {number} {colour} petals that are {shape}",
    "{number} {shape} {colour} petals {heart}, {on} {background}",
)
SAY_SOME = (
    "the petals of this {flower} are {colour}",
    "a {flower} in {colour} {on} {background}",
    "{number} {shape} petals",
    "{number} {colour} petals {heart}",
    "a {size}{flower} {on} a {background} background",
    "{shape} petals in {colour}",
)
FLOWERS, ON = ("flower", "blossom", "bloom"), ("on", "against", "in front of")


def _family(colour: Colour) -> str:
    """Return what the colour of a heart is called."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    if value < 0.2 or saturation < 0.1:
        return "black" if value < 0.2 else "white"
    if hue < 0.1 and value < 0.5:
        return "brown"
    return next(name for start, name in HUES if hue >= start)


def _heart(species: Species) -> str:
    if not species.heart_radius:
        return "without a heart that can be seen"
    return f"around a {_family(species.heart)} heart"


def attributes(shown: Flower) -> dict[str, str]:
    """Return what a picture shows: one of each of ATTRIBUTES."""
    species = shown.species
    # from the side five are seen, one before the others
    petals = 5 if species.side_view else species.petals * len(species.whorls)
    hue = next(name for start, name in HUES if shown.hue % 1 >= start)
    return {
        "number": NUMBERS.get(petals, "many"),
        "shape": SHAPES[species.outline.__name__],
        "colour": "white" if shown.saturation < 0.1 else hue,
        "background": BACKGROUNDS[shown.background.kind],
    }


def _said(shown: Flower, template: str, rng: np.random.Generator) -> str:
    """Fill a template in, with how pale, dark and large things are at times."""
    words = attributes(shown)
    if words["colour"] != "white" and rng.integers(2):
        tones = ((0.35, "pale "), (0.85, ""), (2, "bright "))
        tone = next(name for limit, name in tones if shown.saturation < limit)
        words["colour"] = tone + words["colour"]
    if rng.integers(2):
        tones = ((0.43, "dark "), (0.57, ""), (2, "light "))
        value = sum(shown.background.values) / 2
        tone = next(name for limit, name in tones if value < limit)
        words["background"] = tone + words["background"]
    sizes = ((88, "small "), (102, ""), (200, "large "))
    size = next(name for limit, name in sizes if shown.radius < limit)
    chosen = {"flower": FLOWERS[rng.integers(3)], "on": ON[rng.integers(3)]}
    said = template.format(**words, **chosen, size=size, heart=_heart(shown.species))
    return re.sub(r"\ba (?=[aeiou])", "an ", said)


def sentences(i: int) -> Sequence[str]:
    """Return sentences about image i, each in other words: the first WHOLE of them say all."""
    shown, _ = flower(i)
    rng = np.random.default_rng((VERSION, i, WORDS))
    ways = [*rng.permutation(SAY_ALL)[:WHOLE], *rng.permutation(SAY_SOME)[:PART]]
    return [_said(shown, str(way), rng) for way in ways]


def held(i: int) -> bool:
    """Tell whether image i is kept from a run that learns sentences, to be asked for once trained.

    Each species is held out on one of the backgrounds, each background of two species.
    """
    return flower(i)[0].background.kind == (2 * (i % len(SPECIES)) + 1) % len(BACKGROUNDS)


@functools.cache
def held_out() -> tuple[int, ...]:
    """Return the numbers of the images that are held out."""
    return tuple(filter(held, range(NUM_IMAGES)))


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
        captions=sentences,
        held=held,
    )
