"""A run's log, snapshots and configuration as event files, which TensorBoard shows."""

import datetime
import secrets
from typing import Any, Self

from flaxgan.fields import flag, typed
from flaxgan.runs.folder import Run
from flaxgan.runs.snapshots import Drawn
from flaxgan.system.extras import imported

FOLDER = "tensorboard"
MOST_WAITING = 1000  # events, before the training waits for the disk
SECONDS_BETWEEN_WRITES = 10


def require_installed() -> None:
    """Raise UserError, before a training starts, if event files can't be written."""
    imported("tensorboardX", "tensorboard", "--tensorboard")


class Events:
    """Write a run's event files; what they have of steps that were lost, TensorBoard drops."""

    def __init__(self, run: Run, done: int):
        """Go on after `done` steps: in a new file, which takes back what others have after them."""
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.proto.summary_pb2 import Summary
        from tensorboardX.summary import text
        from tensorboardX.writer import FileWriter  # Weights & Biases listens to this one

        self._summary = Summary
        self._writer = FileWriter(
            str(run.folder / FOLDER),
            MOST_WAITING,
            SECONDS_BETWEEN_WRITES,
            f".{done}.{secrets.token_hex(4)}",  # two starts in one second are two files
        )
        lost = Event(step=done + 1, session_log=SessionLog(status=SessionLog.START))
        self._writer.add_event(lost)
        fields = run.config.to_dict().items()
        lines = [f"| {flag(name)} | {_cell(value)} |" for name, value in fields]
        table = "\n".join(["| flag | value |", "| --- | --- |", *lines])
        self._writer.add_summary(text("configuration", table), done)

    def row(self, row: dict[str, Any]) -> None:
        """Write a row of the log, all its numbers as one event."""
        time = datetime.datetime.fromisoformat(row["time"]).timestamp()
        values = [
            self._summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name not in ("step", "time")
        ]
        self._writer.add_summary(self._summary(value=values), row["step"], time)

    def drawn(self, drawn: Drawn) -> None:
        """Write a grid of generated pictures."""
        if drawn.pixels is None:
            return
        from tensorboardX.summary import image

        self._writer.add_summary(image("generated", drawn.pixels, dataformats="HWC"), drawn.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _cell(value: Any) -> str:
    text = "" if value is None else typed(value)
    return text.replace("|", "\\|").replace("\n", " ")
