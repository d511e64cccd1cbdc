"""What became of a source's files as they were prepared, and what people are told of it."""

import dataclasses

import numpy as np

from flaxgan.data.depth import values_line
from flaxgan.data.reading import enumerated, printable

# that the warning of small pictures may propose
SIDES = (512, 384, 256, 192, 128, 96, 64, 48, 32, 16)


@dataclasses.dataclass
class Outcome:
    """Is kept as JSON beside the prepared pictures, which are several a file with --fit tiles."""

    files: int
    pictures: int = 0
    # name; kind and detail of Unreadable
    skipped: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    lasting: bool = True  # whether those will be as unreadable at the next start
    enlarged: int = 0  # files
    # a square size at which nine in ten of those would not be enlarged
    natural_side: int | None = None
    sha256: str = ""  # of pictures and labels
    values: tuple[float, float] | None = None  # black and white, if they have more than 8 bits

    def note_enlargements(self, factors: list[float], image_size: tuple[int, int]) -> None:
        """Note the factors by which enlarged pictures have grown."""
        self.enlarged = len(factors)
        height, width = image_size
        if factors and height == width:
            natural = height / np.quantile(factors, 0.9)
            self.natural_side = next((side for side in SIDES if side <= natural), None)

    @property
    def reasons(self) -> str:
        """Return why files were skipped: how many for each reason, with the first file of each."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, kind, detail in self.skipped:
            groups.setdefault(kind, []).append((name, detail))
        said = []
        for kind, group in groups.items():
            detail = printable(group[0][1])
            said.append(
                f"{len(group)} {kind} ({enumerated([name for name, _ in group])})"
                + (f": {detail}" if detail else "")
            )
        return "; ".join(said)

    def lines(self, image_size: tuple[int, int]) -> list[str]:
        """Return what people should know before they train on the pictures, a line each."""
        said = (
            [f"warning: skipped {len(self.skipped)} of {self.files} files: {self.reasons}"]
            if self.skipped
            else []
        )
        if self.values:
            said.append(f"note: {values_line(*self.values)}")
        if self.enlarged:
            height, width = image_size
            remedy = (
                f"; --image-size {self.natural_side} would show most of them as they are"
                if self.natural_side
                else ""
            )
            pictures = self.files - len(self.skipped)
            said.append(
                f"note: {self.enlarged} of {pictures} pictures are smaller than {height}x{width}"
                f" and are enlarged{remedy}"
            )
        return said
