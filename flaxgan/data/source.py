"""What every kind of data set is to the rest of flaxgan, before its pictures are decoded."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image


class Unreadable(Exception):
    """Says why a file is skipped: it holds no picture that can be decoded, or may not be read.

    `kind` names a group of such files, so that it can follow their number ("3 empty"); `detail` says more of this one.
    `lasting`: whether the file is as unreadable at the next start, unless it has changed by then.
    """

    def __init__(self, kind: str, detail: str = "", lasting: bool = True):
        super().__init__(kind, detail)
        self.kind, self.detail, self.lasting = kind, detail, lasting


@dataclasses.dataclass(frozen=True)
class Source:
    name: str  # short, for file names
    title: str  # for messages
    identity: Any  # JSON: which source this is
    fingerprint: Any  # JSON: changes when its contents do
    length: int
    # Picture i, opened but perhaps not yet decoded (see decoding), and its label. Raises Unreadable if it has to be skipped;
    # everything else that is raised says nothing about the picture.
    read: Callable[[int], tuple[Image.Image, int]]
    item_name: Callable[[int], str]
    class_names: Sequence[str]
    channels: int
    image_size: tuple[int, int] | None  # (height, width), if all pictures share one
    flip: bool  # whether a mirrored picture is as natural as the original
    notes: Sequence[str] = ()  # what people should know of how it was understood, a line each

    def __len__(self) -> int:
        return self.length
