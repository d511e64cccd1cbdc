"""The sentences of a data set's pictures, what they become for a network, and what a trained one
can be asked for by them.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flaxgan.data.dataset import Captions, Dataset
from flaxgan.data.reading import printable
from flaxgan.data.source import Source
from flaxgan.pretrained import minilm
from flaxgan.system.errors import UserError

CLASS = "{class}"  # in a --caption, where the name of the class goes
POOL, SHOWN = 1024, 8  # sentences that are drawn from, and those of a run's grids
WAYS = (
    "write NAME.txt beside NAME.jpg, or file_name and text into metadata.jsonl or captions.csv; of"
    " classes --caption 'a photo of a {class}' makes sentences"
)


class Prompts(NamedTuple):
    """Sentences as frequent as in the training data; the first of them a run's grids show."""

    texts: tuple[str, ...]
    vectors: np.ndarray  # float32 (N, D)
    shown: int
    labels: np.ndarray | None = None  # int32 (N,): the classes that they name, if they name some

    def spread(self, num: int) -> np.ndarray:
        """Return rows for a square grid of `num` images, a sentence a row: int64 (num,)."""
        columns = int(num**0.5)
        return np.resize(np.repeat(np.arange(min(self.shown, columns)), columns), num)


def prompts_of(dataset: Dataset) -> Prompts:
    """Return what a run on a data set with captions can be asked for: the same each time.

    The first are of pictures that are held out, if there are some.
    """
    captions = dataset.captions
    assert captions is not None
    rng = np.random.default_rng(0)

    def drawn(dataset: Dataset, count: int) -> np.ndarray:
        pictures = dataset.base_rows(rng.integers(len(dataset), size=count))
        return captions.rows(pictures, rng.integers(2**31, size=count))

    pool = drawn(dataset, POOL)
    # as long as they get: of those there are they say most
    longest = sorted(
        {*drawn(dataset.held_out or dataset, 8 * SHOWN).tolist()}, key=_length(captions)
    )
    rows = np.array([*longest[:SHOWN], *pool], np.int64)
    texts = tuple(captions.texts[row] for row in rows)
    labels = captions.labels if captions.labels is None else captions.labels[rows]
    return Prompts(texts, np.asarray(captions.vectors[rows]), len(longest[:SHOWN]), labels)


def _length(captions: Captions) -> Callable[[int], tuple[int, int]]:
    return lambda row: (-len(captions.texts[row]), row)


def templates(caption: str) -> list[str]:
    """Return the sentences of a --caption, each with {class} in it. Raises UserError."""
    found = [" ".join(part.split()) for part in caption.split("|")]
    for template in found:
        if CLASS not in template:
            raise UserError(
                f"--caption {template!r} does not say where the class goes; write it as"
                " 'a photo of a {class}'"
            )
        minilm.require_text(template, "--caption")
    return found


def require_captions(source: Source, caption: str | None) -> None:
    """Raise UserError if a source can have no captions."""
    if caption and not source.class_names:
        raise UserError(
            f"--caption puts the names of classes into sentences, and {source.title} has none;"
            " leave it out, or name a data set that has"
        )
    if not caption and source.captions is None:
        raise UserError(f"--condition text takes captions, and {source.title} has none; {WAYS}")


def _texts_of(source: Source, dataset: Dataset, caption: str | None) -> list[list[str]]:
    """Return the sentences of each picture. Raises UserError, with the file, if one has none."""
    require_captions(source, caption)
    if caption:
        names = [name.replace("_", " ") for name in dataset.class_names]
        if not names:
            raise UserError(
                f"--caption takes the names of classes, and some of {source.title} have none"
            )
        of_class = [[x.replace(CLASS, name) for x in templates(caption)] for name in names]
        return [of_class[label] for label in dataset.labels]
    assert source.captions is not None and dataset.items is not None
    items = dataset.items.tolist()
    found = {item: [*source.captions(item)] for item in dict.fromkeys(items)}
    if without := [item for item, texts in found.items() if not texts]:
        more = f", and {len(without) - 1} more have none" if len(without) > 1 else ""
        raise UserError(
            f"{printable(source.item_name(without[0]))} in {source.title} has no caption{more};"
            f" {WAYS}"
        )
    return [found[item] for item in items]


def with_captions(source: Source, dataset: Dataset, caption: str | None) -> Dataset:
    """Return a data set with the captions of its pictures; those that are `held` are held out.

    Raises UserError if a picture has none, or if they can't be encoded.
    """
    texts_of = _texts_of(source, dataset, caption)
    rows = {text: row for row, text in enumerate(dict.fromkeys(x for y in texts_of for x in y))}
    ids = np.array([rows[text] for texts in texts_of for text in texts], np.int64)
    starts = np.cumsum([0, *map(len, texts_of)])
    labels = None
    if caption:  # a sentence names one class
        labels = np.zeros(len(rows), np.int32)
        labels[ids] = np.repeat(dataset.labels, np.diff(starts))
    captions = Captions(tuple(rows), minilm.cached([*rows]), ids, starts, labels)
    dataset = dataclasses.replace(dataset, captions=captions)
    if source.held is None or dataset.items is None:
        return dataset
    held = np.array([source.held(item) for item in dataset.items.tolist()])
    rest = dataset.take(np.flatnonzero(~held))
    return dataclasses.replace(rest, held_out=dataset.take(np.flatnonzero(held)))
