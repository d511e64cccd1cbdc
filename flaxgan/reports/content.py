"""What the report of a run says: as data, which the page's script lays out."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from flaxgan.data import steps_per_epoch
from flaxgan.diagnosis import Evidence, diagnoses
from flaxgan.fields import flag, typed
from flaxgan.models.growth import steps_left
from flaxgan.options import TranslationOptions
from flaxgan.reports.columns import Rows, columns, in_order, number, seconds_trained
from flaxgan.reports.measured import of_evaluation, of_log
from flaxgan.reports.shown import Grid, Room, Shown
from flaxgan.runs.caller import COMMAND_LINE
from flaxgan.runs.history import SPEED
from flaxgan.runs.metrics_log import METRICS_FILE, read_log
from flaxgan.runs.provenance import require_this_version
from flaxgan.runs.trained import read_config, read_references
from flaxgan.system.errors import UserError
from flaxgan.system.files import in_use

RECENT = 20  # rows, of which the speed is taken
MOST_NAMES = 12  # of classes
MOST_STARTS = 50


class RunContent:
    """Say what a run's folder holds, as data for a page; it may be asked again and again."""

    def __init__(self, folder: Path, room: Room):
        """Take a run's folder, of any version of flaxgan. Raises UserError if it is none."""
        self.folder, self.room, self._shown = folder, room, Shown(folder, room)
        self.saved, self.config = read_config(folder, any_version=True)

    def __call__(
        self, rows: Rows | None = None, drawn: Grid | None = None, goes_on: bool | None = None
    ) -> dict[str, Any]:
        """Return all that the page shows of the run. Raises UserError if it can't be read.

        A training hands over the `rows` of its log, the newest grid, and whether it goes on.
        """
        self.saved, self.config = read_config(self.folder, any_version=True)
        lost = 0
        if rows is None:
            rows, lost = read_log(self.folder)
        if goes_on is None:
            goes_on = in_use(self.folder)
        trained, evaluations = in_order(rows)
        starts, ips = self.saved.get("starts", []), self.config.images_per_step
        seconds = [seconds_trained(part, starts) for part in (trained, evaluations)]
        half = self.room.numbers // 2
        known = read_references(self.folder)
        measured = of_evaluation(self._shown.evaluation())
        caveats = [*known["caveats"], *measured.get("caveats", [])]
        later = {line["name"]: line["reference"] for line in measured.get("lines", [])}
        references = {name: x for name, x in later.items() if x is not None} | known["references"]
        snapshots, of = self._shown.snapshots(self.config, self.per_epoch, drawn)
        real, generated = self._shown.samples(self.config, drawn, not self.translates)
        evidence = Evidence(real, generated, rows, references, caveats)
        notes = []
        try:
            require_this_version(self.saved)
        except UserError as error:
            notes.append(str(error))
        if lost > 0:
            notes.append(f"{lost:,} lines of {METRICS_FILE} can't be read and are left out")
        return {
            "name": self.folder.absolute().name,
            "folder": str(self.folder),
            "version": self.saved.get("flaxgan_version", ""),
            "what": self._what(),
            **self._progress(rows, trained, goes_on),
            "seconds": float(max((part.max(initial=0) for part in seconds), default=0)),
            "training": columns(trained, seconds[0], ips, half),
            "rows": len(trained),
            "evaluations": columns(_of_their_own(evaluations), seconds[1], ips, half),
            "snapshots": snapshots,
            "all_snapshots": of,
            "real": None if self.translates else self._shown.real(),
            "figures": self._shown.figures(),
            "metrics": of_log(evaluations, references),
            "evaluation": measured,
            "warnings": diagnoses(evidence),
            "notes": notes,
            "configuration": self._configuration(),
            "starts": starts[-MOST_STARTS:],
            "changes": self.saved.get("changes", [])[-MOST_STARTS:],
            "commands": self._commands(),
        }

    @property
    def translates(self) -> bool:
        """Tell whether the run makes pictures of pictures."""
        return isinstance(self.config.options, TranslationOptions)

    @property
    def per_epoch(self) -> int | None:
        """Return the steps of an epoch, or None if config.json doesn't say how many pictures."""
        with contextlib.suppress(UserError):
            if images := self.saved.get("data", {}).get("images"):
                return steps_per_epoch(images, self.config.images_per_step)
        return None

    def _what(self) -> list[str]:
        """Return in a few phrases what is trained on what."""
        config, data = self.config, self.saved.get("data", {})
        height, width = config.image_size or (0, 0)
        colour = "grey" if config.channels == 1 else "colour"
        target = getattr(config.options, "target", None)
        trained_on = f"{config.dataset} → {target}" if target else config.dataset
        phrases = [config.method, trained_on, f"{height} × {width}, {colour}"]
        if "images" in data:
            phrases.append(f"{data['images']:,} pictures")
        if "targets" in data:
            phrases.append(f"{data['targets']:,} targets")
        if names := data.get("class_names"):
            more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
            phrases.append(f"{len(names):,} classes: {', '.join(names[:MOST_NAMES])}{more}")
        return phrases

    def _progress(self, rows: Rows, trained: Rows, goes_on: bool) -> dict[str, Any]:
        """Return how far the run is, how fast it is, and how long it will take."""
        ips, per_epoch = self.config.images_per_step, self.per_epoch
        total = min(self.config.lengths(per_epoch).values(), default=None) if per_epoch else None
        step = max((row["step"] for row in rows), default=0)
        speeds = np.array([number(row[SPEED]) for row in trained[-RECENT:]])
        speeds = speeds[np.isfinite(speeds) & (speeds > 0)]
        speed = float(np.median(speeds)) if len(speeds) else None
        state = "training" if goes_on else "stopped" if step else "not begun"
        if total is not None and step >= total:
            state = "finished"
        left = None
        if total is not None and speed is not None and state != "finished":
            left = steps_left(self.config, step, total) * ips / speed
        return {
            "state": state,
            "step": step,
            "total": total,
            "epoch": per_epoch and step / per_epoch,
            "epochs": per_epoch and total and total / per_epoch,
            "images_seen": step * ips,
            "speed": speed,
            "left": left,
        }

    def _configuration(self) -> list[dict[str, Any]]:
        """Return the fields with their defaults, and why they are what they are."""
        chosen = self.saved.get("chosen", {})
        return [
            {
                "name": flag(name),
                "value": _worded(self.config[name]),
                "default": _worded(field.default),
                "differs": self.config[name] != field.default,
                "why": chosen.get(name, ""),
                "help": field.metadata["help"],
            }
            for name, field in self.config.fields.items()
            if field.metadata["saved"] and field.metadata["flag"]
        ]

    def _commands(self) -> list[tuple[str, str]]:
        """Return what one may do with the run, and the commands that do it."""
        call, folder = COMMAND_LINE, self.folder
        made = call.translate(folder) if self.translates else call.sample(folder)
        commands = {
            "go on training": call.resume(folder),
            "translate" if self.translates else "sample": made,
        }
        if (folder / "best_checkpoint").is_dir():
            commands["with the best checkpoint"] = f"{made} --checkpoint best"
        commands["evaluate"] = call.evaluate(folder)
        return [*commands.items()]


def _of_their_own(evaluations: Rows) -> Rows:
    """Return evaluations without what the rows of the training have, too."""
    return [{name: x for name, x in row.items() if name != "resolution"} for row in evaluations]


def _worded(value: Any) -> str:
    return (
        ""
        if value is None
        else "yes"
        if value is True
        else "no"
        if value is False
        else (typed(value))
    )
