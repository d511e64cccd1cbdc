"""What every kind of data set is to the rest of flaxgan, before its pictures are decoded."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image


class Unreadable(Exception):
    """Says why a file is skipped: it holds no picture that can be decoded, or may not be read.

    `kind` names a group of such files, so that it can follow their number ("3 empty"); `detail`
    says more of this one. `lasting`: whether the file is as unreadable at the next start, unless it
    has changed by then.
    """

    def __init__(self, kind: str, detail: str = "", lasting: bool = True):
        super().__init__(kind, detail)
        self.kind, self.detail, self.lasting = kind, detail, lasting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A data set before its pictures are decoded: how many there are, and a function that reads
    one.
    """

    name: str  # short, for file names
    length: int
    # Picture i, opened but perhaps not yet decoded (see decoding), and its label. Raises Unreadable
    # if it has to be skipped; everything else that is raised says nothing about the picture.
    read: Callable[[int], tuple[Image.Image, int]]
    title: str = ""  # for messages; by default the name
    identity: Any = None  # JSON: which source this is; by default the name
    fingerprint: Any = None  # JSON: changes when its contents do
    item_name: Callable[[int], str] = str
    class_names: Sequence[str] = ()
    channels: int = 3
    image_size: tuple[int, int] | None = None  # (height, width), if all pictures share one
    flip: bool = True  # whether a mirrored picture is as natural as the original
    notes: Sequence[str] = ()  # what people should know of how it was understood, a line each
    # The bytes that item i is made of, by which it is held out; by default its name.
    content: Callable[[int], bytes] | None = None
    # Sentences that say what picture i shows, none if it lacks them. Raises UserError if a file of
    # them can't be read.
    captions: Callable[[int], Sequence[str]] | None = None
    # Whether picture i is held out where sentences are learnt, so that some remain to be tried.
    held: Callable[[int], bool] | None = None
    # What is black and white in pictures of more than 8 bits; by default guessed of all of them.
    values: tuple[float, float] | None = None
    second: "Source | None" = None  # of unpaired methods: the pictures to become like
    pairs: "Source | None" = None  # of paired methods: item i is what item i here is made from
    test: "Source | None" = None  # what is held out, where a split of its own says so
    quiet: bool = False  # whether people know already what there is to say of its pictures

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name)
        object.__setattr__(self, "identity", self.name if self.identity is None else self.identity)

    def __len__(self) -> int:
        return self.length

    def digest(self, i: int) -> int:
        """Return 64 bits that depend on the content of item i alone."""
        content = self.content(i) if self.content else self.item_name(i).encode(errors="replace")
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
