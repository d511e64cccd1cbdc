"""The report of one or several runs as a page: one file that asks for nothing else."""

import base64
import datetime
import hashlib
import html
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import flaxgan
from flaxgan.curves import PANELS
from flaxgan.reports.content import RunContent
from flaxgan.reports.shown import Room
from flaxgan.runs.trained import RUN_FILES
from flaxgan.system.errors import UserError, visible
from flaxgan.system.files import replacing, require_outside, require_writable

CHARACTERS, NUMBERS = 4_200_000, 40_000  # of all pictures, of all curves: below 5 MB together
LONGEST_TEXT = 5_000  # letters of a name or a value, of which there may be a hundred
MOST_RUNS = 50
NAME = "report.html"


def _asset(name: str) -> str:
    return files("flaxgan.reports").joinpath(name).read_text(encoding="utf-8")


def room_for(runs: int) -> Room:
    """Return what each of so many runs may take of a page."""
    return Room(CHARACTERS // runs, NUMBERS // runs)


def _shown(value: Any, most: int) -> Any:
    """Return data with its texts visible and not too long, and without numbers JSON has not."""
    if isinstance(value, str):
        long = len(value) > most and not value.startswith("data:image/webp;base64,")
        return visible(value[:most] + "…" if long else value)
    if isinstance(value, dict):
        return {_shown(str(name), most): _shown(x, most) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(x, most) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def data_of(runs: Sequence[dict[str, Any]]) -> str:
    """Return what a page shows of these runs as JSON, which is harmless inside of HTML."""
    settings = [{line["name"]: line["value"] for line in run["configuration"]} for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    content = {
        "flaxgan": flaxgan.__version__,
        "written": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "panels": [*PANELS.items()],
        "runs": runs,
        "differing": [name for name in names if len({each.get(name) for each in settings}) > 1],
    }
    text = json.dumps(_shown(content, LONGEST_TEXT // len(runs)), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def html_of(data: str, title: str) -> str:
    """Return the page that shows `data`; nothing but its own script can run in it."""
    script = "\n".join(map(_asset, ("dom.js", "chart.js", "report.js")))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "@policy": policy,
        "@title": html.escape(visible(title)),
        "@style": _asset("report.css"),
        "@data": data,
        "@script": script,
    }
    before, *rest = _asset("page.html").split("{{")
    return before + "".join(
        parts[name] + after for name, _, after in (part.partition("}}") for part in rest)
    )


class Report:
    """The report of runs, to be written once, or again and again while one of them trains."""

    def __init__(self, folders: Sequence[Path]):
        """Take the folders of runs. Raises UserError if there are too many, or one is no run."""
        if not 1 <= len(folders) <= MOST_RUNS:
            raise UserError(f"a report shows 1 to {MOST_RUNS} runs, not {len(folders)}; name fewer")
        self.runs = [RunContent(folder, room_for(len(folders))) for folder in folders]

    def title(self) -> str:
        """Return what the page is called."""
        names = [run.folder.absolute().name for run in self.runs]
        return names[0] if len(names) == 1 else f"{len(names)} runs: {', '.join(names)}"

    def write(self, path: Path, *contents: dict[str, Any]) -> tuple[str, str]:
        """Write the page, whole or not at all; return it, and the data in it.

        `contents`: of the runs, where they are known. Raises UserError if a log can't be read.
        """
        data = data_of(contents or [run() for run in self.runs])
        page = html_of(data, self.title())
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return page, data


def write_report(runs: Sequence[Path], output: Path | None = None) -> Path:
    """Write the page on one or several runs, whole or not at all; return where it is.

    `output`: a .html (default: report.html in the run, of several in the working folder). Raises
    UserError if a run can't be read, or the page can't be written there.
    """
    report = Report(runs)
    output = output or (runs[0] / NAME if len(runs) == 1 else Path(NAME))
    if output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output {output} must be a .html file")
    files = [run / name for run in runs for name in RUN_FILES if name != NAME]
    require_outside(output, files, "which belongs to the run")
    require_writable(output)
    report.write(output)
    return output
