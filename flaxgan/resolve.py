"""Fill in what a run's flags leave open, by its preset: from the data, the devices and the time."""

import dataclasses
import statistics
import time
from collections.abc import Sequence

import jax
import numpy as np

from flaxgan.data.captions import require_captions
from flaxgan.data.survey import Survey, survey
from flaxgan.methods import check
from flaxgan.models.growth import last_stage, mean_cost
from flaxgan.presets import Choice, Facts, choose, plan
from flaxgan.runs.folder import Run
from flaxgan.system.distributed import from_first
from flaxgan.system.errors import UserError
from flaxgan.trainer import Trainer

DISPATCHES_TIMED = 16


def facts_of(run: Run, devices: Sequence[jax.Device], seconds: float | None) -> Facts:
    """Return what a preset decides by; `seconds`: left to train in, or None.

    Opens a few of the pictures where a preset has yet to choose by them: auto, for a new run.
    """
    if run.resumed or run.config.preset == "plain":
        looks = Survey(run.source.image_size, False)
    else:
        looks = survey(run.source)
    return Facts(
        num_images=len(run.source),
        num_classes=len(run.source.class_names),
        native=run.source.image_size,
        size=looks.size or (64, 64),
        # of other data it is known what mirroring does
        drawn=looks.drawn and run.config.image_folder is not None,
        platform=devices[0].platform,
        num_devices=len(devices),
        seconds=seconds,
    )


def resolved(run: Run, facts: Facts) -> Run:
    """Return the run with all fields filled in that a new run's flags leave open.

    A resumed run has them. Raises UserError if it is to learn classes that the data do not have.
    """
    config, source = run.config, run.source
    if config.condition == "text":
        require_captions(source, config.options.caption)
    if config.condition == "class" and not source.class_names:
        raise UserError(
            f"--condition class takes labelled pictures, and {source.title} has no classes; "
            "a folder's are its sub-folders, at least two, beside which no pictures may lie"
            + "".join(f"; {note}" for note in source.notes)
        )
    if run.resumed:
        return run
    run = _with(run, choose(config, run.given, facts))
    config = run.config
    check(config)
    derived = {
        "channels": config.channels or source.channels,
        "flip": source.flip if config.flip is None else config.flip,
        "num_classes": len(source.class_names) if config.condition == "class" else None,
    }
    return dataclasses.replace(run, config=config.replace(**derived))


def _with(run: Run, chosen: dict[str, Choice]) -> Run:
    config = run.config.replace(**{name: choice.value for name, choice in chosen.items()})
    return dataclasses.replace(run, config=config, chosen=run.chosen | chosen)


def without_classes(run: Run) -> Run:
    """Return the run without the classes that its preset chose, as some images have none."""
    chosen = {name: choice for name, choice in run.chosen.items() if name != "condition"}
    return dataclasses.replace(
        run, config=run.config.replace(condition="none", num_classes=None), chosen=chosen
    )


def is_cut_to_time(run: Run) -> bool:
    """Tell whether the run's length fills its --hours.

    A resumed run's does if they are given anew.
    """
    return (
        bool(run.config.hours)
        and "images" in run.chosen
        and (not run.resumed or "hours" in run.given)
    )


def cut_to_time(run: Run, facts: Facts, deadline: float, trainer: Trainer, done: int) -> Run:
    """Return the run with a length that fills the time until `deadline`, after `done` steps.

    The deadline is of time.monotonic. Times a few steps; waits for the device. All processes get
    the length that the first one finds.
    """
    speed = float(from_first(str(measured_speed(trainer))))
    facts = dataclasses.replace(
        facts, images_per_second=speed, seconds=max(1.0, deadline - time.monotonic())
    )
    fields = run.config.fields
    # as the end of srgan's first phase: once it has begun, the run is what it is
    free = {name for name in run.chosen if not (done and fields[name].metadata["fixed"])}
    chosen = plan(run.config, free, facts)
    images = chosen["images"].value + done * run.config.images_per_step
    return _with(run, chosen | {"images": chosen["images"]._replace(value=images)})


def measured_speed(trainer: Trainer) -> float:
    """Return images per second, the median of a few steps on a state that is then thrown away.

    Waits for the device. Of a run that grows, steps of the last phase are timed, and its average
    over all phases is returned.
    """
    stage, state = last_stage(trainer.config), trainer.create_state()
    zeros = np.zeros((trainer.steps_per_dispatch, trainer.images_per_step), np.int64)
    indices = trainer.dataset.rows(zeros, zeros)
    seconds = []
    for _ in range(DISPATCHES_TIMED):
        began = time.perf_counter()
        state, metrics = trainer.train_steps(state, indices, stage)
        jax.block_until_ready(metrics)
        seconds.append(time.perf_counter() - began)
    speed = zeros.size / statistics.median(seconds[1:])  # the first may compile
    return speed / mean_cost(trainer.config)
