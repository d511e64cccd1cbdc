"""A run as a program has it: what flaxgan.train returns."""

import contextlib
import dataclasses
import functools
import html
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flaxgan
from flaxgan.config import Config
from flaxgan.curves import curves, png
from flaxgan.reports.page import write_report
from flaxgan.runs.history import History
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flaxgan.model import Model


@dataclasses.dataclass(frozen=True)
class Page:
    """Say where a report was written; a notebook shows it as a link."""

    path: Path

    def _repr_html_(self) -> str:
        with contextlib.suppress(ValueError):  # it is elsewhere: a browser may open that
            near = self.path.resolve().relative_to(Path.cwd()).as_posix()
            return _link(urllib.parse.quote(near), near)
        return _link(self.path.resolve().as_uri(), str(self.path))


def _link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address)}" target="_blank">{html.escape(visible(text))}</a>'


class Run:
    """The folder of a run, finished or not.

    All that it says is read anew, so it may be looked at while the run trains.
    """

    def __init__(self, folder: str | Path):
        """Open the folder of a run. Raises UserError if it is none."""
        self.folder = Path(folder).expanduser()
        load_run(self.folder)

    @property
    def config(self) -> Config:
        """Return the configuration, with all that was chosen for it."""
        return load_run(self.folder).config

    @property
    def step(self) -> int:
        """Return how many steps have been done and saved."""
        return max(
            (int(path.name) for path in self.folder.glob("checkpoints/*") if path.name.isdecimal()),
            default=0,
        )

    @property
    def total_steps(self) -> int | None:
        """Return how many steps the run is to have; None before the first one has been done."""
        run = load_run(self.folder)
        return run.per_epoch and min(run.config.lengths(run.per_epoch).values())

    @property
    def finished(self) -> bool:
        """Tell whether all steps are done: not so after an interrupt, or if `hours` were over."""
        return self.total_steps is not None and self.step >= self.total_steps

    @property
    def history(self) -> History:
        """Return the log so far, as columns: losses, accuracies, speed and evaluations."""
        return History.read(self.folder)

    def plot(self) -> "Figure":
        """Draw losses, accuracies and evaluations over steps.

        A notebook shows the figure if it is the last line of a cell.
        """
        title = f"{self.folder.name}, step {self.step}"
        figure = curves(self.history.rows, title, load_run(self.folder).per_epoch or 1)
        # a notebook asks for it, whatever matplotlib's backend is
        figure.__dict__["_repr_png_"] = functools.partial(png, figure)
        return figure

    def report(self, output: str | Path | None = None) -> "Page":
        """Write the run's report, a page that opens in any browser; a notebook shows a link to it.

        `output`: a .html (default: report.html in the run's folder). Raises UserError if it can't
        be written there.
        """
        return Page(
            write_report([self.folder], None if output is None else Path(output).expanduser())
        )

    def load(self, checkpoint: str | int | None = None, device: str = "auto") -> "Model":
        """Load a generator of the run: see flaxgan.load."""
        from flaxgan.model import Model  # and the forms that it is exported in: 0.1 s

        return Model(self.folder, checkpoint, device)

    def evaluate(self, **options: Any) -> dict[str, Any]:
        """Measure images of the run against its training data: see flaxgan.evaluate."""
        return flaxgan.evaluate(self.folder, **options)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, step {self.step} of {self.total_steps or 'unknown'})"
