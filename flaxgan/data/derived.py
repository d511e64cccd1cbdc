"""--source: what a translator's source is made into of the picture itself, so that no pairs are
needed. Each function maps uint8 (N, H, W, C) to uint8 (N, H, W, 1 or C), and is a line in DERIVED.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image, ImageFilter

from flaxgan.pretrained import hed as network
from flaxgan.system.bars import progress_bar
from flaxgan.system.files import cache_dir
from flaxgan.system.seals import sealed_array

VERSION = 2  # part of the cache's names: raise it when a function changes
CHUNK = 256  # pictures at once
LOW, HIGH = 12.0, 28.0  # of the gradient, in grey levels per pixel: weak and strong edges
SMALLEST, LARGEST = 0.3, 0.55  # share of each side that is masked
HED_SIDE, HED_BATCH = 128, 8  # pixels of the shorter side, at least; pictures at once
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16


class Derived(NamedTuple):
    """How a source is made, and how many channels it has; None: as many as the picture."""

    make: Callable[[np.ndarray], np.ndarray]
    channels: int | None = None


def grey(images: np.ndarray) -> np.ndarray:
    """Return the luma (ITU-R 601), as Pillow's conversion to L has it: uint8 (N, H, W, 1)."""
    if images.shape[-1] == 1:
        return images
    weights = np.array([19595, 38470, 7471], np.int64)
    return ((images.astype(np.int64) @ weights + 32768) >> 16)[..., None].astype(np.uint8)


def blur(images: np.ndarray) -> np.ndarray:
    """Blur by a Gaussian whose standard deviation is a sixteenth of the shorter side."""
    radius = min(images.shape[1:3]) / 16
    blurred = [
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).filter(
            ImageFilter.GaussianBlur(radius)
        )
        for image in images
    ]
    return np.stack([np.asarray(picture) for picture in blurred]).reshape(images.shape)


def mask(images: np.ndarray) -> np.ndarray:
    """Grey out a rectangle of each picture, whose place and size follow from its pixels."""
    masked = images.copy()
    height, width = images.shape[1:3]
    for image in masked:
        rng = np.random.default_rng(int.from_bytes(image.tobytes()[::97][:64], "little"))
        h, w = (int(side * rng.uniform(SMALLEST, LARGEST)) for side in (height, width))
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        image[top : top + h, left : left + w] = 127
    return masked


def edges(images: np.ndarray) -> np.ndarray:
    """Draw edges in black on white: uint8 (N, H, W, 1) (Canny 1986).

    A Gaussian of 5x5, Sobel's gradient, at each pixel of the channel where it is largest, its
    ridges one pixel wide, and of the weak ones those that are connected to a strong one.
    """
    smooth = _filtered(_filtered(images.astype(np.float64), SMOOTH, 1), SMOOTH, 2)
    gradients = [
        _filtered(_filtered(smooth, np.array([-1, 0, 1]) / 2, axis), np.array([1, 2, 1]) / 4, other)
        for axis, other in ((1, 2), (2, 1))
    ]
    largest = np.hypot(*gradients).argmax(-1)[..., None]
    down, right = (np.take_along_axis(x, largest, -1)[..., 0] for x in gradients)
    size = np.hypot(down, right)
    ridge = _ridges(size, down, right)
    strong, weak = ridge & (size >= HIGH), ridge & (size >= LOW)
    while (grown := _dilated(strong) & weak).sum() > strong.sum():
        strong = grown
    return np.where(strong, 0, 255).astype(np.uint8)[..., None]


def _filtered(x: np.ndarray, taps: np.ndarray, axis: int) -> np.ndarray:
    """Correlate along an axis, the edge pixels repeated."""
    half, length = len(taps) // 2, x.shape[axis]
    padded = np.pad(x, [(half, half) if i == axis else (0, 0) for i in range(x.ndim)], "edge")
    return sum(
        tap * padded.take(range(k, k + length), axis) for k, tap in enumerate(taps.tolist()) if tap
    )


