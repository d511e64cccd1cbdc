"""Set up a training, run its loop, and say how it ended: what Python and the command call."""

import contextlib
import dataclasses
import math
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax

from flaxgan.config import Config
from flaxgan.data import Dataset, prepare_data, steps_per_epoch
from flaxgan.data.captions import prompts_of
from flaxgan.diagnosis import diagnose
from flaxgan.loop import Loop
from flaxgan.methods import frozen, translates
from flaxgan.methods.state import without_frozen
from flaxgan.models.growth import is_full_size
from flaxgan.presets import STEPS_TO_SEE, Facts, described, too_short
from flaxgan.pretrained.extractor import Extractor, open_extractors
from flaxgan.reports.following import Following
from flaxgan.resolve import cut_to_time, facts_of, is_cut_to_time, resolved, without_classes
from flaxgan.runs.best import Selection
from flaxgan.runs.caller import COMMAND_LINE, Caller
from flaxgan.runs.checkpoint import Checkpoints, require_usable
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.runs.progress import Reporter
from flaxgan.runs.snapshots import Gallery, grid_after, remove_grids_after
from flaxgan.runs.trained import write_prompts
from flaxgan.runs.transfer import begun, require_fit
from flaxgan.summary import describe, ended, nothing_to_do, stopped
from flaxgan.system.devices import explaining_out_of_memory, on_cpu, on_one_device, set_up_devices
from flaxgan.system.distributed import agreed, ending_together, from_first, is_first, require_equal
from flaxgan.system.errors import UserError, say
from flaxgan.system.signals import Interrupt
from flaxgan.trainer import Trainer, require_divisible

IF_OUT_OF_MEMORY = (
    "try a smaller --batch-size, the same one in parts (--accumulate 2, 4, ...), --dtype bfloat16,"
    " fewer --features or a smaller --image-size"
)

CHECKPOINTS_OF_ROOM = 3  # for less a warning is given


class Start(NamedTuple):
    """Where a training starts, and who asked for it."""

    devices: list[jax.Device]
    facts: Facts
    deadline: float  # by time.monotonic; inf: none
    caller: Caller


def train(run: Run, caller: Caller = COMMAND_LINE) -> Path:
    """Train to the end, or until interrupted, from the run's newest checkpoint if it has one.

    Returns the run's folder. Raises UserError if the data are too few, the folder can't be
    written, memory runs out, or a loss is no longer a number.
    """
    deadline = time.monotonic() + 3600 * run.config.hours if run.config.hours else math.inf
    with ending_together(), explaining_out_of_memory(IF_OUT_OF_MEMORY):
        require_usable(run.folder)
        devices = set_up_devices(run.config.device)
        # A new run's folder is process 0's choice; and no process writes to it before all have
        # looked what is in it.
        folder = run.folder.absolute() if run.config.distributed else run.folder
        run = dataclasses.replace(run, folder=Path(from_first(str(folder))))
        facts = facts_of(run, devices, run.config.hours and deadline - time.monotonic())
        run = resolved(run, facts)
        require_divisible(run.config, devices)
        started = f"{run.config.to_dict()} {run.resumed}"
        require_equal(
            started, "were given different flags, or see different folders under --run-dir"
        )
        _train(run, Start(devices, facts, deadline, caller))
        return run.folder


def _train(run: Run, start: Start) -> None:
    first, caller = is_first(), start.caller
    run, dataset = _with_data(run)
    per_epoch = steps_per_epoch(len(dataset), run.config.images_per_step)
    total = _total_steps(run.config, per_epoch)
    extractors: list[Extractor] = []
    # before anything is written: weights may not be there, or not fit
    frozen(run.config)
    if not run.resumed:
        require_fit(run.config)
    if first and run.config.evaluate_every:
        files = run.config.inception_weights, run.config.dinov2_weights
        extractors = open_extractors(run.config.extractor, *files)

    with contextlib.ExitStack() as stack:
        if first:
            following = Following(run, stack)
            stack.enter_context(run.held())
        interrupt = stack.enter_context(Interrupt.watch(exits=caller.owns_process))
        checkpoints = stack.enter_context(Checkpoints(run.folder, run.config.keep_checkpoints))
        done = max(checkpoints.steps(), default=0)
        if is_cut_to_time(run):
            # a trainer that goes: its images in the device's memory would be there twice
            timed = Trainer(run.config, start.devices, dataset)
            run = cut_to_time(run, start.facts, start.deadline, timed, done)
            del timed
            total = _total_steps(run.config, per_epoch)
        config = run.config
        if first:
            if dataset.captions is not None:
                write_prompts(run.folder, prompts_of(dataset))
            if not run.resumed:
                run.write_config(dataset, 0, caller.command)
            remove_grids_after(done, run.folder, per_epoch)
        # A run may have been stopped after its last checkpoint, while that was evaluated or drawn.
        is_drawn = grid_after(done, run.folder, per_epoch).exists()
        undone = done == total and (not is_drawn or run.lacks_evaluation(done))
        if done >= total and not agreed(undone):
            _tell(nothing_to_do(run, done, total, per_epoch))
            return
        if first:
            run.require_writable()
        trainer = Trainer(config, start.devices, dataset, total_steps=total)
        _tell_what_starts(run, trainer, start.facts, done)
        state = _starting_state(trainer, checkpoints, done)
        log = gallery = selection = None
        if first:
            if run.resumed:
                run.write_config(dataset, done, caller.command)
            on_log, followers = following.begin(run, done, stack, caller.on_log)
            log = stack.enter_context(MetricsLog(run.folder, done, on_log, config.log_every))
            gallery = stack.enter_context(
                Gallery(run, dataset, log, per_epoch, caller.on_snapshot, followers)
            )
            if jax.process_count() == 1:
                _draw_missing(gallery, trainer, checkpoints, done)
            if done < total and not on_cpu():
                gallery.rehearse(on_one_device(state))
        reporter = stack.enter_context(
            Reporter(config, log, done, total, per_epoch, start.deadline)
        )
        if first and following.watch:
            following.watch.follow(reporter.now)
        if config.evaluate_every:
            selection = Selection(run, dataset, extractors, log, interrupt, done)
            stack.enter_context(selection)
        loop = Loop(
            run, trainer, checkpoints, reporter, interrupt, selection, gallery, start.deadline
        )
        done, whole = loop(state, done)

    if not whole and not loop.is_late:
        _tell(stopped(run, caller, loop.interrupt.name or "another process", done, total))
    elif gallery and log:
        references = selection.references if selection else None
        illness = diagnose(gallery.reals, gallery.generated, log.rows, references)
        late = None if whole else total
        _tell(ended(run, caller, done, late, illness))


