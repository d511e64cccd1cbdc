"""The training loop, which ties the pure step to the run's files, pictures and reports."""

import contextlib
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.config import PERIODS, Config
from flaxgan.data import Dataset, epoch_of, indices, prepare, steps_per_epoch
from flaxgan.diagnosis import diagnose
from flaxgan.methods import method_of
from flaxgan.methods.state import networks, with_frozen
from flaxgan.presets import STEPS_TO_SEE, Facts, described, too_short
from flaxgan.pretrained.extractor import Extractor, own_devices
from flaxgan.resolve import cut_to_time, facts_of, is_cut_to_time, resolved, without_classes
from flaxgan.runs.best import Selection
from flaxgan.runs.caller import COMMAND_LINE, Caller
from flaxgan.runs.checkpoint import Checkpoints, require_usable
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.runs.progress import Reporter, diverged
from flaxgan.runs.snapshots import Gallery, grid_after, remove_grids_after
from flaxgan.summary import describe
from flaxgan.system.devices import explaining_out_of_memory, on_cpu, on_one_device, set_up_devices
from flaxgan.system.distributed import agreed, ending_together, from_first, is_first, require_equal
from flaxgan.system.errors import UserError, say
from flaxgan.system.signals import Interrupt
from flaxgan.trainer import Trainer, require_divisible

IF_OUT_OF_MEMORY = (
    "try a smaller --batch-size, the same one in parts (--accumulate 2, 4, ...), --dtype bfloat16,"
    " fewer --features or a smaller --image-size"
)


@jax.jit
def _all_finite(params: Any) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()


_copied = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))


def train(run: Run, caller: Caller = COMMAND_LINE) -> Path:
    """Train to the end, or until interrupted, from the run's newest checkpoint if it has one;
    return the run's folder.

    Raises UserError if the data are too few, the folder can't be written, memory runs out, or a
    loss is no longer a number.
    """
    deadline = time.monotonic() + 3600 * run.config.hours if run.config.hours else math.inf
    with ending_together(), explaining_out_of_memory(IF_OUT_OF_MEMORY):
        require_usable(run.folder)
        devices = set_up_devices(run.config.device)
        # A new run's folder is process 0's choice; and no process writes to it before all have
        # looked what is in it.
        folder = Path(
            from_first(str(run.folder.absolute() if run.config.distributed else run.folder))
        )
        facts = facts_of(run, devices, run.config.hours and deadline - time.monotonic())
        run = resolved(dataclasses.replace(run, folder=folder), facts)
        require_divisible(run.config, devices)
        started = f"{run.config.to_dict()} {run.resumed}"
        require_equal(
            started, "were given different flags, or see different folders under --run-dir"
        )
        _train(run, devices, facts, deadline, caller)
        return run.folder


def _total_steps(config: Config, per_epoch: int) -> int:
    flag, total = min(config.lengths(per_epoch).items(), key=lambda item: item[1])
    # steps, and the optimiser's updates, are counted in 32 bits
    if total * config.images_per_step >= config.batch_size * 2**31:
        raise UserError(f"{flag} comes to {total} steps, more than can be counted; ask for fewer")
    return total


