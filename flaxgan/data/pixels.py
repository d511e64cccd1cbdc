"""Pixels: of one picture of any kind, uint8 of the size asked for; and in networks, float32 in [-1,
1].
"""

import functools
import io

import jax.numpy as jnp
import numpy as np
from jax import Array
from PIL import ExifTags, Image, ImageCms, ImageOps

from flaxgan.data.depth import is_deep
from flaxgan.data.fit import FITS

Values = tuple[float, float]


def to_8_bit(picture: Image.Image, values: Values | None = None) -> Image.Image:
    """Reduce grey of more bits to 8. `values` are black and white: see data/depth.py.

    By default 0 and 65535, of floats 0 and 1. Pillow reads 16-bit PNGs as integers of 32 bits.
    """
    if not is_deep(picture.mode):
        return picture
    low, high = values or (0, 1 if picture.mode == "F" else 65535)
    scaled = (np.nan_to_num(np.asarray(picture, np.float64)) - low) * (255 / (high - low))
    return Image.fromarray(np.clip(scaled, 0, 255).round().astype(np.uint8))


def is_grey(picture: Image.Image) -> bool:
    """Tell whether a file's own colour mode is a grey one."""
    return picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I")


def upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as EXIF says, if that can be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # as with decoders, of damaged data anything is raised
        return picture


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def to_srgb(picture: Image.Image) -> Image.Image:
    """Convert colours by the ICC profile that a file carries, as those of telephones and scans do.

    Without one, or with a damaged one, they stay: most likely they are sRGB.
    """
    profile = picture.info.get("icc_profile") or b""
    known = b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
    if not profile or known or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    mode = "RGB" if picture.mode == "CMYK" else picture.mode
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, own, _srgb(), outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture


def to_mode(picture: Image.Image, channels: int, values: Values | None = None) -> Image.Image:
    """Return a picture upright, on white where transparent, as grey (1 channel) or RGB (3).

    Its colours are sRGB's.
    """
    picture = to_8_bit(upright(picture), values)
    if picture.mode == "RGB" and picture.has_transparency_data:
        picture = picture.convert("RGBA")  # a colour that is transparent is lost in conversion
    picture = to_srgb(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB").convert("L") if channels == 1 else picture.convert("RGB")


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Return (height, width), turned as EXIF says; decodes nothing."""
    height, width = picture.height, picture.width
    try:
        # Without "exif" it is TIFF, which Pillow itself turns, or a file whose pixels it would
        # decode to look for more.
        orientation = (
            picture.getexif().get(ExifTags.Base.Orientation, 1) if "exif" in picture.info else 1
        )
    except Exception:  # as in `upright`
        orientation = 1
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def to_pixels(
    picture: Image.Image,
    image_size: tuple[int, int],
    channels: int,
    fit: str = "crop",
    values: Values | None = None,
) -> np.ndarray:
    """Decode, and fit to image_size (height, width): uint8 (N, H, W, channels).

    N is 1 unless `fit` is tiles. `values`: as in to_8_bit.
    """
    height, width = image_size
    views = FITS[fit](to_mode(picture, channels, values), (width, height))
    return np.stack([np.asarray(view).reshape(height, width, channels) for view in views])


def preprocess(images: Array, mirrored: Array | None = None) -> Array:
    """Convert uint8 (N, H, W, C) to float32 in [-1, 1], mirrored where `mirrored` (N,) is true."""
    x = images.astype(jnp.float32) / 127.5 - 1
    return x if mirrored is None else jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def to_uint8(x: Array) -> Array:
    """Convert [-1, 1] to uint8, rounded: the inverse of preprocess."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)
