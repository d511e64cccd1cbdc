"""Draw the images and curves of a run in the background.

matplotlib takes a second, for which no device should wait.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from flaxgan.curves import save_losses
from flaxgan.data import Dataset, epoch_of
from flaxgan.methods import to_sample
from flaxgan.models.growth import resolution
from flaxgan.plots import grid, save_image, save_side_by_side
from flaxgan.runs.folder import Run
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.runs.views import view_of
from flaxgan.system.attempts import Attempts

OnSnapshot = Callable[[np.ndarray, int], None]  # of images, uint8 (N, H, W, C), and their step
SHARE_OF_TIME = 0.02  # at most, for the figures that each epoch replaces, and the report
# states to be drawn; on a GPU an epoch may be over sooner than its images are drawn
MOST_WAITING = 8
# seconds that drawing keeps Python from the thread that feeds the device; steps may be as short
SWITCH_INTERVAL = 5e-4


class Drawn(NamedTuple):
    """Tell a follower what has been drawn, in the thread that draws."""

    step: int
    path: Path | None  # of the grid of images, which is about to be written
    pixels: np.ndarray | None  # of that grid, uint8 (H, W, 1 or 3)
    rows: list[dict[str, Any]]  # of the log
    figures: bool  # whether the figures were drawn anew
    last: bool  # whether the training ends


Followers = Mapping[str, Callable[[Drawn], None]]  # by what they write


def grid_after(step: int, run_dir: Path, per_epoch: int) -> Path:
    """Return the grid's file, named by the epoch that the step ends, or by the step.

    It is saved last: if it is there, all is drawn.
    """
    epoch, rest = divmod(step, per_epoch)
    name = f"step_{step:08d}.png" if rest else f"epoch_{epoch:04d}.png"
    return run_dir / "generated_images" / name


def step_of(file: Path, per_epoch: int | None) -> int | None:
    """Return the step of a grid's file, whose name has it or its epoch; None for another file."""
    unit, _, number = file.stem.partition("_")
    steps = {"epoch": per_epoch, "step": 1}.get(unit)
    return int(number) * steps if steps and number.isdecimal() and len(number) < 16 else None


def _steps_of_grids(run_dir: Path, per_epoch: int | None) -> dict[Path, int]:
    """Return the grids of a run, and the step that each is of."""
    steps = {}
    for file in (run_dir / "generated_images").glob("*_*.png"):
        if (step := step_of(file, per_epoch)) is not None:
            steps[file] = step
    return steps


def grids(run_dir: Path, per_epoch: int | None) -> list[Path]:
    """Return the grids of a run, the oldest first."""
    steps = _steps_of_grids(run_dir, per_epoch)
    return sorted(steps, key=lambda file: (steps[file], file.name))


def remove_grids_after(step: int, run_dir: Path, per_epoch: int) -> None:
    """Remove the grids of steps that were lost, as with a process that was killed."""
    for file, of in _steps_of_grids(run_dir, per_epoch).items():
        if of > step:
            file.unlink()


class Gallery:
    """Draw a run's grids of images, and its figures, in a thread of their own.

    They are written to the run's folder; what can't be drawn is a warning.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        log: MetricsLog,
        per_epoch: int,
        on_snapshot: OnSnapshot | None = None,
        followers: Followers | None = None,
    ):
        """Save a grid of real images now.

        `on_snapshot`: is called with what is drawn later, in the thread of `add`; `followers` in
        the thread that draws, now and later.
        """
        self.run, self.log, self.per_epoch, self._on_snapshot = run, log, per_epoch, on_snapshot
        self._attempt = Attempts(run.folder)
        self._to_sample = to_sample(run.config)
        self._view = view_of(run.config, dataset)
        self.reals = self._view.reals
        with self._attempt("real_images.png"):
            save_image(run.folder / "real_images.png", grid(self.reals))
        grid_after(0, run.folder, per_epoch).parent.mkdir(exist_ok=True)
        self._pool, self._switch_interval = ThreadPoolExecutor(1), sys.getswitchinterval()
        self._drawn: deque[Future[tuple[np.ndarray | None, int]]] = deque()
        self._next_figures, self._followers = 0.0, followers or {}
        rows = list(log.rows)
        step = max((row["step"] for row in rows), default=0)
        self._pool.submit(self._tell, Drawn(step, None, None, rows, figures=True, last=False))
        self.generated = np.zeros((0, *self.reals.shape[1:]), np.uint8)  # what was drawn last

    def rehearse(self, state: Any) -> None:
        """Compile what drawing takes. Waits for the device.

        On a GPU XLA times candidates while it compiles: beside a training either would slow the
        other to a crawl.
        """
        self._view.images(self._to_sample(state))

    def add(self, state: Any, step: int, last: bool) -> None:
        """Draw the images of a checkpoint in the background. The state must not be donated."""
        while len(self._drawn) >= MOST_WAITING:
            self._hand_out_first()
        drawn = self._to_sample(state), list(self.log.rows), step, last
        self._drawn.append(self._pool.submit(self._draw, *drawn))

    def hand_out(self) -> None:
        """Call `on_snapshot` with what has been drawn since the last call; wait for nothing.

        Raises what drawing raised.
        """
        while self._drawn and self._drawn[0].done():
            self._hand_out_first()

    def _hand_out_first(self) -> None:
        images, step = self._drawn.popleft().result()
        if self._on_snapshot and images is not None:
            self._on_snapshot(images, step)

    def _draw(
        self, state: Any, rows: list[dict[str, Any]], step: int, last: bool
    ) -> tuple[np.ndarray | None, int]:
        """Draw what belongs to a step; return the images, or None if they fail, and the step."""
        generated = None
        with self._attempt("generated pictures"):
            self.generated = generated = self._view.images(state)
            sheet = self._view.sheet(state, generated, self._attempt)
            path = grid_after(step, self.run.folder, self.per_epoch)
            began = time.monotonic()
            due = last or began >= self._next_figures
            if due:
                self._draw_figures(generated, rows, step)
            self._tell(Drawn(step, path, sheet, rows, due, last))
            if due:
                now = time.monotonic()
                self._next_figures = now + (now - began) / SHARE_OF_TIME
            save_image(path, sheet)
        return generated, step

    def _draw_figures(self, generated: np.ndarray, rows: list[dict[str, Any]], step: int) -> None:
        title = f"{self.run.source.name}, epoch {epoch_of(step, self.per_epoch)}, step {step}"
        if side := resolution(self.run.config, step):
            title += f", {side} px"
        with self._attempt("real_vs_generated.png"):
            grids = {"real": self.reals, "generated": generated}
            save_side_by_side(
                self.run.folder / "real_vs_generated.png", grids, title, self._view.columns
            )
        with self._attempt("losses.png"):
            save_losses(self.run.folder / "losses.png", rows, title, self.per_epoch)

    def _tell(self, drawn: Drawn) -> None:
        for name, follower in self._followers.items():
            with self._attempt(name):
                follower(drawn)

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is KeyboardInterrupt)
        sys.setswitchinterval(self._switch_interval)
        while self._drawn and kind is None:
            self._hand_out_first()
