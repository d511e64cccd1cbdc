"""What every kind of data set is to the rest of flaxgan, before its pictures are decoded."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image


@dataclasses.dataclass(frozen=True)
class Source:
    name: str  # short, for file names
    title: str  # for messages
    identity: Any  # JSON: which source this is
    fingerprint: Any  # JSON: changes when its contents do
    length: int
    read: Callable[[int], tuple[Image.Image, int]]  # picture i and its label; see unreadable
    unreadable: tuple[type[Exception], ...]  # what `read` and the conversion may raise for a bad file, which is then skipped
    item_name: Callable[[int], str]
    class_names: Sequence[str]
    channels: int
    image_size: tuple[int, int] | None  # (height, width), if all pictures share one
    flip: bool  # whether a mirrored picture is as natural as the original

    def __len__(self) -> int:
        return self.length
