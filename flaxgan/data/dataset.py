"""A data set: named arrays, usually memory-mapped, whose rows are the images."""

import dataclasses
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Arrays that share their rows: "image" uint8 (N, H, W, C), and what the data have: "label"
    int32 (N,) and the like.

    Unpaired methods learn from two sets: `second` has arrays with names of their own, and rows of
    their own number.
    """

    arrays: dict[str, np.ndarray]
    class_names: tuple[str, ...] = ()  # that labels are indices into
    sha256: str = ""  # of images and labels
    second: "Dataset | None" = None

    @classmethod
    def of(
        cls,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
        sha256: str = "",
    ) -> Self:
        """Return a data set of images and, if there are classes, their labels."""
        labelled = {} if labels is None or not class_names else {"label": labels}
        return cls({"image": images} | labelled, class_names, sha256)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def images(self) -> np.ndarray:
        """Return the images, uint8 (N, H, W, C)."""
        return self.arrays["image"]

    @property
    def labels(self) -> np.ndarray:
        """Return the labels, int32 (N,); zeros if there are no classes."""
        return self.arrays.get("label", np.zeros(len(self), np.int32))

    @property
    def class_counts(self) -> dict[str, int]:
        """Return how many images each class has; empty if there are none."""
        counts = np.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True)) if self.class_names else {}

    @property
    def all_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of both sets by name."""
        return self.arrays | (self.second.arrays if self.second else {})

    def rows(self, indices: np.ndarray, second: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the rows of each array: `indices`, of any shape, or `second` in a second set."""
        rows = dict.fromkeys(self.arrays, indices)
        if self.second is not None and second is not None:
            rows |= dict.fromkeys(self.second.arrays, second)
        return rows
