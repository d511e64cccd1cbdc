"""Train a GAN: python -m flaxgan.main --help"""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence

import flaxgan
from flaxgan import starting
from flaxgan.config import Config, fields_of, method_of_folder
from flaxgan.flags import Parser, add_flags, add_plugin, path
from flaxgan.recipes import open_recipe
from flaxgan.registry import load_plugin
from flaxgan.runs.caller import COMMAND_LINE
from flaxgan.system.errors import exit_on_user_error, say


def _parser(argv: Sequence[str] | None, recipe: Config | None) -> tuple[Parser, Config]:
    """Return what parses all flags, and the configuration whose fields are their defaults.

    That is the recipe's, or that of --recipe.

    A --plugin is run first, for what it adds are values of the flags. Raises UserError if there is
    no such file or recipe.
    """
    prog, description = "python -m flaxgan.main", "Train a GAN on a collection of pictures."
    first = Parser(prog=prog, add_help=False)
    add_plugin(first)
    first.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        help="start a new run from the config.json of another one",
    )
    if recipe:
        program = sys.modules["__main__"]
        spec = getattr(program, "__spec__", None)
        prog = f"python -m {spec.name}" if spec else f"python {sys.argv[0]}"
        description = program.__doc__ or ""
    else:
        help = (
            "start from a recipe; flags that are given count more (python -m flaxgan lists the"
            " recipes)"
        )
        first.add_argument("--recipe", metavar="NAME", help=help)
    asked = first.parse_known_args(argv)[0]
    for plugin in asked.plugin:
        load_plugin(plugin)
    if name := getattr(asked, "recipe", None):
        recipe, description = open_recipe(name)
        prog += f" --recipe {name}"
    second = Parser(prog=prog, add_help=False)  # whose options the other flags are
    second.add_argument("--method")
    second.add_argument("--run-dir")
    named = second.parse_known_args(argv)[0]
    method = named.method or (named.run_dir and method_of_folder(named.run_dir))
    parser = Parser(
        prog=prog,
        usage="%(prog)s [FLAGS]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[first],
    )
    if recipe is None or (method and method != recipe.method):
        fields_of(method or "gan")  # refuses what is no method
        recipe = Config(method=method or "gan")
    add_flags(parser, recipe)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved configuration and the networks, and stop",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read all prepared files once more: are they as written? (default: the small ones)",
    )
    parser.add_argument("--version", action="version", version=f"flaxgan {flaxgan.__version__}")
    return parser, recipe


def main(argv: Sequence[str] | None = None, recipe: Config | None = None) -> None:
    """Train as the flags say, a new run on top of a recipe; a run that exists is resumed as it was.

    `recipe`: that of a program which is one itself; without it --recipe may name one.
    """
    with exit_on_user_error(owns_process=argv is None):
        parser, recipe = _parser(argv, recipe)
        given = vars(parser.parse_args(argv))
        once = ("dry_run", "verify", "recipe", "plugin", "config")  # are no fields of a run
        asked = {name: given.pop(name, None) for name in once}
        base = starting.base_fields(asked["recipe"], asked["config"], given) | recipe.chosen()
        if asked["dry_run"]:
            say(starting.dry_run(given, base))
        else:
            from flaxgan.system.seals import verifying  # imports NumPy, which --help does without

            typed = map(str, sys.argv[1:] if argv is None else argv)
            program = parser.prog.partition(" --recipe ")[0].split()
            command = shlex.join([*program, *typed])
            caller = dataclasses.replace(COMMAND_LINE, command=command, owns_process=argv is None)
            with verifying(asked["verify"]):
                starting.start(given, base, caller)


if __name__ == "__main__":
    main()
