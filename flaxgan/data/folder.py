"""A folder of pictures of any kind, flat or with a sub-folder a class."""

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from flaxgan.data.images import is_grey
from flaxgan.data.source import Source
from flaxgan.errors import UserError

Image.MAX_IMAGE_PIXELS = 2**29  # Pillow refuses twice as many: by default 179 million, which the scan of a painting may have


def _looks_like_a_picture(file: Path) -> bool:
    """By its name, and else by its first bytes."""
    if Image.registered_extensions().get(file.suffix.lower()) in Image.OPEN:
        return True
    try:
        with Image.open(file):
            return True
    except Exception:  # decoders fail in any way they like
        return False


def _files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """All below it but hidden ones, and pipes and the like, which are no files.

    `above`: itself and the folders that it lies in, to which a link would lead in a circle.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            kind = path if entry.is_symlink() else entry  # an entry's comes with its name, where a path's is asked of the disk
            if entry.name.startswith("."):
                continue
            if kind.is_dir():
                if (folder_itself := path.resolve()) not in above:
                    yield from _files(path, above | {folder_itself})
            elif kind.is_file() or not path.exists():  # a link to nowhere, which is named when it can't be read
                yield path


def open_folder(root: Path, if_missing: str = "") -> Source:
    """All pictures below it; other files are skipped and named when it is prepared.

    Raises UserError if it can't be read; `if_missing`: what to do if it isn't there.
    """
    try:
        if not root.is_dir():
            raise UserError(f"there is no folder {root}" + (" (it is a file)" if root.exists() else "") + if_missing)
        root = root.resolve()
        files = sorted(_files(root, frozenset({root})))
    except OSError as error:  # no permission, or too long a name
        raise UserError(f"can't read the folder {error.filename or root}: {error.strerror}") from error
    if not files:
        raise UserError(f"the folder {root} holds no pictures")

    # Classes are the first level of sub-folders that tells pictures apart: data/roses/.. or data/train/roses/..
    pictures = [file for file in files if _looks_like_a_picture(file)]
    top = Path(os.path.commonpath([file.parent for file in pictures or files]))
    classes = {file: file.relative_to(top).parts[0] if file.parent != top else None for file in pictures}
    class_names = sorted(set(classes.values())) if None not in classes.values() else []

    def read(i: int) -> tuple[Image.Image, int]:
        with Image.open(files[i]) as picture:
            picture.load()
            return picture, class_names.index(classes[files[i]]) if class_names else 0

    def grey_or_unreadable(file: Path) -> bool:
        try:
            with Image.open(file) as picture:
                return is_grey(picture)
        except Exception:  # decoders fail in any way they like
            return True

    def stamp(file: Path) -> list[int]:
        try:
            stat = file.stat()
        except OSError:  # a link to nowhere: it will be skipped
            return []
        return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]

    grey = all(map(grey_or_unreadable, files))  # stops at the first in colour
    return Source(
        name=root.name[:48] or "root",  # part of longer file names
        title=str(root),
        identity=str(root),
        fingerprint=[class_names, *([str(file.relative_to(root)), *stamp(file)] for file in files)],
        length=len(files),
        read=read,
        unreadable=(Exception,),
        item_name=lambda i: str(files[i].relative_to(root)),
        class_names=class_names,
        channels=1 if grey else 3,
        image_size=None,
        flip=not grey,
    )
