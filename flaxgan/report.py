"""Write a run, or several, as a page: python -m flaxgan.report --help"""

from collections.abc import Sequence

from flaxgan.flags import Parser, add_plugin, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import exit_on_user_error, say


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


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, and say where it is."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        from flaxgan.reports.page import write_report

        output = write_report(args.runs, args.output)
        say(f"{output}: {output.stat().st_size / 1e6:.1f} MB; it opens in any browser")


if __name__ == "__main__":
    main()
