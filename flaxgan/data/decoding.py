"""Bytes -> an opened picture, and what is wrong with those that are none."""

import contextlib
import functools
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, features

from flaxgan.data.source import Unreadable

# Pillow refuses twice as many: by default 179 million, which the scan of a painting may have
MAX_PIXELS = 2**29
# The formats that people keep pictures in. Pillow knows more: some it decodes by starting another
# program (EPS, by Ghostscript), and what is rarely used is rarely tried.
FORMATS = {
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX"),
    *("PNG", "PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
}
# in Pillow, by its name: the brands that such a file has in bytes 4 to 12, what it is, and what
# reads it
MAY_BE_MISSING = {
    "HEIF": (
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        "in HEIC",
        "pip install pillow-heif",
    ),
    "AVIF": ((b"avif", b"avis"), "in AVIF", "pip install --upgrade pillow"),
}


@functools.cache
def picture_formats() -> tuple[str, ...]:
    """Set Pillow up; return the formats that it can decode.

    HEIC is among them where pillow-heif is installed.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    Image.preinit()
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    missing = set() if features.check("avif") else {"AVIF"}
    return tuple(name for name in Image.ID if name in FORMATS - missing)


def _unknown(start: bytes) -> Unreadable:
    """Return what is wrong with a file that Pillow doesn't know, by its first 12 bytes."""
    if not start:
        return Unreadable("empty")
    for name, (brands, kind, remedy) in MAY_BE_MISSING.items():
        if start[4:8] == b"ftyp" and start[8:] in brands:
            return (
                Unreadable("not decodable")
                if name in picture_formats()
                else Unreadable(kind, remedy)
            )
    return Unreadable("of no picture format")


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Turn whatever a decoder raises because of a picture's bytes into Unreadable.

    A lack of memory, and errors of the operating system, say nothing about the bytes and pass
    through.
    """
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders fail in any way they like
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if str(error).startswith("out of memory"):  # so Pillow says it in an OSError
            raise MemoryError(str(error)) from error
        raise Unreadable("not decodable", str(error).partition("\n")[0][:200]) from error


def open_picture(file: BinaryIO) -> Image.Image:
    """Open the picture in a file: its header is read, its pixels are not.

    Raises Unreadable if the file holds none.
    """
    with decoding():
        try:
            return Image.open(file, formats=picture_formats())
        except UnidentifiedImageError as error:
            file.seek(0)
            raise _unknown(file.read(12)) from error
