"""What a run's states are measured on: samples against the training data, or translations of
sources that are held out against held-out targets.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.data.derived import enlarged
from flaxgan.methods import method_of, translates
from flaxgan.methods.conditions import conditions_of
from flaxgan.metrics.comparison import Comparison, Measured
from flaxgan.metrics.evaluation import evaluate_by_all
from flaxgan.metrics.image_sets import MOST, ImageSet, sampled_set, training_set
from flaxgan.metrics.reference import Reference
from flaxgan.metrics.translation import Translation, nothing
from flaxgan.pretrained.extractor import Extractor
from flaxgan.rng import SELECTING
from flaxgan.system.errors import UserError


class SamplesJudge:
    """Measure samples against the training data.

    Its z are of a stream of their own, so that what is chosen by it can be measured anew on others.
    """

    def __init__(self, config: Config, dataset: Dataset, extractors: Sequence[Extractor]):
        self.config, self.conditions = config, conditions_of(dataset)
        # by which the best is chosen; lower is better
        self.criterion = extractors[0].network.FRECHET
        images, mirror = training_set(config, dataset), bool(config.flip)
        self.real, *self.others = (Reference(images, x, mirror) for x in extractors)

    def measured(self, state: Any) -> tuple[Comparison, dict[str, Measured]]:
        """Return all metrics of a state, and what was compared. Waits for the device."""
        config = self.config
        generated = sampled_set(
            state,
            config,
            self.conditions,
            config.seed,
            config.evaluate_num,
            SELECTING,
            self.real.image_set.class_names,
        )
        comparison = Comparison(self.real, generated)
        return comparison, evaluate_by_all(comparison, self.others)


class HeldOutJudge:
    """Measure translations of what is held out. What does not depend on a state is measured once.

    The kernel distance decides: it is without bias however few pictures there are.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        extractors: Sequence[Extractor],
        num: int | None = None,
    ):
        """Take the first `num` sources of a random order, always the same, and targets."""
        assert dataset.held_out is not None
        self.config, self.criterion = config, f"kid_{extractors[0].name}"
        held, self.paired = dataset.held_out, dataset.second is None
        rows = _some(len(held), num)
        self.sources = held.array("source")[rows]
        self.labels = held.labels[rows] if held.class_names else None
        targets = held.images[rows if self.paired else _some(len(held.images), num)]
        if min(len(targets), len(self.sources)) < 2:
            raise UserError("an evaluation takes at least two pictures of each kind; add some")
        protocol = {"source": "held-out pictures", "images": len(targets)}
        sha256 = hashlib.sha256(np.ascontiguousarray(targets).data).hexdigest()
        images = ImageSet(targets, sha256, protocol)
        self.real, *self.others = (Reference(images, x, mirror=False) for x in extractors)

    @functools.cached_property
    def nothing(self) -> np.ndarray:
        """Return what doing nothing gives: the sources, of the targets' size and channels."""
        targets = self.real.image_set.images
        return enlarged(self.sources, targets.shape[1:3], targets.shape[-1])

    @functools.cached_property
    def _of_nothing(self) -> tuple[np.ndarray, dict[str, float]]:
        images = ImageSet(self.nothing, "", {})
        first, *others = (
            Translation(real, images, nothing=self.nothing) for real in (self.real, *self.others)
        )
        values = [nothing(c) for c in (first, *others)]
        return first.nothing_features, {k: x for of_one in values for k, x in of_one.items()}

    def measured(
        self, state: Any, names: list[str] | None = None, seed: int = 0
    ) -> tuple[Translation, dict[str, Measured]]:
        """Return metrics of a state, beside those of doing nothing. Waits for the device."""
        translators = method_of(self.config).translators(state, self.config)
        results = translators["result"](self.sources)
        again = translators["back"](results) if "back" in translators else None
        protocol = {"source": "results", "step": int(state.step), "images": len(results)}
        c = Translation(
            self.real,
            ImageSet(results, "", protocol),
            seed,
            sources=self.sources,
            nothing=self.nothing,
            again=again,
            paired=self.paired,
            border=getattr(self.config.options, "scale", 0),
            source_labels=self.labels,
        )
        features, values = self._of_nothing
        c.__dict__["nothing_features"] = features
        entries = evaluate_by_all(c, self.others, names)
        for name, value in values.items():
            if name in entries:
                entries[name] |= {"nothing": value}
        return c, entries


def _some(total: int, num: int | None) -> np.ndarray:
    """Return up to `num` rows of so many, in a random order that is always the same."""
    return np.random.default_rng(0).permutation(total)[: num or MOST]


Judge = SamplesJudge | HeldOutJudge


def judge_of(config: Config, dataset: Dataset, extractors: Sequence[Extractor]) -> Judge:
    """Return what measures the states of a run while it trains."""
    if translates(config):
        return HeldOutJudge(config, dataset, extractors, config.evaluate_num)
    return SamplesJudge(config, dataset, extractors)
