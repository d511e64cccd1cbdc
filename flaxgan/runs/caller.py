"""Who started a training: what it calls while it runs, and how messages word the next command."""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Caller:
    """Hold what differs between the command and a program that calls flaxgan.train."""

    resume: Callable[[Path], str]  # folder of the run -> what to type to go on with it,
    sample: Callable[[Path], str]  # to sample from it,
    translate: Callable[[Path], str]  # to translate with it,
    evaluate: Callable[[Path], str]  # and to measure it
    command: str = ""  # as it was typed, for config.json
    owns_process: bool = False  # nothing else runs in it, so that it may end it
    on_log: Callable[[dict[str, Any]], None] | None = None  # is called with each row of the log,
    # and with images, uint8 (N, H, W, C), and their step
    on_snapshot: "Callable[[np.ndarray, int], None] | None" = None


def _command(verb: str) -> Callable[[Path], str]:
    return lambda folder: f"python -m flaxgan.{verb}{shlex.quote(str(folder))}"


COMMAND_LINE = Caller(
    _command("main --run-dir "),
    _command("sample "),
    lambda folder: f"{_command('translate ')(folder)} PICTURE --output FOLDER",
    _command("evaluate "),
)
PYTHON = Caller(
    lambda folder: f"flaxgan.train(run_dir={str(folder)!r})",
    lambda folder: f"flaxgan.load({str(folder)!r}).sample(64)",
    lambda folder: f"flaxgan.load({str(folder)!r}).translate(images)",
    lambda folder: f"flaxgan.evaluate({str(folder)!r})",
)