def _neighbour(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return for each pixel its neighbour that many rows and columns away; 0 outside."""
    h, w = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 1 + down : 1 + down + h, 1 + right : 1 + right + w]


def _ridges(size: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Tell which pixels' gradients are the largest along their own direction."""
    octant = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    found = np.zeros(size.shape, bool)
    for number, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        largest = (size > _neighbour(size, -dy, -dx)) & (size >= _neighbour(size, dy, dx))
        found |= (octant == number) & largest
    return found


def _dilated(x: np.ndarray) -> np.ndarray:
    """Spread True to the eight neighbours."""
    rows = x | _neighbour(x, -1, 0) | _neighbour(x, 1, 0)
    return rows | _neighbour(rows, 0, -1) | _neighbour(rows, 0, 1)


def hed(images: np.ndarray) -> np.ndarray:
    """Draw edges dark on white, as sure as they are: uint8 (N, H, W, 1) (pretrained/hed.py).

    Pictures under HED_SIDE pixels are enlarged before. Raises UserError without the network.
    """
    n, h, w, _ = images.shape
    size = [side * -(-HED_SIDE // min(h, w)) for side in (h, w)]
    find, found = _hed(), np.empty((n, h, w, 1), np.uint8)
    for start in progress_bar(range(0, n, HED_BATCH), desc="edges by hed", unit="batch"):
        part = images[start : start + HED_BATCH]
        large = enlarged(np.resize(part, (HED_BATCH, *part.shape[1:])), (size[0], size[1]), 3)
        drawn = np.asarray(255 * (1 - find(large.astype(np.float32)))).astype(np.uint8)
        found[start : start + HED_BATCH] = _resized(drawn, (w, h))[: len(part)]
    return found


@functools.cache
def _hed() -> Callable[[np.ndarray], Any]:
    return jax.jit(functools.partial(network.edges, network.load()))


DERIVED = {
    "edges": Derived(edges, 1),
    "hed": Derived(hed, 1),
    "grey": Derived(grey, 1),
    "blur": Derived(blur),
    "mask": Derived(mask),
}


def enlarged(images: np.ndarray, size: tuple[int, ...], channels: int) -> np.ndarray:
    """Enlarge uint8 pictures bicubically to (height, width); grey is repeated for 3 channels."""
    height, width = size
    if images.shape[1:3] != (height, width):
        images = _resized(images, (width, height))
    return images.repeat(channels, -1) if images.shape[-1] < channels else images


def smaller(images: np.ndarray, scale: int) -> np.ndarray:
    """Shrink by a whole factor with an antialiased bicubic filter: (N, H/scale, W/scale, C)."""
    return _resized(images, (images.shape[2] // scale, images.shape[1] // scale))


def _resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize by Pillow's bicubic filter, which antialiases where it shrinks, to (width, height)."""
    n, _, _, c = images.shape
    pictures = [
        Image.fromarray(image.squeeze(-1) if c == 1 else image).resize(
            size, Image.Resampling.BICUBIC
        )
        for image in images
    ]
    return np.stack([np.asarray(picture) for picture in pictures]).reshape(n, *size[::-1], c)


def derived(
    images: np.ndarray, make: Callable[[np.ndarray], np.ndarray], name: str, sha256: str
) -> np.ndarray:
    """Return what `make` makes of the images, from the cache if it is there: a memory map.

    `name` and the images' `sha256` are its key. Raises UserError if it can't be kept.
    """
    path = cache_dir() / "derived" / f"{name}-{VERSION}-{len(images)}-{sha256[:32]}.npy"

    def made() -> np.ndarray:
        starts = range(0, len(images), CHUNK)
        return np.concatenate([make(np.asarray(images[i : i + CHUNK])) for i in starts])

    return sealed_array(path, made, "what sources are made of")
