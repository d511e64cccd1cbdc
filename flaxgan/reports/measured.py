"""What was measured of a run, with what real pictures have, and what the numbers mean."""

import math
from collections.abc import Mapping
from typing import Any

from flaxgan.metrics.results import MEANING
from flaxgan.reports.columns import COUNTS, Rows, number
from flaxgan.runs.history import SPEED

HIGHER_IS_BETTER = ("precision", "recall", "density", "coverage", "class_", "psnr", "ssim", "kept_")
LOWER_IS_BETTER = ("fd", "fid", "kid", "l1", "target_distance", "cycle_distance", "memorised")


def _line(name: str, value: Any, reference: Any, **more: Any) -> dict[str, Any]:
    """Return a row of the table of metrics."""
    meaning, of = MEANING.get(name) or MEANING.get(name.partition("_")[0]) or ("", "")
    finite = [x if math.isfinite(x := number(one)) else None for one in (value, reference)]
    return {
        "name": name,
        "value": finite[0],
        "reference": finite[1],
        "meaning": meaning,
        "of": of if finite[1] is not None else "",
        **more,
    }


def _best(name: str, rows: Rows) -> dict[str, Any]:
    """Return the best value of a metric and its step, where it is known which is better."""
    values = [(number(row[name]), row["step"]) for row in rows if name in row]
    values = [pair for pair in values if math.isfinite(pair[0])]
    better = min if name.startswith(LOWER_IS_BETTER) else max
    if len(values) < 2 or not name.startswith((*LOWER_IS_BETTER, *HIGHER_IS_BETTER)):
        return {}
    best, step = better(values, key=lambda pair: pair[0])
    return {"best": best, "best_step": step}


def of_log(evaluations: Rows, references: Mapping[str, float]) -> dict[str, Any]:
    """Return the last evaluation of a training: its step, and its metrics beside the best ones."""
    if not evaluations:
        return {}
    last = evaluations[-1]
    names = [name for name in last if name not in (*COUNTS, SPEED)]
    # of a run that grows: enlarged pictures are nearer to the real ones, and not better
    alike = [row for row in evaluations if row.get("resolution") == last.get("resolution")]
    lines = [_line(name, last[name], references.get(name), **_best(name, alike)) for name in names]
    return {"step": last["step"], "lines": lines}


def of_evaluation(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return what evaluation.json holds: date, what was compared, metrics and caveats."""
    if not saved:
        return {}
    lines = [
        _line(str(name), entry.get("value"), entry.get("reference"))
        for name, entry in saved["metrics"].items()
        if isinstance(entry, dict)
    ]
    caveats = saved.get("caveats")
    sets = {side: saved.get(side) for side in ("real", "generated")}
    return {
        "date": str(saved.get("date", "")),
        "sets": {side: _said(what) for side, what in sets.items() if isinstance(what, dict)},
        "lines": lines,
        "caveats": [str(text) for text in caveats] if isinstance(caveats, list) else [],
    }


def _said(what: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in what.items() if name != "sha256")
