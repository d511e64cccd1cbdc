"""The command line: parsers, and the flags that are made of the fields of a Config."""

import argparse
import difflib
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flaxgan.config import SHARED, Config, fields_of
from flaxgan.fields import (
    choices_of,
    flag,
    parse_image_size,
    parse_period,
    parse_range,
    type_of,
    typed,
)
from flaxgan.options import OPTIONS
from flaxgan.registry import added
from flaxgan.runs.naming import CheckpointName
from flaxgan.shared import parse_extractors
from flaxgan.system.errors import UserError

GROUPS = {  # of --help: the first field of each
    "dataset": "data",
    "preset": "how much to train",
    "learning_rate": "learning rates and averaged weights",
    "seed": "the run",
    "evaluate_every": "evaluation while it trains",
    "device": "how to compute",
    "distributed": "several processes",
    "feature_discriminator": "second discriminator",
    "condition": "what pictures can be asked for by",
    "mapping_layers": "networks of --architecture style",
    "architecture": "networks",
    "jitter": "translation",
    "loss": "losses and remedies",
}

# of a field's values: flags that take none, and their help
ALIASES: dict[str, dict[str, tuple[Any, str]]] = {
    "condition": {
        "--conditional": ("class", "--condition class"),
        "--no-conditional": ("none", "--condition none"),
    },
    "matching": {"--no-matching": (0.0, "--matching 0")},
}

METAVARS = {
    parse_image_size: "SIZE",
    parse_period: "PERIOD",
    parse_range: "LOW,HIGH",
    parse_extractors: "NAMES",
}


def checkpoint_name(text: str) -> CheckpointName:
    """Parse the name of a checkpoint for argparse, which shows only its own kind of error."""
    try:
        return CheckpointName.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def path(text: str) -> Path:
    """Read a path; ~ is the home folder even where the shell has left it as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def whole_number(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` up, of 32 bits."""

    def parse(text: str) -> int:
        if not text.strip().isdecimal() or not least <= int(text) < 2**32:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no whole number from {least} up, below 2**32"
            )
        return int(text)

    return parse


def seeds(text: str) -> list[int]:
    """Read seeds with commas between them."""
    return [whole_number(0)(seed) for seed in text.split(",")]


def names(asked: str, known: Sequence[str]) -> str | list[str]:
    """Split names with commas between; "all", and a name with a comma in it, are left whole."""
    if asked in ("all", *known):
        return asked
    return [word if word in known else word.strip() for word in asked.split(",")]


class Parser(argparse.ArgumentParser):
    """argparse, except that a mistake is a UserError, and a misspelt flag is answered with the
    nearest one.
    """

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> typing.NoReturn:
        unknown = message.partition("unrecognized arguments: ")[2].split("=")[0].split(" ")[0]
        near = difflib.get_close_matches(unknown, self._option_string_actions, 1)
        others = [method for method in OPTIONS if unknown in map(flag, fields_of(method))]
        hint = f"; did you mean {near[0]}?" if near else ""
        if unknown and others:
            hint = f"; it is a flag of --method {' and '.join(others)} alone"
        raise UserError(f"{message}{hint} (see {self.prog} --help)")


def add_flag(
    parser: argparse._ActionsContainer,
    name: str,
    shown: Any,
    default: Any = argparse.SUPPRESS,
    method: str = "gan",
) -> None:
    """Add the flag of a field; `shown` is the default that its help names.

    Not given, it is absent when parsed, or `default`.
    """
    declared = Config if name in SHARED else OPTIONS[method]
    field, hint = fields_of(method)[name], type_of(declared, name)
    help = field.metadata["help"]
    if shown != field.default:  # a recipe's own
        help = help.partition(" (default:")[0]
    if shown is not None and "(default:" not in help:
        help += f" (default: {typed(shown)})"
    options: dict[str, Any] = {"help": help.replace("%", "%%"), "default": default}
    if hint is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        choices = choices_of(hint)
        options["type"] = field.metadata["parse"] or (type(choices[0]) if choices else hint)
        options["choices"] = (*choices, *added(name)) if choices else None
        options["metavar"] = (
            None if choices else METAVARS.get(field.metadata["parse"], hint.__name__.upper())
        )
        if field.metadata["alone"] is not None:
            options |= {"nargs": "?", "const": field.metadata["alone"]}
    parser.add_argument(flag(name), **options)


def add_flags(parser: argparse.ArgumentParser, defaults: Config) -> None:
    """Add a flag for each field, in groups."""
    group: argparse._ActionsContainer = parser
    for name, field in defaults.fields.items():
        if name in GROUPS:
            group = parser.add_argument_group(GROUPS[name])
        if field.metadata["flag"]:
            add_flag(group, name, defaults[name], method=defaults.method)
            for alias, (value, help) in ALIASES.get(name, {}).items():
                options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
                group.add_argument(alias, action="store_const", const=value, help=help, **options)


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """Add --plugin, which every command has: what trained a run is needed to read it again."""
    help = (
        "a Python file that adds a loss, an architecture or the like of your own, or a data set"
        " (docs/extending.md)"
    )
    parser.add_argument(
        "--plugin", type=path, action="append", default=[], metavar="FILE", help=help
    )


def add_flags_of_a_reader(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add what each command has that reads a trained run: --checkpoint, --device, these fields."""
    help = (
        "a step (5000), an epoch (epoch:20), or best, if the run chose one with --evaluate-every"
        " (default: the newest)"
    )
    parser.add_argument("--checkpoint", type=checkpoint_name, metavar="NAME", help=help)
    add_plugin(parser)
    for name in (*names, "device"):
        add_flag(parser, name, SHARED[name].default, SHARED[name].default)
