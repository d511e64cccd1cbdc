"""Pictures that are arrays already: in memory, or in a .npy or .npz file."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from flaxgan.data.reading import printable
from flaxgan.data.source import Source
from flaxgan.system.arrays import UNREADABLE
from flaxgan.system.errors import UserError
from flaxgan.system.files import cache_dir, replacing

SUFFIXES = (".npy", ".npz")


class Arrays(NamedTuple):
    """A checked set of pictures."""

    images: np.ndarray  # uint8 (N, H, W, 1 or 3)
    labels: np.ndarray  # int32 (N,), indices into class_names; zeros if there are none
    class_names: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the digest of the pictures, and of their classes if they have any."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        if self.class_names:
            digest.update(self.labels.tobytes())
            digest.update("\0".join(self.class_names).encode(errors="surrogatepass"))
        return digest.hexdigest()


def is_array_file(path: str | Path) -> bool:
    """Tell whether a path names a file of arrays."""
    return Path(path).suffix.lower() in SUFFIXES


def checked(
    images: Any, labels: Any = None, class_names: Sequence[str] = (), where: str = "the array"
) -> Arrays:
    """Return pictures as they are used here.

    `labels`: class numbers from 0, (N,); `class_names`: theirs, if they have any.

    Raises UserError, which names `where` they come from, for another dtype or shape, or for labels
    without a picture or class.
    """
    images = np.asanyarray(images)
    found = f"{where} is {images.dtype} {images.shape}"
    if images.ndim == 3:
        images = images[..., None]
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[-1] not in (1, 3)
        or 0 in images.shape
    ):
        raise UserError(f"{found}; write pictures as uint8 (N, H, W, 3) or (N, H, W), 0 to 255")
    names = tuple(map(str, class_names))
    if labels is None:
        if names:
            raise UserError(
                f"{where} has names of classes, and no labels that say which picture is of which;"
                " give both"
            )
        return Arrays(images, np.zeros(len(images), np.int32))
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu" or numbers.shape != (len(images),):
        raise UserError(
            f"the labels of {where} are {numbers.dtype} {numbers.shape}; give a whole number for"
            " each picture"
        )
    most = len(names) or len(images)
    if numbers.min() < 0 or numbers.max() >= most:
        raise UserError(
            f"the labels of {where} go from {numbers.min()} to {numbers.max()}; number the"
            f" {most if names else ''} classes from 0"
            + (f" to {most - 1}" if names else ", as many as there are pictures at most")
        )
    names = names or tuple(map(str, range(numbers.max() + 1)))
    if len(names) < 2:  # as with a folder, one class is none
        return Arrays(images, np.zeros(len(images), np.int32))
    return Arrays(images, numbers.astype(np.int32), names)


def read_arrays(path: Path) -> Arrays:
    """Read a .npy of images (memory-mapped), or a .npz of `images`, `labels` and `class_names`.

    The last two may be missing; the first may be called arr_0, or anything if it is alone. Raises
    UserError if it can't be read or holds anything else.
    Nothing is unpickled.
    """
    where = printable(path)
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return checked(content, where=where)
        with content:
            alone = content.files if len(content.files) == 1 else []
            found = [name for name in ("images", "arr_0", *alone) if name in content]
            if not found:
                raise UserError(
                    f"{where} has no array 'images' (it has"
                    f" {', '.join(map(printable, content)) or 'none'})"
                )
            labels, names = content.get("labels"), content.get("class_names")
            images = content[found[0]]
            return checked(images, labels, () if names is None else names.tolist(), where)
    except UserError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"can't read {where} as an array of pictures: {reason}") from error


def open_array(path: Path, if_missing: str = "") -> Source:
    """Open a file of arrays as a data set.

    Raises UserError as read_arrays does; `if_missing`: what to do if it is not there.
    """
    if not path.is_file():
        raise UserError(f"there is no file {printable(path)}{if_missing}")
    path = path.resolve()
    arrays, status = read_arrays(path), path.stat()
    return source_of(
        arrays,
        name=path.stem[:48],
        title=printable(path),
        identity=str(path),
        fingerprint=[status.st_size, status.st_mtime_ns],
    )


def source_of(arrays: Arrays, **naming: Any) -> Source:
    """Return arrays as a data set; `naming`: what a Source is called, and told from others, by."""
    images, labels, class_names = arrays
    height, width, channels = images.shape[1:]

    def read(i: int) -> tuple[Image.Image, int]:
        return Image.fromarray(images[i].squeeze(-1) if channels == 1 else images[i]), int(
            labels[i]
        )

    return Source(
        length=len(images),
        read=read,
        item_name=functools.partial("picture {}".format),
        class_names=class_names,
        channels=channels,
        image_size=(height, width),
        flip=channels == 3,
        content=lambda i: images[i].tobytes(),
        **naming,
    )


def store(images: Any, labels: Any = None, class_names: Sequence[str] = ()) -> Path:
    """Keep pictures as a .npz in the cache folder, named by their content; return its path.

    Raises UserError as `checked` does.
    """
    arrays = checked(images, labels, class_names, "dataset")
    path = cache_dir() / "arrays" / f"array-{arrays.sha256[:24]}.npz"
    if path.is_file():
        return path
    content = {"images": arrays.images}
    if arrays.class_names:
        content |= {"labels": arrays.labels, "class_names": np.array(arrays.class_names)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **content)
    except OSError as error:
        raise UserError(
            f"can't write the pictures to {path.parent}: {error.strerror}; set FLAXGAN_CACHE"
        ) from error
    return path
