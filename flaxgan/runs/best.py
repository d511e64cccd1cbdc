"""Evaluation while training, and the best checkpoint that it chooses."""

import math
from typing import Any, Self

from flaxgan.data import Dataset
from flaxgan.metrics.comparison import Comparison
from flaxgan.metrics.evaluation import evaluate
from flaxgan.metrics.image_sets import sampled_set, training_set
from flaxgan.metrics.reference import Reference
from flaxgan.pretrained.extractor import Extractor
from flaxgan.rng import SELECTING
from flaxgan.runs.checkpoint import BEST, Checkpoints
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.system.devices import on_one_device
from flaxgan.system.distributed import agreed
from flaxgan.system.errors import say
from flaxgan.system.signals import Abandoned, Interrupt


class Selection:
    """Measures states of a run against its training data, and keeps the one that is nearest to
    them.

    Its z are of a stream of their own, so that what is chosen here can be measured anew on others.
    Of several processes the first measures, on its own devices, while the others wait; all of them
    save.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        extractor: Extractor | None,
        log: MetricsLog | None,
        interrupt: Interrupt,
        step: int,
    ):
        """`extractor` and `log`: of the first process; `step`: where the run goes on."""
        self.references: dict[str, float] = {}  # of the last evaluation: what real images have
        self.config, self.extractor, self.log, self.interrupt = (
            run.config,
            extractor,
            log,
            interrupt,
        )
        if extractor:
            self.real = Reference(
                training_set(run.config, dataset), extractor, mirror=run.config.flip
            )
            self.caveats: set[str] = set()
            self.class_counts = dataset.class_counts
        self.best = Checkpoints(run.folder, keep=1, folder=BEST)
        self.best.remove_after(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.best.__exit__(*raised)

    def __call__(self, state: Any, epoch: int) -> bool:
        """Evaluate a state, unless it is already in the log; keep it if it is the best so far.
        Waits for the device.

        False if a signal to the first process ended the evaluation.
        """
        is_best = abandoned = False
        try:
            is_best = bool(self.log) and self._best_of_all(on_one_device(state), epoch)
        except Abandoned:
            abandoned = True
        if agreed(is_best):
            self.best.save(state)
        return not agreed(abandoned)

    def _best_of_all(self, state: Any, epoch: int) -> bool:
        step, name = int(state.step), self.extractor.network.FRECHET
        distances = {row["step"]: row[name] for row in self.log.rows if name in row}
        new = step not in distances
        if new:
            with self.interrupt.abandoning():
                values = self._measured(state)
            self.log.append(
                {"step": step, "epoch": epoch, "images_seen": step * self.config.images_per_step}
                | values
            )
            distances[step] = values[name]
        # Beside the one that is kept: the log's best may have been lost with the steps after the
        # last checkpoint.
        is_best = all(
            distances[step] <= distances.get(kept, math.inf) for kept in self.best.steps()
        )
        if new:
            say(
                f"epoch {epoch}: {name}"
                f" {distances[step]:.1f}{', the best so far' if is_best else ''}",
                flush=True,
            )
        return is_best

    def _measured(self, state: Any) -> dict[str, float]:
        """All metrics of a state; prints what there is to mind."""
        generated = sampled_set(
            state,
            self.config,
            self.class_counts,
            self.config.seed,
            self.config.evaluate_num,
            SELECTING,
        )
        comparison = Comparison(self.real, generated)
        measured = evaluate(comparison)
        self.references = {
            name: entry["reference"]
            for name, entry in measured.items()
            if entry.get("reference") is not None
        }
        values = {name: entry["value"] for name, entry in measured.items()}
        for caveat in set(comparison.caveats) - self.caveats:
            say(f"note: {caveat}", flush=True)
        self.caveats.update(comparison.caveats)
        return values
