"""Read and write metrics.jsonl, the log of a run."""

import collections
import contextlib
import datetime
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from flaxgan.system.errors import UserError, say
from flaxgan.system.files import read_text, replacing

METRICS_FILE = "metrics.jsonl"


def _is_row(row: Any) -> bool:
    """Tell whether a line's content is a row: a step, and numbers, beside the time."""
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return False
    return all(type(value) in (int, float) for name, value in row.items() if name != "time")


def read_log(run_dir: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a run's log, and how many of its lines are none, as one half written.

    Raises UserError if they can't be read.
    """
    path = run_dir / METRICS_FILE
    try:
        lines = read_text(path).splitlines() if path.exists() else []
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    rows = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            if _is_row(row := json.loads(line)):
                rows.append(row)
    return rows, sum(map(bool, map(str.strip, lines))) - len(rows)


def logged(run_dir: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's log: see read_log."""
    return read_log(run_dir)[0]


def evaluated(run_dir: Path) -> list[int]:
    """Return the steps of the evaluations in the log."""
    return [row["step"] for row in logged(run_dir) if "images_per_second" not in row]


def _gap(rows: list[dict[str, Any]], step: int, log_every: int) -> tuple[int, int] | None:
    """Return the first two steps between which rows have been lost before `step`, if any.

    Steps between rows that occur thrice may be those of another --log-every, before.
    """
    steps = sorted({0, step} | {row["step"] for row in rows if "images_per_second" in row})
    between = collections.Counter(b - a for a, b in itertools.pairwise(steps))
    usual = max([log_every, *(gap for gap, count in between.items() if count >= 3)])
    return next(((a, b) for a, b in itertools.pairwise(steps) if b - a > usual + 1), None)


class MetricsLog:
    """Write metrics.jsonl: a line for each logged step, and one for each evaluation.

    A line is on disk as soon as its numbers are known.
    """

    def __init__(
        self,
        run_dir: Path,
        step: int,
        on_row: Callable[[dict[str, Any]], None] | None = None,
        log_every: int = 1,
    ):
        """Keep the rows up to `step`, without those of steps that were lost.

        Says so if rows before it are missing. `on_row`: is called with each row that is appended.
        """
        self._on_row = on_row
        path = run_dir / METRICS_FILE
        self.rows = [row for row in logged(run_dir) if row["step"] <= step]
        if gap := _gap(self.rows, step, log_every):
            say(
                f"note: {path} has lost its rows between step {gap[0]} and step {gap[1]}; the"
                " curves have none there"
            )
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        self._file = path.open("a")

    def append(self, row: dict[str, Any]) -> None:
        """Write a row, with the time in UTC after its counts, and hand it to `on_row`."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"step": row["step"], "time": now} | row
        self.rows.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._on_row:
            self._on_row(dict(row))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
