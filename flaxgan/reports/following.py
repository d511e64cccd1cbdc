"""What follows a training: its report, who watches it, and TensorBoard's event files."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from flaxgan.reports.events import Events, require_installed
from flaxgan.reports.page import NAME, Report
from flaxgan.reports.shown import Grid
from flaxgan.reports.watching import Watch
from flaxgan.runs.folder import Run
from flaxgan.runs.snapshots import Drawn, Followers

SHARE_OF_TIME = 0.01  # at most, for the report, beside the figures
OnLog = Callable[[dict[str, Any]], None]


class Following:
    """Write a run's report, with its figures or sooner, show it, and write event files."""

    def __init__(self, run: Run, stack: contextlib.ExitStack):
        """Listen where --watch says, until `stack` is left; raise UserError if that can't be."""
        config, self._next = run.config, 0.0
        if config.tensorboard:
            require_installed()
        self.watch = None if config.watch is None else Watch(config.watch_host, config.watch)
        if self.watch:
            stack.enter_context(self.watch)

    def begin(
        self, run: Run, done: int, stack: contextlib.ExitStack, on_log: OnLog | None
    ) -> tuple[OnLog | None, Followers]:
        """Return what is to be called with each row of the log, and with what is drawn."""
        self.report, self.folder = Report([run.folder]), run.folder
        followers: dict[str, Callable[[Drawn], None]] = {NAME: self._write}
        if not run.config.tensorboard:
            return on_log, followers
        events = stack.enter_context(Events(run, done))

        def both(row: dict[str, Any]) -> None:
            events.row(row)
            if on_log:
                on_log(row)

        return both, followers | {"TensorBoard's event files": events.drawn}

    def _write(self, drawn: Drawn) -> None:
        began = time.monotonic()
        if not drawn.figures and began < self._next:
            return
        grid = None
        if drawn.path is not None and drawn.pixels is not None:
            grid = Grid(drawn.path, drawn.pixels)
        content = self.report.runs[0](drawn.rows, grid, goes_on=not drawn.last)
        shown = self.report.write(self.folder / NAME, content)
        if self.watch:
            self.watch.show(*shown)
        now = time.monotonic()
        self._next = now + (now - began) / SHARE_OF_TIME
