"""What lies below a folder, and which of it may be pictures."""

import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from flaxgan.data.decoding import open_picture
from flaxgan.data.reading import patiently, require_openable
from flaxgan.data.source import Unreadable

# believed by their names
USUAL = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
# of desktops, network drives and archives, in small letters; so are all names that begin with a dot
OF_THE_SYSTEM = {
    *(
        "__macosx",
        "desktop.ini",
        "thumbs.db",
        "ehthumbs.db",
        "$recycle.bin",
        "recycler",
        "system volume information",
    ),
    *("lost+found", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@recently-snapshot"),
}


@dataclasses.dataclass(frozen=True)
class File:
    path: Path
    stamp: tuple[int, ...] = ()  # size and times; () if there are none to be had
    # if it can't be a picture: kind and detail of Unreadable
    problem: tuple[str, str] | None = None


def open_header(path: Path) -> Image.Image:
    """Open the picture in a file, whose header is known and whose pixels can't be asked for.

    Raises as `patiently` does.
    """

    def opened(path: Path) -> Image.Image:
        with path.open("rb") as file:
            return open_picture(file)

    return patiently(opened, path)


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _judged(path: Path, status: os.stat_result) -> File:
    file = File(path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    try:
        require_openable(path)
        if not status.st_size or path.suffix.lower() not in USUAL:
            open_header(path)
    except Unreadable as error:
        return dataclasses.replace(file, problem=(error.kind, error.detail))
    return file


@dataclasses.dataclass(frozen=True)
class Listing:
    files: list[File]  # sorted by their paths
    closed: list[Path]  # sub-folders that can't be read

    @property
    def pictures(self) -> list[File]:
        """Return the files that are pictures, as far as can be told without decoding them."""
        return [file for file in self.files if not file.problem]


def list_files(root: Path) -> Listing:
    """List all files below a folder; links are followed.

    Hidden files, the system's, and what is no file, as pipes are, are left out. Raises Unreadable
    if the folder itself can't be read, and UserError if a drive fails.
    """
    closed: list[Path] = []

    def below(folder: Path, above: frozenset[Path]) -> Iterator[File]:
        """List what is below a folder.

        `above` are the folder and those it lies in, to which a link would lead in a circle.
        """
        for name in patiently(_names, folder):
            if name.startswith(".") or name.lower() in OF_THE_SYSTEM:
                continue
            path = folder / name
            try:
                status = patiently(os.stat, path)
            except Unreadable as error:
                yield File(path, problem=(error.kind, error.detail))
                continue
            if stat.S_ISREG(status.st_mode):
                yield _judged(path, status)
            elif stat.S_ISDIR(status.st_mode) and (itself := path.resolve()) not in above:
                try:
                    yield from below(path, above | {itself})
                except Unreadable:
                    closed.append(path)

    files = sorted(below(root, frozenset({root})), key=lambda file: file.path)
    return Listing(files, sorted(closed))
