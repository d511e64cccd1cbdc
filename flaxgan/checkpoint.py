"""Checkpoints: the only file that knows Orbax."""

import logging
import sys
from pathlib import Path
from typing import Any, Self

import jax
import orbax.checkpoint as ocp

from flaxgan.config import Config
from flaxgan.errors import UserError
from flaxgan.state import GANState, state_shape

# Orbax warns of what was asked of it, and reports each read that a damaged checkpoint broke; the error here says it once.
for name in ("absl", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
otherwise = sys.unraisablehook
sys.unraisablehook = lambda raised: None if str(raised.exc_value) == "Event loop is closed" else otherwise(raised)

BEST = "best_checkpoint"  # the folder of the one that evaluation chose
ATTEMPTS = 3  # at reading the newest one of a run that may be training


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    return {jax.tree_util.keystr(path, simple=True): tuple(leaf.shape) for path, leaf in jax.tree.leaves_with_path(tree)}


class Checkpoints:
    """The checkpoints of a run. Written in the background and renamed into place when whole, so none is ever half one."""

    def __init__(self, run_dir: Path, keep: int | None = None, folder: str = "checkpoints"):
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


def load(run_dir: Path, config: Config, checkpoint: int | str | None, device: jax.Device) -> GANState:
    """The state of a run at a step, at "best" (as --evaluate-every chose it), or at its newest checkpoint (None), on one device.

    Raises UserError if there is no such checkpoint.
    """
    best = checkpoint == "best"
    folder = BEST if best else "checkpoints"
    if not (run_dir / folder).is_dir():
        why = "no best checkpoint: train it with --evaluate-every" if best else "no checkpoint yet"
        raise UserError(f"{run_dir} has {why}")
    shape = state_shape(config, jax.sharding.SingleDeviceSharding(device))
    step = None if best else checkpoint
    for attempt in range(ATTEMPTS):
        try:
            with Checkpoints(run_dir, folder=folder) as checkpoints:
                return checkpoints.restore(shape, step)
        except (UserError, FileNotFoundError):  # a run that goes on may have removed it meanwhile, and has a newer one
            if step is not None or attempt == ATTEMPTS - 1:
                raise
