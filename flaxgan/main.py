"""Train a GAN: python -m flaxgan.main --help"""

import argparse
import sys
from collections.abc import Sequence

import flaxgan
from flaxgan.config import Config, fields_of, method_of_folder
from flaxgan.flags import Parser, add_flags
from flaxgan.recipes import open_recipe
from flaxgan.system.errors import exit_on_user_error


def _parser(argv: Sequence[str] | None, recipe: Config | None) -> tuple[Parser, Config]:
    """Return what parses all flags, and the configuration whose fields are their defaults: the recipe's, or that of --recipe.

    Raises UserError if there is no such recipe.
    """
    prog, description = "python -m flaxgan.main", "Train a GAN on a collection of pictures."
    names_one = Parser(prog=prog, add_help=False)
    if recipe:
        program = sys.modules["__main__"]
        spec = getattr(program, "__spec__", None)
        prog, description = f"python -m {spec.name}" if spec else f"python {sys.argv[0]}", program.__doc__
    else:
        help = "start from a recipe; flags that are given count more (python -m flaxgan lists the recipes)"
        names_one.add_argument("--recipe", metavar="NAME", help=help)
        if name := names_one.parse_known_args(argv)[0].recipe:
            recipe, description = open_recipe(name)
            prog += f" --recipe {name}"
    names_two = Parser(prog=prog, add_help=False)  # whose options the other flags are
    names_two.add_argument("--method")
    names_two.add_argument("--run-dir")
    named = names_two.parse_known_args(argv)[0]
    method = named.method or method_of_folder(named.run_dir)
    parser = Parser(
        prog=prog,
        usage="%(prog)s [FLAGS]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[names_one],
    )
    if recipe is None or (method and method != recipe.method):
        fields_of(method or "gan")  # refuses what is no method
        recipe = Config(method=method or "gan")
    add_flags(parser, recipe)
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and the networks, and stop")
    parser.add_argument("--version", action="version", version=f"flaxgan {flaxgan.__version__}")
    return parser, recipe


def main(argv: Sequence[str] | None = None, recipe: Config | None = None) -> None:
    """Train as the flags say, a new run on top of what a recipe says; a run that exists is resumed as it was.

    `recipe`: that of a program which is one itself; without it --recipe may name one.
    """
    with exit_on_user_error():
        parser, recipe = _parser(argv, recipe)
        given = vars(parser.parse_args(argv))
        dry_run = given.pop("dry_run")
        given.pop("recipe", None)

        from flaxgan.runs.folder import Run  # the heavy imports begin here, after --help has answered

        run = Run.open(given, recipe.chosen())
        if dry_run:
            from flaxgan.summary import summary
            from flaxgan.system.devices import set_up_devices

            print(summary(run, set_up_devices(run.config.device)))
        else:
            from flaxgan.system.distributed import join
            from flaxgan.train import train

            if run.config.distributed:
                join(run.config.coordinator_address, run.config.num_processes, run.config.process_id)
            train(run)


if __name__ == "__main__":
    main()
