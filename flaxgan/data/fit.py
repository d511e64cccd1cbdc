"""--fit: how a picture of other proportions becomes one, or several, of the size asked for.

Sizes are (width, height), as Pillow's.
"""

import math

import numpy as np
from PIL import Image, ImageOps

Size = tuple[int, int]

MOST_TILES = 8  # of a picture
SLACK = 0.05  # of a tile: so much is rather cut off than given a tile of its own
FILTER = Image.Resampling.LANCZOS


def crop(picture: Image.Image, size: Size) -> list[Image.Image]:
    """Cut its middle out."""
    return [ImageOps.fit(picture, size, FILTER)]


def stretch(picture: Image.Image, size: Size) -> list[Image.Image]:
    """Resize it, whatever becomes of its proportions."""
    return [picture.resize(size, FILTER)]


def pad(picture: Image.Image, size: Size) -> list[Image.Image]:
    """Show all of it, between two bars, each in the mean colour of the edge that it touches.

    A colour that were the same for all pictures would frame them with sharp edges, the easiest of
    all things to tell real pictures by; a bar that goes on with its neighbour's colour is as near
    to none as one can be that repeats nothing.
    """
    scale = min(size[0] / picture.width, size[1] / picture.height)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    inner = picture.resize((width, height), FILTER)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    first = (0, 0, width if width == size[0] else 1, height if height == size[1] else 1)
    last = (width - first[2], height - first[3], width, height)
    padded = Image.new(inner.mode, size)
    for edge, start in ((first, (0, 0)), (last, (left, top))):
        mean = inner.resize((1, 1), Image.Resampling.BOX, edge)
        padded.paste(mean.resize(size), start)
    padded.paste(inner, (left, top))
    return [padded]


def tiles(picture: Image.Image, size: Size) -> list[Image.Image]:
    """Cut a long picture into as many as it takes to show all of it, evenly spread.

    They touch or overlap; a panorama 3:1 is 3.
    """
    ratio = picture.width * size[1] / (picture.height * size[0])
    count = min(MOST_TILES, max(1, math.ceil(max(ratio, 1 / ratio) - SLACK)))
    places = np.linspace(0, 1, count).tolist() if count > 1 else [0.5]
    return [ImageOps.fit(picture, size, FILTER, centering=(place, place)) for place in places]


FITS = {"crop": crop, "pad": pad, "stretch": stretch, "tiles": tiles}


def enlargement(picture_size: Size, size: Size, fit: str) -> float:
    """Return the factor by which the side that grows more grows; below 1 if both shrink."""
    growths = [wanted / side for wanted, side in zip(size, picture_size, strict=True)]
    return min(growths) if fit == "pad" else max(growths)
