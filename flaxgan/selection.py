"""Evaluation while training, and the best checkpoint that it chooses."""

import math
from typing import Self

import jax

from flaxgan.checkpoint import BEST, Checkpoints
from flaxgan.data import ImageDataset
from flaxgan.metrics.evaluation import Comparison, evaluate
from flaxgan.metrics.features import Extractor
from flaxgan.metrics.sets import sampled_set, training_set
from flaxgan.run import MetricsLog, Run
from flaxgan.state import SELECTING, GANState


class Selection:
    """Measures states of a run against its training data, and keeps the one that is nearest to them.

    Its z are of a stream of their own, so that what is chosen here can be measured anew on others.
    """

    def __init__(self, run: Run, dataset: ImageDataset, devices: list[jax.Device], log: MetricsLog, step: int):
        """`step`: where the run goes on. Raises UserError if the extractor's weights can't be had."""
        self.run, self.log = run, log
        self.real = training_set(run.config, dataset)
        self.extractor = Extractor(run.config.extractor, devices, run.config.inception_weights)
        self.caveats: set[str] = set()
        self.best = Checkpoints(run.folder, keep=1, folder=BEST)
        self.best.remove_after(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.best.__exit__()

    def _distance(self, step: int) -> float:
        """Of the evaluation at a step; infinite if there was none."""
        name = self.extractor.network.FRECHET
        return next((row[name] for row in self.log.rows if row["step"] == step and name in row), math.inf)

    def __call__(self, state: GANState, epoch: int) -> None:
        """Evaluate a state, unless it is already in the log. Waits for the device."""
        step, config = int(state.step), self.run.config
        if self._distance(step) < math.inf:
            return
        generated = sampled_set(state, config.seed, config.evaluate_num, SELECTING)
        comparison = Comparison(self.real, generated, self.extractor, mirror=config.flip)
        values = {name: entry["value"] for name, entry in evaluate(comparison).items()}
        for caveat in set(comparison.caveats) - self.caveats:
            print(f"note: {caveat}", flush=True)
        self.caveats.update(comparison.caveats)

        name = self.extractor.network.FRECHET
        distance = values[name]
        chosen = self.best.steps()
        is_best = not chosen or distance < self._distance(chosen[-1])
        self.log.append({"step": step, "epoch": epoch, "images_seen": step * config.batch_size} | values)
        print(
            f"epoch {epoch}: {self.extractor.network.FRECHET} {distance:.1f}" + (", the best so far" if is_best else ""), flush=True
        )
        if is_best:
            self.best.save(state)
