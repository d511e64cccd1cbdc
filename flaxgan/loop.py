"""The training loop: the steps of a run, and what is done between them."""

import dataclasses
import functools
import math
import time
from collections import deque
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.config import PERIODS
from flaxgan.data import epoch_of, indices
from flaxgan.methods.state import networks, without_frozen
from flaxgan.methods.updates import Metrics
from flaxgan.runs.best import Selection
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.runs.folder import Run
from flaxgan.runs.progress import Reporter, diverged
from flaxgan.runs.snapshots import Gallery, grid_after
from flaxgan.system.devices import on_one_device
from flaxgan.system.signals import Interrupt
from flaxgan.trainer import Trainer


@jax.jit
def _all_finite(params: Any) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()


_copied = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))


class Snapshot(NamedTuple):
    """A copy of the state after a step, to be saved and drawn.

    Meanwhile the state itself may be donated, and the device do later steps.
    """

    step: int
    state: Any
    is_finite: Array  # bool (): all weights are; its bool waits for the device

    @classmethod
    def take(cls, state: Any, step: int) -> "Snapshot":
        """Copy the state after `step` steps. Doesn't wait for the device."""
        copy = _copied(without_frozen(state))
        return cls(step, copy, _all_finite([net.params for net in networks(copy).values()]))


class Pending(NamedTuple):
    """What the device has been asked for and has not been waited for."""

    metrics: Metrics  # a row for each step of a dispatch
    snapshot: Snapshot | None  # after the last of them


@dataclasses.dataclass(frozen=True)
class Loop:
    """Train a state to the run's end; report, save, evaluate and draw between the steps.

    Metrics are waited for late, so that the device always has work; `pending` holds them in the
    order in which they are due.
    """

    run: Run
    trainer: Trainer
    checkpoints: Checkpoints
    reporter: Reporter
    interrupt: Interrupt
    selection: Selection | None = None  # if the run evaluates
    gallery: Gallery | None = None  # of the process that draws
    deadline: float = math.inf  # by time.monotonic
    pending: deque[Pending] = dataclasses.field(default_factory=deque)

    def __call__(self, state: Any, done: int) -> tuple[int, bool]:
        """Go on from a state after `done` steps.

        Returns how many steps are done in the end, all saved and drawn, and whether that is all.
        """
        trainer, total, per_epoch = self.trainer, self.trainer.total_steps, self.trainer.per_epoch
        evaluated = self._evaluate(state, done, done == total)
        stopping = done == total or not evaluated
        if self.gallery and done and not grid_after(done, self.run.folder, per_epoch).exists():
            self.gallery.add(_copied(on_one_device(state)), done, stopping)
        while not stopping:
            late = self.is_late
            asked = trainer.of_any_process(self.interrupt or late)
            settled = self._compile_stage(done)
            state, metrics = self._dispatch(state, done)
            done += len(jax.tree.leaves(metrics)[0])
            # of several processes: waits for the steps before these
            stopping = done == total or bool(asked)
            # Several processes may not agree on the time; and all have to evaluate, or none.
            ending = done == total or (late and jax.process_count() == 1)
            save_due = stopping or self._is_due("checkpoint_every", done, ending)
            snapshot = Snapshot.take(state, done) if save_due else None
            saved = settled + self.enqueue(done, metrics, snapshot)
            if stopping or self._is_due("evaluate_every", done, ending):
                saved += self.settle(0)
            evaluated = self._evaluate(state, done, ending)
            if not evaluated:
                stopping = True
                if not save_due:
                    saved.append(self._save(Snapshot.take(state, done)))
            if self.gallery:
                for snapshot in saved:
                    last = stopping and snapshot.step == done
                    self.gallery.add(on_one_device(snapshot.state), snapshot.step, last)
                self.gallery.hand_out()
        return done, evaluated and done == total

    @property
    def is_late(self) -> bool:
        """Tell whether the run's --hours are over, and that is what ends it."""
        return time.monotonic() >= self.deadline and not self.interrupt

    def _compile_stage(self, done: int) -> list[Snapshot]:
        """Compile the step's program where another stage begins; return what was saved before.

        That is not counted in the speed.
        """
        trainer, stage = self.trainer, self.trainer.stage(done)
        if not done or stage == trainer.stage(done - 1):
            return []
        saved = self.settle(0)
        trainer.compile(1, trainer.steps_per_dispatch, stage=stage)
        self.reporter.restart_clock()
        return saved

    def _dispatch(self, state: Any, done: int) -> tuple[Any, Metrics]:
        """Ask the device for some steps, up to where something is due; return state, metrics."""
        config, trainer = self.run.config, self.trainer
        count = min(
            trainer.steps_per_dispatch,
            trainer.total_steps - done,
            *(every - done % every for every in self._periods.values()),
        )
        if trainer.stage(done + count - 1) != trainer.stage(done):
            count = 1
        rows = [
            indices(trainer.dataset, config.seed, step, config.images_per_step)
            for step in range(done, done + count)
        ]
        stacked = jax.tree.map(lambda *row: np.stack(row), *rows)
        return trainer.train_steps(state, stacked, trainer.stage(done))

    def enqueue(self, done: int, metrics: Metrics, snapshot: Snapshot | None) -> list[Snapshot]:
        """Append a dispatch, up to step `done`, to what is pending; return what was saved.

        Waits until the device has one dispatch, or half a second of steps, left to do, so that
        Ctrl-C is prompt. Waits for the snapshot before this one, too: two would fill the memory.
        """
        saved = []
        while snapshot and any(pending.snapshot for pending in self.pending):
            saved += self.settle(len(self.pending) - 1)
        self.pending.append(Pending(metrics, snapshot))
        while len(self.pending) > 1 and done - self.reporter.step > self.reporter.ahead:
            saved += self.settle(len(self.pending) - 1)
        return saved

    def settle(self, most: int) -> list[Snapshot]:
        """Report and save, oldest first, until at most so many are pending; return what was saved.

        Waits for the device. Raises UserError if the training has diverged.
        """
        saved = []
        while len(self.pending) > most:
            metrics, snapshot = self.pending.popleft()
            self.reporter.report(metrics)
            if snapshot:
                saved.append(self._save(snapshot))
        return saved

    def _save(self, snapshot: Snapshot) -> Snapshot:
        if not snapshot.is_finite:  # waits for the device; so the last checkpoint is a good one
            raise diverged(snapshot.step)
        self.checkpoints.save(snapshot.state)
        return snapshot

    @functools.cached_property
    def _periods(self) -> dict[str, int]:
        """Return the periods that the run has, in steps, by the names of their fields."""
        config, per_epoch = self.run.config, self.trainer.per_epoch
        periods = {name: config.steps_every(name, per_epoch) for name in PERIODS}
        return {name: every for name, every in periods.items() if every is not None}

    def _is_due(self, name: str, done: int, ending: bool) -> bool:
        """Tell whether what the period `name` says is due after `done` steps, or at the end."""
        every = self._periods.get(name)
        return every is not None and done > 0 and (ending or done % every == 0)

    def _evaluate(self, state: Any, done: int, ending: bool) -> bool:
        """Evaluate if it is due; return False if a signal ended that."""
        if self.selection is None or not self._is_due("evaluate_every", done, ending):
            return True
        evaluated = self.selection(state, epoch_of(done, self.trainer.per_epoch))
        self.reporter.restart_clock()
        return evaluated
