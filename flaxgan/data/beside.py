"""Captions in files beside the pictures of a folder: NAME.txt, metadata.jsonl, captions.csv."""

import csv
import functools
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flaxgan.data.reading import printable
from flaxgan.system.errors import UserError
from flaxgan.system.files import composed

JSONL, CSV = "metadata.jsonl", "captions.csv"  # in the folder itself
SUFFIX = ".txt"
LARGEST = 2**30  # bytes of a file that is read


def caption_files(root: Path, files: Iterable[Path], pictures: Iterable[Path]) -> set[Path]:
    """Return those of a folder's files that hold captions, or seem to by their names."""
    stems = {picture.with_suffix("") for picture in pictures}
    tables = {root / JSONL, root / CSV}
    return {
        file
        for file in files
        if file in tables or (file.suffix.lower() == SUFFIX and file.with_suffix("") in stems)
    }


def reader(root: Path, names: Sequence[Path], beside: set[Path]) -> Callable[[int], Sequence[str]]:
    """Return a function: number of a picture -> its captions, read when they are asked for.

    `names`: of the pictures, below `root`; `beside`: the files that hold captions. It raises
    UserError for a file that can't be read.
    """
    of_picture = {x.with_suffix(""): x for x in beside if x.suffix.lower() == SUFFIX}

    @functools.cache
    def tables() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for file, read in ((root / JSONL, _json_lines), (root / CSV, _csv_rows)):
            for name, texts in read(file) if file in beside else ():
                found.setdefault(composed(name), []).extend(texts)
        return found

    def captions(i: int) -> Sequence[str]:
        file = of_picture.get((root / names[i]).with_suffix(""))
        lines = _text(file).split("\n") if file else []
        return _stripped([*lines, *tables().get(composed(names[i].as_posix()), ())])

    return captions


def _stripped(texts: Iterable[str]) -> list[str]:
    """Return the texts that say something, each once, on one line."""
    return [*dict.fromkeys(line for text in texts if (line := " ".join(text.split())))]


def _text(file: Path) -> str:
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise UserError(f"{printable(file)} is no file of captions")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"can't read the captions {printable(file)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"the captions {printable(file)} are no text in UTF-8; save them as UTF-8"
        ) from error


def _json_lines(file: Path) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
            texts = [row["text"]] if isinstance(row["text"], str) else row["text"]
            is_right = isinstance(row["file_name"], str) and isinstance(texts, list)
            if not is_right or not all(isinstance(text, str) for text in texts):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"line {number} of {printable(file)} is not as"
                ' {"file_name": "a.jpg", "text": "a red flower"}'
            ) from error
        yield row["file_name"], texts


def _csv_rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    rows = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        if not {"file_name", "text"} <= {*(rows.fieldnames or ())}:
            raise UserError(
                f"{printable(file)} has no columns file_name and text in its first line"
            )
        for row in rows:
            if row["file_name"] and row["text"]:
                yield row["file_name"], [row["text"]]
    except csv.Error as error:
        raise UserError(f"line {rows.line_num} of {printable(file)}: {error}") from error