def _train(
    run: Run, devices: list[jax.Device], facts: Facts, deadline: float, caller: Caller
) -> None:
    first = is_first()
    tell = say if first else lambda *_, **__: None
    dataset = prepare(run.source, run.config.image_size, run.config.channels, run.config.fit)
    require_equal(dataset.sha256, "find different pictures under --dataset or --data-dir")
    run.require_same(dataset)
    if run.config.num_classes and not dataset.class_names:
        if "conditional" not in run.chosen or run.resumed:
            raise UserError(
                f"--conditional takes labelled pictures, and some of {run.source.title} have no"
                " class; give a --split that has"
            )
        run = without_classes(run)
    per_epoch = steps_per_epoch(len(dataset.images), run.config.images_per_step)
    total = _total_steps(run.config, per_epoch)
    extractor = None
    # before anything is written: its weights may not be there
    if first and run.config.evaluate_every:
        extractor = Extractor(run.config.extractor, own_devices(), run.config.inception_weights)

    with contextlib.ExitStack() as stack:
        if first:
            stack.enter_context(run.held())
        interrupt = stack.enter_context(Interrupt.watch())
        checkpoints = stack.enter_context(Checkpoints(run.folder, run.config.keep_checkpoints))
        done = max(checkpoints.steps(), default=0)
        if is_cut_to_time(run):
            run = cut_to_time(run, facts, deadline, Trainer(run.config, devices, dataset), done)
            total = _total_steps(run.config, per_epoch)
        config = run.config
        if first:
            if not run.resumed:
                run.write_config(dataset, 0, caller.command)
            remove_grids_after(done, run.folder, per_epoch)
        # A run may have been stopped after its last checkpoint, while that was evaluated or drawn.
        is_drawn = grid_after(done, run.folder, per_epoch).exists()
        undone = done == total and (not is_drawn or run.lacks_evaluation(done))
        if done >= total and not agreed(undone):
            limits = [name for name, end in config.lengths(per_epoch).items() if end == total]
            if done > total:
                tell(
                    f"{run.folder} has done {done} steps of {total}; to go on leave"
                    f" {' and '.join(limits)} out, or raise them"
                )
            else:
                tell(
                    f"{run.folder} is finished: {done} of {total} steps done; for more, raise"
                    f" {' and '.join(limits)}"
                )
            return
        if first:
            run.require_writable()
        what = (
            f"steps {done + 1} to {total}"
            if done < total
            else "what was left undone after its last step"
        )
        trainer = Trainer(config, devices, dataset, total_steps=total)
        if run.chosen and not run.resumed:
            tell(described(run.chosen, facts))
        tell(
            f"{describe(config, dataset, devices, trainer.state_shape)}\n{run.folder}: {what};"
            " compiling ...",
            flush=True,
        )
        if total < STEPS_TO_SEE:
            tell(too_short(total, config, facts))
        if done < total:
            trainer.compile(1, trainer.steps_per_dispatch)
        if done:
            state = with_frozen(
                checkpoints.restore(trainer.state_shape), trainer.state_shape, trainer.create_state
            )
        else:
            state = trainer.create_state()
        log = gallery = None
        if first:
            if run.resumed:
                run.write_config(dataset, done, caller.command)
            log = stack.enter_context(MetricsLog(run.folder, done, caller.on_log))
            gallery = stack.enter_context(Gallery(run, dataset, log, per_epoch, caller.on_snapshot))
            if done < total and not on_cpu():
                gallery.rehearse(on_one_device(state))
        reporter = stack.enter_context(Reporter(config, log, done, total, per_epoch))
        selection = None
        if config.evaluate_every:
            selection = stack.enter_context(
                Selection(run, dataset, extractor, log, interrupt, done)
            )
        loop = Loop(
            run,
            dataset,
            per_epoch,
            total,
            trainer,
            checkpoints,
            reporter,
            selection,
            gallery,
            interrupt,
            deadline,
        )
        done, whole = loop(state, done)

    resume = f"{caller.resume(run.folder)}{' --distributed ...' if config.distributed else ''}"
    if not whole and not loop.is_late:
        tell(
            f"stopped by {interrupt.name or 'another process'} after step {done} of {total}, all"
            f" saved; to resume:\n{resume}"
        )
        return
    illness = gallery and diagnose(
        gallery.reals, gallery.generated, log.rows, selection and selection.references
    )
    if not whole:
        tell(f"--hours {config.hours} are over after step {done} of {total}; to go on: {resume}")
    end = f"ended after {done} steps, but {illness}" if illness else f"finished {done} steps"
    tell(f"{end}; to sample: {caller.sample(run.folder)}")