def _tell(text: str) -> None:
    """Say it once, whatever the number of processes."""
    if is_first():
        say(text, flush=True)


def _with_data(run: Run) -> tuple[Run, Dataset]:
    """Return the run and its data. Raises UserError if these are not what it began with."""
    dataset = prepare_data(run.config, run.source)
    require_equal(dataset.sha256, "find different pictures under --dataset or --data-dir")
    run.require_same(dataset)
    run.require_same_captions(dataset)
    if dataset.captions is not None:
        require_equal(dataset.captions.sha256, "find different captions of the pictures")
    if run.config.num_classes and not dataset.class_names:
        if "condition" not in run.chosen or run.resumed:
            raise UserError(
                f"--condition class takes labelled pictures, and some of {run.source.title} have no"
                " class; give a --split that has"
            )
        run = without_classes(run)
    return run, dataset


def _total_steps(config: Config, per_epoch: int) -> int:
    flag, total = min(config.lengths(per_epoch).items(), key=lambda item: item[1])
    # steps, and the optimiser's updates, are counted in 32 bits
    if total * config.images_per_step >= config.batch_size * 2**31:
        raise UserError(f"{flag} comes to {total} steps, more than can be counted; ask for fewer")
    return total


def _tell_what_starts(run: Run, trainer: Trainer, facts: Facts, done: int) -> None:
    total = trainer.total_steps
    if run.chosen and not run.resumed:
        _tell(described(run.chosen, facts))
    what = (
        f"steps {done + 1} to {total}"
        if done < total
        else "what was left undone after its last step"
    )
    summary = describe(run.config, trainer.dataset, trainer.devices, trainer.state_shape)
    _tell(f"{summary}\n{run.folder}: {what}; compiling ...")
    saved = jax.tree.leaves(without_frozen(trainer.state_shape))
    checkpoint = sum(x.size * x.dtype.itemsize for x in saved)
    if (free := shutil.disk_usage(run.folder).free) < CHECKPOINTS_OF_ROOM * checkpoint:
        _tell(
            f"note: {free / 2**20:.0f} MiB are free where {run.folder} is, and a checkpoint takes"
            f" {checkpoint / 2**20:.0f}; fewer are kept with --keep-checkpoints 1"
        )
    if not is_full_size(run.config, total):
        _tell(
            f"note: after {total} steps pictures have not grown to full size: it takes more steps,"
            " or in a new run fewer --grow-images"
        )
    if total < STEPS_TO_SEE and not translates(run.config):
        _tell(too_short(total, run.config, facts))


def _starting_state(trainer: Trainer, checkpoints: Checkpoints, done: int) -> Any:
    """Return the state after `done` steps; compiles the step if there are more to do."""
    if done < trainer.total_steps:
        trainer.compile(1, trainer.steps_per_dispatch, stage=trainer.stage(done))
    if not done:
        return begun(trainer.create_state(), trainer.config, jax.local_devices()[0])
    return trainer.completed(checkpoints.restore(trainer.state_shape))


def _draw_missing(gallery: Gallery, trainer: Trainer, checkpoints: Checkpoints, done: int) -> None:
    """Draw what is kept from before `done` and was saved, but not drawn before a kill."""
    for step in checkpoints.steps():
        if step < done and not grid_after(step, gallery.run.folder, trainer.per_epoch).exists():
            state = trainer.completed(checkpoints.restore(trainer.state_shape, step))
            gallery.add(on_one_device(state), step, last=False)
