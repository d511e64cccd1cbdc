"""What else is asked of data: the names of what is held out, and black pictures to time a step."""

import dataclasses

import numpy as np

from flaxgan.config import Config
from flaxgan.data.dataset import Captions, Dataset
from flaxgan.data.forms import larger, source_channels
from flaxgan.data.source import Source
from flaxgan.pretrained import minilm


def names_held_out(source: Source, dataset: Dataset) -> dict[str, list[str]]:
    """Return the names of the pictures that are held out: of the first set, and of --target."""
    held, names = dataset.held_out, {}
    assert held is not None
    for name, of, part in (("images", source, held), ("targets", source.second, held.second)):
        if of is not None and part is not None and part.items is not None:
            selected = part.items if part.selection is None else part.items[part.selection]
            names[name] = [(of.test or of).item_name(int(i)) for i in np.unique(selected)]
    return names


def blank(config: Config, source: Source, num: int) -> Dataset:
    """Return black pictures of the shapes that a step takes, to time it and measure its memory."""
    form = config.options.DATA
    loaded = config if form == "images" else larger(config)
    black = np.zeros((num, *loaded.image_size, config.channels), np.uint8)
    if form == "images":
        dataset = Dataset.of(black, np.zeros(num, np.int32), tuple(source.class_names))
        if config.condition != "text":
            return dataset
        vectors, ids = np.zeros((1, minilm.DIM), np.float32), np.zeros(num, np.int64)
        captions = Captions(("",), vectors, ids, np.arange(num + 1))
        return dataclasses.replace(dataset, captions=captions)
    scale = getattr(config.options, "scale", 1)
    small = np.zeros(
        (num, *(side // scale for side in loaded.image_size), source_channels(config)), np.uint8
    )
    if form == "unpaired":
        return Dataset({"source": small}, second=Dataset({"image": black}))
    return Dataset({"image": black, "source": small})
