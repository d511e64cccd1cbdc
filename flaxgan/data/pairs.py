"""Paired pictures: two folders with the same names, or pictures that hold both halves."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from flaxgan.data.folder import open_folder
from flaxgan.data.listing import list_files, open_header
from flaxgan.data.pixels import upright, upright_size
from flaxgan.data.reading import printable
from flaxgan.data.source import Source, Unreadable
from flaxgan.system.errors import UserError
from flaxgan.system.files import composed

SOURCE, TARGET = "source", "target"  # sub-folders
LAYOUT = f"a folder of pairs has {SOURCE}/NAME.* for each {TARGET}/NAME.*"


def holds_pairs(folder: Path) -> bool:
    """Tell whether a folder has the two sub-folders of pairs."""
    return all((folder / name).is_dir() for name in (SOURCE, TARGET))


def open_pairs(root: Path) -> Source:
    """Open the pictures of root/target, with those of root/source as what they are made from.

    Raises UserError, which names files, if one has no partner or several, or if the sizes of a pair
    differ.
    """
    if not holds_pairs(root):
        raise UserError(
            f"{printable(root)} holds no pairs: {LAYOUT}; or give --pairs side-by-side for pictures"
            " that hold both halves, or --source edges, grey, blur or mask to make the source of"
            " each picture itself"
        )
    sources, targets = _by_name(root / SOURCE), _by_name(root / TARGET)
    for side, other, partners in ((sources, TARGET, targets), (targets, SOURCE, sources)):
        if alone := [file for name, file in side.items() if name not in partners]:
            more = f", and {len(alone) - 1} more have none" if len(alone) > 1 else ""
            raise UserError(
                f"{printable(alone[0])} has no partner in {printable(root / other)}{more}; {LAYOUT}"
            )
    for name, file in sources.items():
        _require_one_size(file, targets[name])
    paths = [[side[name] for name in sorted(sources)] for side in (targets, sources)]
    target, source = (
        _selected(open_folder(root / name), root / name, files)
        for name, files in zip((TARGET, SOURCE), paths, strict=True)
    )
    return dataclasses.replace(
        target,
        name=root.name[:48] or "root",
        title=printable(root),
        pairs=source,
        channels=max(target.channels, source.channels),
        flip=target.flip or source.flip,
        class_names=(),
    )


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their names without suffix. Raises UserError for two."""
    try:
        files = [file.path for file in list_files(folder).pictures]
    except Unreadable as error:
        raise UserError(f"can't read the folder {printable(folder)}: {error.kind}") from error
    if not files:
        raise UserError(f"the folder {printable(folder)} holds no pictures; {LAYOUT}")
    by_name: dict[str, Path] = {}
    for file in files:
        name = composed(str(file.relative_to(folder).with_suffix("")))
        if name in by_name:
            raise UserError(
                f"{printable(by_name[name])} and {printable(file)} have one name, and a pair takes"
                " one of each; remove one of them"
            )
        by_name[name] = file
    return by_name


def _require_one_size(source: Path, target: Path) -> None:
    try:
        sizes = [upright_size(open_header(path)) for path in (source, target)]
    except Unreadable:  # is skipped, and named, when it is prepared
        return
    if sizes[0] != sizes[1]:
        words = ["{}x{}".format(*size) for size in sizes]
        raise UserError(
            f"{printable(source)} is {words[0]} and {printable(target)} {words[1]}, so that they"
            " can't be cut alike; bring the pictures of each pair to one size"
        )


def _selected(source: Source, folder: Path, files: Sequence[Path]) -> Source:
    """Return a folder's source with these files alone, in this order."""
    numbers = {source.item_name(i): i for i in range(len(source))}
    chosen = [numbers[str(file.relative_to(folder))] for file in files]
    content = source.content
    return dataclasses.replace(
        source,
        length=len(chosen),
        read=lambda i: source.read(chosen[i]),
        item_name=lambda i: source.item_name(chosen[i]),
        content=content and (lambda i: content(chosen[i])),
        fingerprint=[source.fingerprint, "pairs", chosen],
        class_names=(),
    )


def split_in_halves(source: Source) -> Source:
    """Return pictures that hold both halves as pairs: the left half is made into the right one."""

    def half(right: bool) -> Source:
        def read(i: int) -> tuple[Image.Image, int]:
            picture, label = source.read(i)
            picture = upright(picture)
            width = picture.width // 2
            if width == 0:
                raise Unreadable("too narrow for two halves")
            left = picture.width - width if right else 0
            return picture.crop((left, 0, left + width, picture.height)), label

        return dataclasses.replace(
            source,
            read=read,
            identity=[source.identity, "right" if right else "left"],
            class_names=(),
            image_size=None,
        )

    return dataclasses.replace(half(True), pairs=half(False))


def exchanged(pairs: Source) -> Source:
    """Return pairs whose source and target have changed places."""
    source, target = pairs.pairs, dataclasses.replace(pairs, pairs=None)
    assert source is not None
    return dataclasses.replace(
        source, pairs=target, name=pairs.name, title=pairs.title, channels=pairs.channels
    )
