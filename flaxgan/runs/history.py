"""Read what a run has logged, as columns."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from flaxgan.runs.metrics_log import logged
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing

SPEED = "images_per_second"  # is in each row of the training, and in none of an evaluation


class History(Mapping[str, np.ndarray]):
    """Hold a run's log by column: history["d_loss"] is an array with a value for each row.

    The value is NaN (or NaT) where a row has none. `rows` are the same as dictionaries, one for
    each logged step and each evaluation: pandas.DataFrame(history.rows).
    """

    def __init__(self, rows: Sequence[dict[str, Any]]):
        """Take the rows of metrics.jsonl, as dictionaries."""
        self.rows = [*rows]
        self._names = [*dict.fromkeys(name for row in self.rows for name in row)]

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Read the log of a run. Raises UserError if it can't be read."""
        return cls([*logged(run_dir)])

    @property
    def training(self) -> "History":
        """Return the rows of logged steps alone: losses, accuracies and speed."""
        return History([row for row in self.rows if SPEED in row])

    @property
    def evaluations(self) -> "History":
        """Return the rows of evaluations alone: a column for each metric."""
        return History([row for row in self.rows if SPEED not in row])

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column: float64, or int64 where every row has a whole number.

        "time" is datetime64[s] in UTC.
        """
        if name not in self._names:
            raise KeyError(f"there is no column {name!r}; there are {', '.join(self._names)}")
        values = [row.get(name) for row in self.rows]
        if name == "time":
            return np.array(
                [(value or "NaT").removesuffix("Z") for value in values], "datetime64[s]"
            )
        if all(type(value) is int for value in values):
            return np.array(values, np.int64)
        return np.array([np.nan if value is None else value for value in values], np.float64)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write all columns as CSV, a line for each row, empty where it has no value; return where.

        The file is replaced as a whole. Raises UserError if it can't be written.
        """
        path = Path(path).expanduser()
        try:
            with replacing(path) as temporary, temporary.open("w", newline="") as file:
                writer = csv.DictWriter(file, self._names, restval="")
                writer.writeheader()
                writer.writerows(self.rows)
        except OSError as error:
            raise UserError(f"{path} can't be written: {error.strerror}") from error
        return path

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"History({len(self.rows)} rows: {', '.join(self._names)})"
