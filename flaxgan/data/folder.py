"""A folder of pictures of any kind, flat or with a sub-folder a class."""

import io
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from PIL import Image

from flaxgan.data.beside import caption_files, reader
from flaxgan.data.decoding import open_picture
from flaxgan.data.listing import File, Listing, list_files, open_header
from flaxgan.data.pixels import is_grey
from flaxgan.data.reading import enumerated, printable, read_bytes
from flaxgan.data.source import Source, Unreadable
from flaxgan.system.errors import UserError
from flaxgan.system.files import composed

SPLITS = {
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "dev",
    "test",
    "testing",
    "eval",
    "evaluation",
}


def _below_their_common_folder(paths: Sequence[PurePath]) -> list[PurePath]:
    """Return the paths relative to the deepest folder that holds all of them."""
    top = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(top) for path in paths]


def _classes(pictures: list[PurePath]) -> tuple[list[str | None], list[str]]:
    """Return each picture's class, or None for all, and what people should know of the classes.

    Classes are the first level of sub-folders that tells pictures apart: roses/.. and tulips/.., or
    data/roses/.., or, within folders that are all named as splits are, train/roses/.. and
    val/roses/..
    """
    if not pictures:
        return [], []
    notes, paths = [], _below_their_common_folder(pictures)
    splits = sorted({path.parts[0] for path in paths})
    if all(len(path.parts) > 1 for path in paths) and {split.lower() for split in splits} <= SPLITS:
        paths = _below_their_common_folder([PurePath(*path.parts[1:]) for path in paths])
        notes.append(
            f"{enumerated(splits, most=len(SPLITS))} are taken for splits of one data set; the"
            " pictures of all are used"
        )
    beside = [
        picture for picture, path in zip(pictures, paths, strict=True) if len(path.parts) == 1
    ]
    names = {composed(path.parts[0]) for path in paths if len(path.parts) > 1}
    if len(names) > 1 and beside:
        more = f", with {len(beside) - 1} more" if len(beside) > 1 else ""
        notes.append(
            f"no classes: {printable(beside[0])} lies beside the class folders{more}; move it"
            " into one"
        )
    if len(names) < 2 or beside:
        return [None] * len(paths), notes
    return [composed(path.parts[0]) for path in paths], notes


def _list_files(root: Path) -> Listing:
    """List a folder. Raises UserError if it can't be read or holds no files."""
    try:
        listing = list_files(root)
    except Unreadable as error:
        raise UserError(f"can't read the folder {printable(root)}: {error.kind}") from error
    if not listing.files:
        closed = enumerated([path.relative_to(root) for path in listing.closed])
        why = f"; sub-folders that can't be read: {closed}" if closed else ""
        raise UserError(f"the folder {printable(root)} holds no pictures{why}")
    return listing


def _is_grey(file: File) -> bool:
    try:
        return is_grey(open_header(file.path))
    except Unreadable:
        return True


def open_folder(root: Path, if_missing: str = "") -> Source:
    """Open all pictures below a folder; other files are skipped, and named when it is prepared.

    Raises UserError if it can't be read; `if_missing`: what to do if it isn't there.
    """
    try:
        if not root.is_dir():
            raise UserError(
                "there is no folder"
                f" {printable(root)}{' (it is a file)' if root.exists() else ''}{if_missing}"
            )
        root = root.resolve()
    except OSError as error:  # too long a name, say
        raise UserError(f"can't read the folder {printable(root)}: {error.strerror}") from error
    listing = _list_files(root)
    pictures = listing.pictures
    beside = caption_files(
        root, [file.path for file in listing.files], [file.path for file in pictures]
    )
    files = [file for file in listing.files if file.path not in beside]
    names = [file.path.relative_to(root) for file in files]
    classes, notes = _classes([file.path.relative_to(root) for file in pictures])
    class_names = sorted({name for name in classes if name is not None})
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(class_names)}
    labels = {file.path: numbers.get(name, 0) for file, name in zip(pictures, classes, strict=True)}

    def read(i: int) -> tuple[Image.Image, int]:
        file = files[i]
        if file.problem:
            raise Unreadable(*file.problem)
        return open_picture(io.BytesIO(read_bytes(file.path))), labels.get(file.path, 0)

    grey = all(map(_is_grey, pictures))  # stops at the first in colour
    if closed := [path.relative_to(root) for path in listing.closed]:
        notes.append(f"sub-folders that can't be read are left out: {enumerated(closed)}")
    return Source(
        name=root.name[:48] or "root",  # part of longer file names
        title=printable(root),
        identity=str(root),
        fingerprint=[
            class_names,
            *(
                [str(name), file.stamp, file.problem]
                for name, file in zip(names, files, strict=True)
            ),
        ],
        length=len(files),
        read=read,
        item_name=lambda i: str(names[i]),
        class_names=class_names,
        channels=1 if grey else 3,
        image_size=None,
        flip=not grey,
        notes=notes,
        content=lambda i: read_bytes(files[i].path),
        captions=reader(root, names, beside) if beside else None,
    )
