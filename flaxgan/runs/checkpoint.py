"""Save and restore checkpoints; no other file knows Orbax."""

import contextlib
import functools
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import LatestN

from flaxgan.methods.state import without_frozen
from flaxgan.runs.digests import digests, require_equal
from flaxgan.runs.trees import filled, nested, shapes
from flaxgan.system.errors import UserError, say

ALL = "checkpoints"  # the folder of the newest ones
BEST = "best_checkpoint"  # of the one that evaluation chose
DIGESTS = "sha256"  # of the arrays, beside each checkpoint
Part = Callable[[Any], Any]  # takes from a state what is to be read of it


@functools.cache
def _quieten() -> None:
    """Silence Orbax, which warns of what was asked of it.

    It also reports each read that a damaged checkpoint broke, which is said once here.
    """
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    otherwise = sys.unraisablehook
    sys.unraisablehook = lambda raised: (
        None if str(raised.exc_value) == "Event loop is closed" else otherwise(raised)
    )


def require_usable(run_dir: Path) -> None:
    """Raise UserError if Orbax can't keep checkpoints below this folder.

    It uses the path as a glob pattern, and a backslash in it as a slash, so that what it has
    written is not found again. Bytes that are no text it refuses at length.
    """
    path = run_dir.absolute().as_posix()
    wrong = sorted({c for c in path if c in "*?[\\" or "\ud800" <= c <= "\udfff"})
    if wrong:
        raise UserError(
            f"{run_dir.absolute()} can't hold checkpoints, for Orbax, which writes them, can't take"
            f" {' '.join(wrong)} in a path; rename the folder, or name another --run-dir"
        )


def _handlers() -> Any:
    """Return how checkpoints are written and read, which Orbax is to know before the first one."""
    registry, types = ocp.handlers.DefaultCheckpointHandlerRegistry(), ocp.type_handlers
    # Else each of several devices would write a slice of every array, which has to be compiled.
    arrays = (jax.Array, types.ArrayHandler(use_replica_parallel=False))
    known = types.create_type_handler_registry(arrays, (np.ndarray, types.NumpyHandler()))
    handler = ocp.PyTreeCheckpointHandler(type_handler_registry=known)
    for argument in (ocp.args.PyTreeSave, ocp.args.PyTreeRestore):
        registry.add("default", argument, handler)
    return registry


