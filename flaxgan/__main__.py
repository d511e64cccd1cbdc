"""Say what there is: python -m flaxgan"""

import argparse
import importlib
import sys
from collections.abc import Sequence

import flaxgan
from flaxgan.flags import Parser
from flaxgan.recipes import summaries
from flaxgan.system.errors import exit_on_user_error

# of the program flaxgan, and their modules
COMMANDS = {"train": "main"} | {
    name: name
    for name in (
        *("sample", "project", "translate", "evaluate", "compare", "report"),
        *("export", "page", "video"),
    )
}


def _listed(lines: dict[str, str]) -> str:
    """Lay out names and what is said of them in two columns."""
    width = max(map(len, lines), default=0)
    return "\n".join(f"  {name:{width}}  {text}" for name, text in lines.items())


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command, or print the commands and the recipes."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return importlib.import_module(f"flaxgan.{COMMANDS[argv[0]]}").main(argv[1:])
    modules = {verb: importlib.import_module(f"flaxgan.{name}") for verb, name in COMMANDS.items()}
    commands = {}
    for verb, module in modules.items():
        what = (module.__doc__ or "").partition(":")[0]
        commands[f"python -m {module.__name__}"] = f"{what} (or: flaxgan {verb})"
    parser = Parser(
        prog="python -m flaxgan",
        usage="python -m flaxgan.COMMAND [FLAGS]",
        description=(
            f"{flaxgan.__doc__}\n\ncommands, each of which has a --help:\n{_listed(commands)}"
        ),
        epilog=(
            "recipes, each for python -m flaxgan.main --recipe NAME"
            f" [FLAGS]:\n{_listed(summaries())}"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"flaxgan {flaxgan.__version__}")
    with exit_on_user_error():
        parser.parse_args(argv)
        parser.print_help()


if __name__ == "__main__":
    main()
