"""Checkpoints: the only file that knows Orbax."""

import logging
import sys
from pathlib import Path
from typing import Any, Self

import jax
import orbax.checkpoint as ocp

from flaxgan.errors import UserError
from flaxgan.naming import CheckpointName, step_in_words
from flaxgan.run import TrainedRun
from flaxgan.state import GANState, state_shape

# Orbax warns of what was asked of it, and reports each read that a damaged checkpoint broke; the error here says it once.
for name in ("absl", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
otherwise = sys.unraisablehook
sys.unraisablehook = lambda raised: None if str(raised.exc_value) == "Event loop is closed" else otherwise(raised)

ALL = "checkpoints"  # the folder of the newest ones
BEST = "best_checkpoint"  # of the one that evaluation chose
MOST_NAMED = 8  # where many are kept
ATTEMPTS = 3  # at reading the newest one of a run that may be training


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    return {jax.tree_util.keystr(path, simple=True): tuple(leaf.shape) for path, leaf in jax.tree.leaves_with_path(tree)}


class Checkpoints:
    """The checkpoints of a run. Written in the background and renamed into place when whole, so none is ever half one."""

    def __init__(self, run_dir: Path, keep: int | None = None, folder: str = ALL):
        """`keep`: how many of the newest to keep; None opens the folder to read only."""
        self.folder = run_dir.absolute() / folder
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, read_only=keep is None, cleanup_tmp_directories=keep is not None)
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=ocp.StandardCheckpointHandler())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()  # waits for what is being written

    def steps(self) -> list[int]:
        """Of all whole checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def remove_after(self, step: int) -> None:
        """Remove what a run that goes on from `step` has yet to do."""
        for late in (late for late in self.steps() if late > step):
            self._manager.delete(late)

    def save(self, state: GANState) -> None:
        """Copy the state and write it in the background; a step already saved is left alone. Waits for the device."""
        step = int(state.step)
        if step not in self.steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, shape: GANState, step: int | None = None) -> GANState:
        """The newest checkpoint, or that of `step`, with the shapes, dtypes and shardings of `shape`.

        Raises UserError if there is none, if it can't be read, or if it belongs to another network.
        """
        steps = self.steps()
        if not steps:
            raise UserError(f"there is no checkpoint in {self.folder} yet")
        if step is None:
            step = steps[-1]
        elif step not in steps:
            raise UserError(f"there is no checkpoint of step {step} in {self.folder}; there are {', '.join(map(str, steps))}")
        path = self.folder / str(step)
        try:
            tree = self._manager.item_metadata(step).tree
            if _shapes(tree) == _shapes(shape):
                return self._manager.restore(step, args=ocp.args.StandardRestore(shape))
        except Exception as error:  # a damaged file fails in whatever way its reader likes
            older = f"; if it is damaged, remove it to go on from step {steps[-2]}" if step == steps[-1] != steps[0] else ""
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            raise UserError(f"the checkpoint {path} can't be read{older} ({reason})") from error
        raise UserError(f"the checkpoint {path} belongs to another network than config.json describes")


def _find(run: TrainedRun, name: CheckpointName | None) -> tuple[str, int | None]:
    """Find a checkpoint -> its folder in the run's, and its step, None for the newest. Raises UserError if it is not kept."""
    run_dir = Path(run.config.run_dir)
    if name in (None, CheckpointName("best")):
        folder, why = (BEST, "no best checkpoint: train it with --evaluate-every") if name else (ALL, "no checkpoint yet")
        if not (run_dir / folder).is_dir():
            raise UserError(f"{run_dir} has {why}")
        return folder, None
    step = name.step(run.per_epoch)
    kept = {int(path.name): folder for folder in (BEST, ALL) for path in (run_dir / folder).glob("*") if path.name.isdecimal()}
    if step not in kept:
        near = sorted(sorted(kept, key=lambda other: abs(other - step))[:MOST_NAMED])
        words = [step_in_words(step, run.per_epoch) for step in (step, *near)]
        raise UserError(
            f"{run_dir} has no checkpoint of {words[0]}; kept: {', '.join(words[1:]) or 'none yet'}"
            f"{', …' if len(near) < len(kept) else ''}; the run's pictures of other epochs are in generated_images/, "
            "their weights are gone; --keep-checkpoints N keeps more"
        )
    return kept[step], step


def load(run: TrainedRun, name: CheckpointName | None, device: jax.Device) -> GANState:
    """Restore the state of a run at the checkpoint that is asked for, the newest if none is, on one device.

    Raises UserError if there is no such checkpoint, or if it can't be read.
    """
    folder, step = _find(run, name)
    shape = state_shape(run.config, jax.sharding.SingleDeviceSharding(device))
    for attempt in range(ATTEMPTS):
        try:
            with Checkpoints(Path(run.config.run_dir), folder=folder) as checkpoints:
                return checkpoints.restore(shape, step)
        except (UserError, FileNotFoundError):  # a run that goes on may have removed it meanwhile, and has a newer one
            if step is not None or attempt == ATTEMPTS - 1:
                raise