@dataclasses.dataclass(frozen=True)
class Loop:
    """The steps of a run, and what is done between them."""

    run: Run
    dataset: Dataset
    per_epoch: int
    total: int
    trainer: Trainer
    checkpoints: Checkpoints
    reporter: Reporter
    selection: Selection | None
    gallery: Gallery | None  # of the process that draws
    interrupt: Interrupt
    deadline: float = math.inf  # by time.monotonic
    # what has been saved
    to_draw: deque[tuple[int, Any]] = dataclasses.field(default_factory=deque)

    def __call__(self, state: Any, done: int) -> tuple[int, bool]:
        """Go on from a state after `done` steps -> how many are done in the end, all saved and
        drawn; and whether that is all.
        """
        config, trainer, reporter = self.run.config, self.trainer, self.reporter
        stage = getattr(method_of(config), "stage", lambda *_: 0)
        periods = [every for name in PERIODS if (every := config.steps_every(name, self.per_epoch))]
        evaluated = self._evaluate(state, done, done == self.total)
        stopping = done == self.total or not evaluated
        if self.gallery and done and not grid_after(done, self.run.folder, self.per_epoch).exists():
            self.gallery.add(_copied(on_one_device(state)), done, stopping)
        while not stopping:
            late = self.is_late
            asked = trainer.of_any_process(self.interrupt or late)
            count = min(
                trainer.steps_per_dispatch,
                self.total - done,
                *(period - done % period for period in periods),
            )
            if stage(config, done + count - 1) != stage(config, done):
                count = 1
            rows = [
                indices(self.dataset, config.seed, step, config.images_per_step)
                for step in range(done, done + count)
            ]
            state, metrics = trainer.train_steps(
                state, jax.tree.map(lambda *own: np.stack(own), *rows), stage(config, done)
            )
            done += count
            # of several processes: waits for the steps before these
            stopping = done == self.total or bool(asked)
            # Several processes may not agree on the time; and all have to evaluate, or none.
            ending = done == self.total or (late and jax.process_count() == 1)
            save_due = stopping or self._is_due("checkpoint_every", done, ending)
            reporter.take(metrics, self.copied_to_save(state, done) if save_due else None)
            if stopping or self._is_due("evaluate_every", done, ending):
                reporter.catch_up()
            evaluated = self._evaluate(state, done, ending)
            if not evaluated:
                stopping = True
                if not save_due:
                    self.copied_to_save(state, done)()
            while self.to_draw:
                step, copy = self.to_draw.popleft()
                if self.gallery:
                    self.gallery.add(on_one_device(copy), step, stopping and step == done)
            if self.gallery:
                self.gallery.hand_out()
        return done, evaluated and done == self.total

    def copied_to_save(self, state: Any, step: int) -> Callable[[], None]:
        """Copy the state now -> what saves the copy, to be called once the losses of this step are
        known.

        Meanwhile the state itself may be donated, and the device do later steps.
        """
        copy = _copied(state)
        finite = _all_finite([network.params for network in networks(copy).values()])

        def save() -> None:
            if not finite:  # waits for the device; so the last checkpoint is always a good one
                raise diverged(step)
            self.checkpoints.save(copy)
            self.to_draw.append((step, copy))

        return save

    @property
    def is_late(self) -> bool:
        """Tell whether the run's --hours are over, and that is what ends it."""
        return time.monotonic() >= self.deadline and not self.interrupt

    def _is_due(self, name: str, done: int, ending: bool) -> bool:
        """Tell whether what is done every so often, as the period `name` says, is due after `done`
        steps.
        """
        every = self.run.config.steps_every(name, self.per_epoch)
        return bool(every) and done > 0 and (ending or done % every == 0)

    def _evaluate(self, state: Any, done: int, ending: bool) -> bool:
        """Evaluate if it is due; return False if a signal ended that."""
        if not self._is_due("evaluate_every", done, ending):
            return True
        evaluated = self.selection(state, epoch_of(done, self.per_epoch))
        self.reporter.restart_clock()
        return evaluated