class Checkpoints:
    """Save and restore the states of a run.

    A checkpoint is written in the background and renamed into place when whole, so that none is
    ever half one.
    """

    def __init__(self, run_dir: Path, keep: int | None = None, folder: str = ALL):
        """Open the folder to keep the `keep` newest checkpoints; None opens it to read only.

        Raises UserError if what would be written there could not be read.
        """
        _quieten()
        self.run_dir, self.folder = run_dir, run_dir.absolute() / folder
        if keep is not None:
            require_usable(run_dir)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=None if keep is None else LatestN(keep),
            read_only=keep is None,
            cleanup_tmp_directories=keep is not None,
        )
        self._manager = ocp.CheckpointManager(
            self.folder, options=options, handler_registry=_handlers()
        )
        self._unread: int | None = None  # the step saved last, until it has been looked at
        self._is_first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._require_readable()
        finally:
            self._manager.close()  # waits for what is being written

    def steps(self) -> list[int]:
        """Return the steps of all whole checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def remove_after(self, step: int) -> None:
        """Remove the checkpoints after `step`, from which the run goes on."""
        for late in self.steps():
            if late > step:
                self._manager.delete(late)

    def save(self, state: Any, **facts: float) -> None:
        """Copy the state and write it in the background; a step already saved is left alone.

        Its arrays' digests go with it, and `facts`. Waits for the device. Raises UserError if the
        checkpoint before can't be read, or this one, if it is the first.
        """
        step = int(state.step)
        if step not in self.steps():
            self._require_readable()
            state = without_frozen(state)
            kept: dict[str, Any] = {"facts": facts}
            if not jax.process_index():  # which writes them
                kept[DIGESTS] = digests(state)
            self._manager.save(step, args=ocp.args.PyTreeSave(state), custom_metadata=kept)
            self._unread = step
            # waits for it: else a run whose checkpoints are lost would go on until the next
            if self._is_first:
                self._require_readable()
                self._is_first = False

    def _require_readable(self) -> None:
        """Raise UserError if what was saved last can't be read, once it is written.

        Orbax has been seen to say nothing where it lost what it wrote.
        """
        step, self._unread = self._unread, None
        if step is None:
            return
        self._manager.wait_until_finished()
        if jax.process_index():  # one is enough; when others see it depends on the disk they share
            return
        try:
            self._manager.reload()
            found = step in self.steps() and bool(shapes(self._tree(step)))
            reason = "it is not found"
        except Exception as error:  # as below
            found, reason = False, _in_short(error)
        if not found:
            raise UserError(
                f"the checkpoint {self.folder / str(step)} was written, and can't be read"
                f" ({reason}); the run stops here, for no later one would be better: name a"
                " --run-dir on another disk"
            )

    def facts(self, step: int) -> dict[str, float]:
        """Return what was saved beside the state of a step; nothing of an older run."""
        return self._kept(step).get("facts", {})

    def _kept(self, step: int) -> dict[str, Any]:
        return self._manager.metadata(step).custom_metadata or {}

    def _tree(self, step: int) -> Any:
        """Return the state's metadata, for which the header of every array is read.

        Raises whatever Orbax does.
        """
        return self._manager.metadata(step).item_metadata.tree

    def _read(self, step: int, shape: Any, part: Part | None = None) -> Any:
        """Return the state at `step`, or a part of it, or None if it is another network's.

        Raises Damaged if an array is not what was written, and whatever Orbax does.
        """
        shape = part(without_frozen(shape)) if part else without_frozen(shape)
        kept, needed = shapes(self._tree(step)), shapes(shape)
        if needed != kept and not (part and needed.items() <= kept.items()):
            return None
        wanted = nested(shape) if part else shape
        how = ocp.checkpoint_utils.construct_restore_args(wanted)
        how = ocp.args.PyTreeRestore(wanted, restore_args=how, partial_restore=part is not None)
        state = filled(shape, self._manager.restore(step, args=how))
        if written := self._kept(step).get(DIGESTS):
            require_equal(state, written)
        else:
            say(
                f"note: {self.folder / str(step)} has no digests of its arrays, as those of older"
                " versions: whether it is damaged is not known"
            )
        return state

    def restore(self, shape: Any, step: int | None = None, part: Part | None = None) -> Any:
        """Read the newest checkpoint, or that of `step`.

        `shape` is a state of jax.ShapeDtypeStruct with shardings; `part` takes from it what is to
        be read (see methods/__init__.py), and the rest stays on the disk.

        Raises UserError if there is none, if it can't be read, or if it belongs to another network.
        """
        steps = self.steps()
        if not steps:
            require_usable(self.run_dir)
            raise UserError(f"there is no checkpoint in {self.folder} yet")
        if step is None:
            step = steps[-1]
        elif step not in steps:
            raise UserError(
                f"there is no checkpoint of step {step} in {self.folder}; there are"
                f" {', '.join(map(str, steps))}"
            )
        path = self.folder / str(step)
        try:
            state = self._read(step, shape, part)
        except Exception as error:  # a damaged file fails in whatever way its reader likes
            require_usable(self.run_dir)
            advice = self._way_back(shape) if step == steps[-1] else ""
            raise UserError(
                f"the checkpoint {path} can't be read{advice} ({_in_short(error)})"
            ) from error
        if state is None:
            raise UserError(
                f"the checkpoint {path} belongs to another network than config.json describes"
            )
        return state

    def _way_back(self, shape: Any) -> str:
        """Return what to remove if the newest checkpoint is damaged; "" if no other is whole."""
        if jax.process_count() > 1:  # they read together, and the others may have found no damage
            return ""
        *older, newest = self.steps()
        damaged = [newest]
        for step in reversed(older):
            with contextlib.suppress(Exception):
                if self._read(step, shape) is not None:
                    what = ", ".join(str(self.folder / str(step)) for step in damaged)
                    return (
                        f"; if it is damaged, remove {what} to go on from step {step}, which can be"
                        " read"
                    )
            damaged.insert(0, step)
        return ""


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
