"""Compare runs that were evaluated: python -m flaxgan.compare --help"""

from collections.abc import Sequence

from flaxgan.flags import Parser, add_plugin, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, visible


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.compare",
        description="Lay the evaluations of runs beside each other, with their spreads.",
    )
    help = "runs that were evaluated, best with --repeat; those that differ by seed are one row"
    parser.add_argument("run_dirs", type=path, nargs="+", metavar="RUN_DIR", help=help)
    add_plugin(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of what was measured of these runs, and what differs by more than chance."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        if len({*args.run_dirs}) < 2:
            raise UserError("a comparison takes two runs or more; name them all")

        from flaxgan.standings import rows_of, table

        print(visible(table(rows_of(args.run_dirs))))


if __name__ == "__main__":
    main()
