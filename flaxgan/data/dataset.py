"""A data set: named arrays, usually memory-mapped, whose rows are the images."""

import dataclasses
import functools
import hashlib
import json
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class Captions:
    """Hold each sentence once, and which of them a picture has: at least one."""

    texts: tuple[str, ...]
    vectors: np.ndarray  # float32 (len(texts), D): the sentences, encoded
    ids: np.ndarray  # int64 (M,): those of one picture after those of the other
    starts: np.ndarray  # int64 (N + 1,): where those of a picture begin
    labels: np.ndarray | None = None  # int32: the class that a sentence names, if each names one

    def rows(self, pictures: np.ndarray, draws: np.ndarray | int = 0) -> np.ndarray:
        """Return the rows of one sentence of each picture: which one, whole numbers `draws` say."""
        first = self.starts[pictures]
        chosen: np.ndarray = self.ids[first + draws % (self.starts[pictures + 1] - first)]
        return chosen

    @functools.cached_property
    def sha256(self) -> str:
        """Return the digest of the sentences and of whose they are."""
        digest = hashlib.sha256(json.dumps(self.texts).encode())
        digest.update(self.ids.tobytes() + self.starts.tobytes())
        return digest.hexdigest()


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
    held_out: "Dataset | None" = None  # never trained on: the same arrays of other pictures
    selection: np.ndarray | None = None  # int64: which rows of the arrays; None: all
    items: np.ndarray | None = None  # int64 (N,): which of the source's items a row is of
    digests: np.ndarray | None = None  # uint64 (N,), of those items' contents
    captions: Captions | None = None  # of the arrays' rows
    # black and white in the pictures that are translated, or in all, if they have more than 8 bits
    values: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
        sha256: str = "",
        items: np.ndarray | None = None,
        digests: np.ndarray | None = None,
    ) -> Self:
        """Return a data set of images and, if there are classes, their labels."""
        labelled = {} if labels is None or not class_names else {"label": labels}
        arrays = {"image": images} | labelled
        return cls(arrays, class_names, sha256, items=items, digests=digests)

    def __len__(self) -> int:
        if self.selection is not None:
            return len(self.selection)
        return len(next(iter(self.arrays.values())))

    @property
    def images(self) -> np.ndarray:
        """Return the images, uint8 (N, H, W, C): what generated ones are to look like."""
        if "image" not in self.arrays and self.second is not None:
            return self.second.images
        return self.array("image")

    def array(self, name: str) -> np.ndarray:
        """Return an array of the set, of its selected rows alone; these are copied."""
        return self.arrays[name] if self.selection is None else self.arrays[name][self.selection]

    def take(self, rows: np.ndarray) -> Self:
        """Return the set of some of its rows; the second set stays as it is. Copies nothing."""
        return dataclasses.replace(self, selection=self.base_rows(rows))

    def base_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return which rows of the arrays some rows of the set are."""
        return rows if self.selection is None else self.selection[rows]

    @property
    def labels(self) -> np.ndarray:
        """Return the labels, int32 (N,); zeros if there are no classes."""
        has = "label" in self.arrays
        return self.array("label") if has else np.zeros(len(self), np.int32)

    @property
    def class_counts(self) -> dict[str, int]:
        """Return how many images each class has; empty if there are none."""
        counts = np.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, counts, strict=True)) if self.class_names else {}

    @property
    def all_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of both sets by name, and the table of sentences as "text"."""
        arrays = self.arrays | (self.second.arrays if self.second else {})
        return arrays | ({"text": self.captions.vectors} if self.captions else {})

    def rows(
        self,
        indices: np.ndarray,
        second: np.ndarray | None = None,
        draws: np.ndarray | int = 0,
    ) -> dict[str, np.ndarray]:
        """Return the rows of each array: `indices`, of any shape, or `second` in a second set.

        `draws`: whole numbers, which say which of its captions a picture comes with.
        """
        selected = self.base_rows(indices)
        rows = dict.fromkeys(self.arrays, selected)
        if self.captions is not None:
            rows["text"] = self.captions.rows(selected, draws)
        if self.second is not None and second is not None:
            rows |= self.second.rows(second)
        return rows
