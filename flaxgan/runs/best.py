"""Evaluate a run while it trains, and keep the best checkpoint."""

import json
import math
from collections.abc import Sequence
from typing import Any, Self

from flaxgan.data import Dataset
from flaxgan.metrics.judges import Judge, judge_of
from flaxgan.models.growth import is_full_size, resolution
from flaxgan.pretrained.extractor import Extractor
from flaxgan.runs.checkpoint import BEST, Checkpoints
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.runs.trained import REFERENCES_FILE
from flaxgan.system.devices import on_one_device
from flaxgan.system.distributed import agreed
from flaxgan.system.errors import say
from flaxgan.system.files import replacing
from flaxgan.system.signals import Abandoned, Interrupt


class Selection:
    """Measure states of a run against its training data, and keep the nearest.

    Of a run that grows, one is kept from full size on.

    Of several processes the first measures, on its own devices, while the others wait; all of them
    save.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        extractors: Sequence[Extractor],
        log: MetricsLog | None,
        interrupt: Interrupt,
        step: int,
    ):
        """Go on after `step` steps; `extractors` and `log` are the first process's alone."""
        self.references: dict[str, float] = {}  # of the last evaluation: what real images have
        self.config, self.log, self.interrupt = run.config, log, interrupt
        self.folder = run.folder
        self.caveats: set[str] = set()
        self.judge = judge_of(run.config, dataset, extractors) if extractors else None
        self.best = Checkpoints(run.folder, keep=1, folder=BEST)
        self.best.remove_after(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.best.__exit__(*raised)

    def __call__(self, state: Any, epoch: int) -> bool:
        """Evaluate a state, unless it is already in the log; keep it if it is the best so far.

        Waits for the device. Returns False if a signal to the first process ended the evaluation.
        """
        is_best, abandoned, distance = False, False, {}
        try:
            if self.judge is not None and self.log is not None:
                is_best = self._is_best(on_one_device(state), epoch, self.judge, self.log)
                distance = {self.judge.criterion: self._distances(self.log)[int(state.step)]}
        except Abandoned:
            abandoned = True
        if agreed(is_best):
            self.best.save(state, **distance)
        return not agreed(abandoned)

    def _is_best(self, state: Any, epoch: int, judge: Judge, log: MetricsLog) -> bool:
        """Evaluate a state, unless it is in the log; tell whether none before was nearer."""
        step, name = int(state.step), judge.criterion
        distances = self._distances(log)
        new = step not in distances
        if new:
            with self.interrupt.abandoning():
                values = self._measured(state, judge)
            images_seen = step * self.config.images_per_step
            if side := resolution(self.config, step):
                values["resolution"] = side
            log.append({"step": step, "epoch": epoch, "images_seen": images_seen} | values)
            distances[step] = values[name]
        # Beside the one that is kept, whose row the log may have lost.
        is_best = is_full_size(self.config, step) and all(
            distances[step] <= self.best.facts(kept).get(name, distances.get(kept, math.inf))
            for kept in self.best.steps()
        )
        if new:
            best = ", the best so far" if is_best else ""
            if not is_full_size(self.config, step):
                best = f" (pictures of {side}, enlarged)"
            say(f"epoch {epoch}: {name} {_rounded(distances[step])}{best}", flush=True)
        return is_best

    def _distances(self, log: MetricsLog) -> dict[int, float]:
        """Return what the log has of the criterion, by step."""
        assert self.judge is not None
        return {row["step"]: row[name] for row in log.rows if (name := self.judge.criterion) in row}

    def _measured(self, state: Any, judge: Judge) -> dict[str, float]:
        """Return all metrics of a state, and print the caveats that are new."""
        comparison, measured = judge.measured(state)
        self.references = {
            name: entry["reference"]
            for name, entry in measured.items()
            if entry.get("reference") is not None
        }
        values = {name: entry["value"] for name, entry in measured.items()}
        beside = {"references": self.references, "caveats": [*comparison.caveats]}
        with replacing(self.folder / REFERENCES_FILE) as temporary:
            temporary.write_text(json.dumps(beside, indent=2) + "\n")
        for caveat in set(comparison.caveats) - self.caveats:
            say(f"note: {caveat}", flush=True)
        self.caveats.update(comparison.caveats)
        return values


def _rounded(distance: float) -> str:
    return f"{distance:.1f}" if distance >= 10 else f"{distance:.3g}"
