"""A run's log as columns for charts: over pictures seen and time trained, thinned where long."""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flaxgan.runs.history import SPEED

COUNTS = ("step", "time", "epoch", "images_seen")  # of a row; what else it has is drawn
Rows = Sequence[Mapping[str, Any]]
Columns = dict[str, list[float | None]]


def number(value: Any) -> float:
    """Return a value of a log as a float: NaN if it is none, or too large for one."""
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        return math.nan


def _instant(text: Any) -> float:
    """Return a time in ISO format as seconds, or NaN."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return math.nan


def seconds_trained(rows: Rows, starts: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return for each row the seconds trained so far, without the pauses between the starts.

    `starts` are those of config.json: the step and date of each.
    """
    times = np.array([_instant(row.get("time")) for row in rows])
    steps = np.array([number(row["step"]) for row in rows])
    total, begun = np.zeros(len(rows)), 0.0
    begins = [(number(start.get("step")), _instant(start.get("date"))) for start in starts]
    begins = [begin for begin in begins if not any(map(math.isnan, begin))]
    if len(times) and not begins:
        begins = [(0.0, float(times[0]))]
    for i, (step, date) in enumerate(begins):
        after = begins[i + 1][0] if i + 1 < len(begins) else math.inf
        inside = (steps > step) & (steps <= after)
        total[inside] = begun + np.maximum(0, np.nan_to_num(times[inside] - date))
        begun = max(begun, float(total[inside].max(initial=0)))
    return np.maximum.accumulate(total) if len(total) else total


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def columns(rows: Rows, seconds: np.ndarray, images_per_step: int, most: int) -> Columns:
    """Return rows as lists by name, with None where there is no value.

    Where there are more than `most` numbers, each point is the mean of as many rows as it takes.
    """
    names = [*dict.fromkeys(name for row in rows for name in row if name not in COUNTS)]
    fold = max(1, math.ceil(len(rows) * (len(names) + 3) / most))
    table = {"step": np.array([number(row["step"]) for row in rows])}
    table["images_seen"] = table["step"] * images_per_step
    table["seconds"] = seconds
    table |= {name: np.array([number(row.get(name)) for row in rows]) for name in names}
    exact = {"step", "images_seen"}
    return {
        name: [round(x) for x in _folded(values, fold, last=True).tolist()]
        if name in exact
        else _rounded(_folded(values, fold, last=name == "seconds"))
        for name, values in table.items()
    }


def _folded(values: np.ndarray, fold: int, last: bool) -> np.ndarray:
    """Return the mean, or the last, of each `fold` values."""
    if fold == 1 or not len(values):
        return values
    parts = np.array_split(values, range(fold, len(values), fold))
    if last:
        return np.array([part[-1] for part in parts])
    finite = [part[np.isfinite(part)] for part in parts]
    return np.array([part.mean() if len(part) else math.nan for part in finite])


def in_order(rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows of the training and those of evaluations, each by their steps."""
    ordered = sorted(rows, key=lambda row: row["step"])
    return [x for x in ordered if SPEED in x], [x for x in ordered if SPEED not in x]
