"""A first look at a source, by a few of its pictures: how large they are, and whether they are
drawings.
"""

import contextlib
import dataclasses
import statistics
from collections.abc import Iterator

import numpy as np
from PIL import Image

from flaxgan.data.decoding import decoding
from flaxgan.data.pixels import to_mode, upright_size
from flaxgan.data.source import Source, Unreadable

MOST = 48  # pictures whose sizes are looked at
MOST_DECODED = 24  # pictures whose pixels are, while they have
MOST_PIXELS = 2**24  # fewer than this together
# JPEGs are decoded at half, a quarter or an eighth of their size, if they are still as large as
# this
DRAFT = (256, 256)
FLAT = 0.5  # a drawing: more than this share of its pixels equal their neighbour,
# and of those that don't, fewer than this share have a colour of their own; an object on white has
# more
FEW = 0.4
COLOURS = 4096  # pixels among which that is counted, as a large photograph repeats its colours


@dataclasses.dataclass(frozen=True)
class Survey:
    # median height and median width, upright; None if no picture could be read
    size: tuple[int, int] | None
    drawn: bool  # drawings or icons, in flat colours, rather than photographs or paintings


def _is_drawn(picture: Image.Image) -> bool:
    picture.draft("RGB", DRAFT)  # of nothing but JPEG
    pixels = np.asarray(to_mode(picture, 3)).astype(np.uint32) @ np.array(
        [2**16, 2**8, 1], np.uint32
    )
    differs = pixels[:, 1:] != pixels[:, :-1]
    if not differs.any() or differs.mean() >= 1 - FLAT:
        return False
    colours = pixels[:, 1:][differs]
    colours = colours[:: -(-len(colours) // COLOURS)]
    return len(np.unique(colours)) < FEW * len(colours)


def _pictures(source: Source, most: int) -> Iterator[Image.Image]:
    """Yield some pictures that are evenly spread over the source, always the same.

    Files that hold none are passed over.
    """
    for i in np.unique(np.linspace(0, len(source) - 1, most).round().astype(int)).tolist():
        with contextlib.suppress(Unreadable):
            yield source.read(i)[0]


def survey(source: Source) -> Survey:
    """Look at a few of its pictures; those that can't be decoded count for nothing.

    Raises UserError if a drive fails.
    """
    sizes = (
        [source.image_size] if source.image_size else [*map(upright_size, _pictures(source, MOST))]
    )
    drawn: list[bool] = []
    pixels = 0
    for picture in _pictures(source, MOST_DECODED):
        if pixels >= MOST_PIXELS:
            break
        with contextlib.suppress(Unreadable, MemoryError), decoding():
            drawn.append(_is_drawn(picture))
            pixels += picture.width * picture.height
    return Survey(_median(sizes), 2 * sum(drawn) > len(drawn))


def _median(sizes: list[tuple[int, int]]) -> tuple[int, int] | None:
    if not sizes:
        return None
    height, width = (round(statistics.median(sides)) for sides in zip(*sizes, strict=True))
    return height, width
