"""Evaluated runs beside each other: which differences are larger than chance."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from flaxgan.data.reading import printable
from flaxgan.runs.schema import LARGEST
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError
from flaxgan.system.files import read_text

CONFIDENCE = 0.95
# what may differ between runs of one recipe
APART = ("seed", "run_dir")
# what has to be the same in evaluations that are compared
PROTOCOL = ("extractor_sha256", "resize", "n_real", "n_generated")
MADE_OF = ("samples", "results")  # of the run's own evaluations


class Value(NamedTuple):
    """A metric of one row: the mean of `num` values, their standard deviation (NaN of one)."""

    mean: float
    spread: float
    num: int
    least: float
    most: float

    def differs(self, other: "Value") -> bool | None:
        """Tell whether it differs by more than chance (Welch's t-test); None: can't be told."""
        variances = [x.spread**2 / x.num for x in (self, other)]
        if not all(map(math.isfinite, variances)):
            return None
        error, gap = sum(variances), abs(self.mean - other.mean)
        if error == 0:
            return gap > 0 or None
        terms = (v**2 / (x.num - 1) for v, x in zip(variances, (self, other), strict=True))
        freedom = error**2 / sum(terms)
        return bool(gap > stdtrit(freedom, (1 + CONFIDENCE) / 2) * math.sqrt(error))


class Row(NamedTuple):
    """Runs of one recipe, which differ by their seed alone, or one run."""

    name: str
    protocol: dict[str, Any]
    values: dict[str, Value]
    teacher: str | None = None  # a network that training saw


def _evaluation(folder: Path) -> dict[str, Any]:
    path = folder / "evaluation.json"
    try:
        content = json.loads(read_text(path, LARGEST))
        protocol, metrics = content["protocol"], content["metrics"]
        protocol = {name: protocol[name] for name in PROTOCOL}
        protocol["set of real pictures"] = content["real"].get("sha256")
        made_of = content["generated"].get("source")
        for entry in metrics.values():
            _value([entry])
    except FileNotFoundError as error:
        raise UserError(
            f"{printable(folder)} was not evaluated: python -m flaxgan.evaluate"
            f" {printable(folder)} --repeat 5"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{printable(path)} can't be read: {error}; evaluate anew") from error
    if made_of not in MADE_OF:
        raise UserError(f"{printable(path)} measures other pictures than the run's; evaluate anew")
    return {"protocol": protocol, "metrics": metrics}


def _value(entries: Sequence[dict[str, Any]]) -> Value:
    """Return what several runs have, or one with the spread of its own samples."""
    values = [float(entry["value"]) for entry in entries]
    if len(values) == 1:
        spread, num = entries[0].get("spread"), entries[0].get("repeats", 1)
        if (
            not math.isfinite(values[0])
            or type(num) is not int
            or num < (1 if spread is None else 2)
        ):
            raise ValueError("a value is no number, or of no number of samples")
        return Value(values[0], math.nan if spread is None else float(spread), num, *2 * values)
    deviation = float(np.std(values, ddof=1))
    return Value(float(np.mean(values)), deviation, len(values), min(values), max(values))


def rows_of(folders: Sequence[Path]) -> list[Row]:
    """Read the evaluations of runs; those of one recipe that differ by their seed are one row.

    Raises UserError if a folder is no run, was not evaluated, or by another protocol.
    """
    groups: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    teachers: dict[str, str | None] = {}
    seeds: dict[tuple[str, int], Path] = {}
    for folder in {folder.resolve(): folder for folder in folders}.values():
        config = load_run(folder).config
        fields = {name: config[name] for name in config.fields if name not in APART}
        recipe = repr(fields)
        if (same := seeds.setdefault((recipe, config.seed), folder)) != folder:
            raise UserError(
                f"{printable(same)} and {printable(folder)} are one recipe of one --seed, which"
                " tell nothing of chance; leave one out"
            )
        teachers[recipe] = getattr(config.options, "teacher", None)
        groups.setdefault(recipe, []).append((folder, _evaluation(folder)))
    rows = []
    for recipe, members in groups.items():
        names = ", ".join(printable(folder) for folder, _ in members)
        first, measured = members[0][1], [evaluation["metrics"] for _, evaluation in members]
        shared = [name for name in first["metrics"] if all(name in each for each in measured)]
        values = {name: _value([each[name] for each in measured]) for name in shared}
        rows.append(Row(names, first["protocol"], values, teachers[recipe]))
        for folder, evaluation in members:
            for part, value in evaluation["protocol"].items():
                if value != rows[0].protocol[part]:
                    raise UserError(
                        f"{printable(folder)} was evaluated with another {part} than"
                        f" {rows[0].name}, so that numbers can't be compared; evaluate it anew"
                    )
    return rows


def _cell(value: Value | None) -> str:
    if value is None:
        return ""
    spread = "" if math.isnan(value.spread) else f" ± {value.spread:.2g}"
    span = f" ({value.least:.4g} to {value.most:.4g})" if value.least < value.most else ""
    return f"{value.mean:.4g}{spread}{span}"


def _orders(rows: Sequence[Row], name: str) -> list[str]:
    return [row.name for row in sorted(rows, key=lambda row: row.values[name].mean)]


def table(rows: Sequence[Row]) -> str:
    """Lay out metrics a line each, rows beside each other, and say what is larger than chance."""
    names = [name for name in rows[0].values if all(name in row.values for row in rows)]
    lines = [("metric", *(row.name for row in rows), "more than chance")]
    for name in names:
        values = [row.values[name] for row in rows]
        told = [a.differs(b) for i, a in enumerate(values) for b in values[i + 1 :]]
        words = "unknown" if None in told else "all" if all(told) else "some" if any(told) else "no"
        lines.append((name, *map(_cell, values), words if told else ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    distances = [name for name in names if name.partition("_")[0] in ("fd", "fid")]
    for other in distances[1:]:
        if _orders(rows, other) != _orders(rows, distances[0]):
            text.append(f"note: {distances[0]} and {other} put these runs in different orders")
    for row in rows:
        if row.teacher and any(name.endswith(row.teacher) for name in names):
            text.append(f"note: {row.name} trained with {row.teacher}, which flatters it")
    if any(math.isnan(value.spread) for row in rows for value in row.values.values()):
        text.append(
            "note: of a run without a spread nothing is known of chance: python -m"
            " flaxgan.evaluate RUN --repeat 5"
        )
    if any(", " not in row.name for row in rows):
        text.append(
            "note: the spread of one run is that of its samples; trainings with other --seed"
            " differ more, and are one row here if all else is the same"
        )
    return "\n".join(text)
