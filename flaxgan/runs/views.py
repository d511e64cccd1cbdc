"""What the snapshots of a run show: samples beside real images, or sources beside results."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.data import Dataset, batch_indices
from flaxgan.data.captions import Prompts
from flaxgan.data.derived import enlarged
from flaxgan.methods import method_of, translates
from flaxgan.methods.conditions import conditions_of
from flaxgan.methods.updates import condition_of
from flaxgan.plots import grid, name_rows
from flaxgan.tables import columns_sheet

NUM_IMAGES = 64  # in the grids of a run
NUM_SOURCES, GROUPS = 32, 2  # in the tables of a translation, and groups of columns
Attempt = Callable[[str], contextlib.AbstractContextManager[Any]]


class SamplesView:
    """Show samples of the same z each time, a class or a sentence a row if there are some."""

    def __init__(self, config: Config, dataset: Dataset):
        self.config, self.method = config, method_of(config)
        self.conditions = conditions_of(dataset)
        self.inputs = self.method.inputs(
            config, self.conditions, config.seed, NUM_IMAGES, spread=True
        )
        self.columns = None if condition_of(self.inputs) is None else math.isqrt(NUM_IMAGES)
        size = len(dataset.images)
        shown = batch_indices(config.seed, 0, size, min(size, NUM_IMAGES))
        self.reals = np.asarray(dataset.images[shown])  # uint8 (N, H, W, C)

    def images(self, state: Any) -> np.ndarray:
        """Return the samples of a state: uint8 (N, H, W, C). Waits for the device."""
        return self.method.sampler(state, self.config, self.conditions)(self.inputs)

    def sheet(self, state: Any, images: np.ndarray, attempt: Attempt) -> np.ndarray:
        """Return the grid of a state's samples, with the rows' names if they can be drawn."""
        sheet = grid(images, self.columns)
        if self.columns:
            with attempt("the names of the rows"):
                if isinstance(self.conditions, Prompts):
                    rows = self.conditions.spread(NUM_IMAGES)[:: self.columns]
                    names = [self.conditions.texts[row] for row in rows]
                else:
                    labels = self.inputs["label"][:: self.columns]
                    names = [[*self.conditions][label] for label in labels]
                sheet = name_rows(sheet, names)
        return sheet


class TranslationsView:
    """Show results of the same held-out sources each time, beside what they are made from."""

    columns = None

    def __init__(self, config: Config, dataset: Dataset):
        self.config, self.method = config, method_of(config)
        held = dataset.held_out
        assert held is not None
        self.paired = dataset.second is None
        rows = _spread(config, len(held), NUM_SOURCES)
        self.sources = held.array("source")[rows]
        self.reals = held.images[
            rows if self.paired else _spread(config, len(held.images), NUM_SOURCES)
        ]

    def images(self, state: Any) -> np.ndarray:
        """Return what a state makes of the sources: uint8 (N, H, W, C). Waits for the device."""
        return self.method.translators(state, self.config)["result"](self.sources)

    def sheet(self, state: Any, images: np.ndarray, attempt: Attempt) -> np.ndarray:
        """Return a table of sources, results and targets. Waits for the device."""
        n = min(len(self.sources), len(self.reals))
        size, channels = self.reals.shape[1:3], self.reals.shape[-1]
        sources, targets = self.sources[:n], self.reals[:n]
        columns = {"source": enlarged(sources, size, channels), "result": images[:n]}
        translators = self.method.translators(state, self.config)
        if "back" in translators:
            columns["and back"] = translators["back"](columns["result"])
            columns["target"] = targets
            columns["as source"] = translators["back"](targets)
            columns["and again"] = translators["result"](columns["as source"])
        else:
            columns["its target" if self.paired else "a target"] = targets
        return columns_sheet(columns, GROUPS if n > GROUPS else 1)


def _spread(config: Config, size: int, most: int) -> np.ndarray:
    return batch_indices(config.seed, 0, size, min(size, most))


View = SamplesView | TranslationsView


def view_of(config: Config, dataset: Dataset) -> View:
    """Return what the snapshots of a run show."""
    return (TranslationsView if translates(config) else SamplesView)(config, dataset)
