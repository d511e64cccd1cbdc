"""Write a run, or several, as a page: python -m flaxgan.report --help"""

from collections.abc import Sequence
from pathlib import Path

from flaxgan.flags import Parser, add_plugin, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, say


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.report",
        description=(
            "Write a page on a run: pictures, curves, metrics, configuration; or compare several."
        ),
    )
    parser.add_argument("runs", type=path, nargs="+", metavar="RUN_DIR", help="a run's folder")
    parser.add_argument(
        "--output",
        type=path,
        metavar="FILE",
        help="a .html (default: report.html in the run; of several in this folder)",
    )
    add_plugin(parser)
    return parser


def write_report(runs: Sequence[Path], output: Path | None = None) -> Path:
    """Write the page on one or several runs, whole or not at all; return where it is.

    `output`: a .html (default: report.html in the run, of several in the working folder). Raises
    UserError if a run can't be read, or the page can't be written there.
    """
    from flaxgan.reports.page import NAME, Report
    from flaxgan.runs.trained import RUN_FILES
    from flaxgan.system.files import require_outside, require_writable

    report = Report(runs)
    output = output or (runs[0] / NAME if len(runs) == 1 else Path(NAME))
    if output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output {output} must be a .html file")
    files = [run / name for run in runs for name in RUN_FILES if name != NAME]
    require_outside(output, files, "which belongs to the run")
    require_writable(output)
    report.write(output)
    return output


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, and say where it is."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        output = write_report(args.runs, args.output)
        say(f"{output}: {output.stat().st_size / 1e6:.1f} MB; it opens in any browser")


if __name__ == "__main__":
    main()
