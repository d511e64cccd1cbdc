"""Find a trained run's checkpoint by its name, and read it."""

from typing import Any

import jax

from flaxgan.methods import state_shape
from flaxgan.runs.checkpoint import ALL, BEST, Checkpoints, Part
from flaxgan.runs.naming import CheckpointName, step_in_words
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.errors import UserError

MOST_NAMED = 8  # where many are kept
ATTEMPTS = 3  # at reading the newest one of a run that may be training


def _find(run: TrainedRun, name: CheckpointName | None) -> tuple[str, int | None]:
    """Return a checkpoint's folder in the run's, and its step, or None for the newest.

    Raises UserError if it is not kept.
    """
    run_dir = run.folder
    if name is None or name == CheckpointName("best"):
        folder, why = ALL, "no checkpoint yet"
        if name:
            folder, why = BEST, "no best checkpoint: train it with --evaluate-every"
        if not (run_dir / folder).is_dir():
            raise UserError(f"{run_dir} has {why}")
        return folder, None
    step = name.step(run.per_epoch)
    kept = {
        int(path.name): folder
        for folder in (BEST, ALL)
        for path in (run_dir / folder).glob("*")
        if path.name.isdecimal()
    }
    if step not in kept:
        near = sorted(sorted(kept, key=lambda other: abs(other - step))[:MOST_NAMED])
        words = [step_in_words(step, run.per_epoch) for step in (step, *near)]
        raise UserError(
            f"{run_dir} has no checkpoint of {words[0]}; kept:"
            f" {', '.join(words[1:]) or 'none yet'}{', …' if len(near) < len(kept) else ''}; the"
            " run's pictures of other epochs are in generated_images/, their weights are gone;"
            " --keep-checkpoints N keeps more"
        )
    return kept[step], step


def step_of(run: TrainedRun, name: CheckpointName | None) -> int:
    """Return the step of a run's checkpoint, of its newest without a name.

    Raises UserError if there is none such.
    """
    folder, step = _find(run, name)
    if step is not None:
        return step
    with Checkpoints(run.folder, folder=folder) as checkpoints:
        if not (steps := checkpoints.steps()):
            raise UserError(f"there is no checkpoint in {run.folder} yet")
    return steps[-1]


def load(
    run: TrainedRun, name: CheckpointName | None, device: jax.Device, part: Part | None = None
) -> Any:
    """Restore the state of a run, or a part of it, on one device, from its newest checkpoint.

    `name` asks for another checkpoint. Raises UserError if there is none such, or if it can't be
    read.
    """
    folder, step = _find(run, name)
    on_device = jax.sharding.SingleDeviceSharding(device)
    shape = state_shape(run.config, on_device)
    attempts = ATTEMPTS if step is None else 1
    while True:
        attempts -= 1
        try:
            with Checkpoints(run.folder, folder=folder) as checkpoints:
                return checkpoints.restore(shape, step, part)
        # a run that goes on may have removed it meanwhile, and has a newer one
        except (UserError, FileNotFoundError):
            if not attempts:
                raise
