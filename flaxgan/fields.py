"""The fields of a configuration that are flags too: how they are declared, read and shown."""

import argparse
import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from flaxgan.registry import added, missing
from flaxgan.system.errors import UserError

LONGEST_SIDE = 4096  # of a picture, in pixels


class Rule(NamedTuple):
    """What values a field may have, beside None where that is its default."""

    holds: Callable[[Any], bool]
    words: str


COUNT = Rule(lambda value: 1 <= value < 2**31, "must be at least 1, below 2**31")
# XLA aborts on sizes that overflow
WIDTH = Rule(lambda value: 1 <= value < 2**20, "must be at least 1, below 2**20")
POSITIVE = Rule(lambda value: 0 < value < math.inf, "must be a positive number")
WEIGHT = Rule(lambda value: 0 <= value < math.inf, "must be finite and not negative")
SHARE = Rule(lambda value: 0 <= value < 1, "must lie in [0, 1)")
ANY = Rule(lambda value: True, "")


def parse_image_size(text: str) -> tuple[int, int]:
    """Read a size, height first: '64' -> (64, 64); '48x64' -> (48, 64)."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(
        side.isdecimal() and 1 <= int(side) <= LONGEST_SIDE for side in sides
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size up to {LONGEST_SIDE}; write 64, or HEIGHTxWIDTH as in 48x64"
        )
    return int(sides[0]), int(sides[-1])


def parse_names(known: Sequence[str]) -> Callable[[str], str]:
    """Return what reads names with commas between, each of them known, and none twice."""

    def parse(text: str) -> str:
        names = [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(
                f"{unknown[0]!r} is not known; there are {', '.join(known)}"
            )
        if len({*names}) < len(names):
            raise argparse.ArgumentTypeError(f"{text!r} has a name twice; leave one out")
        return ",".join(names)

    return parse


def parse_range(text: str) -> str:
    """Read two numbers, the lower first: '0, 4095' -> '0,4095'."""
    try:
        low, high = map(float, text.split(","))
        if not -math.inf < low < high < math.inf:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a range; write two numbers, the lower first, as 0,4095"
        ) from None
    return f"{low:.17g},{high:.17g}"


def parse_period(text: str) -> str:
    """Read how often something is done: '5' -> '5 epochs'; '500steps' -> '500 steps'."""
    match = re.fullmatch(r"\s*(\d+)\s*(epochs?|steps?)?\s*", text, re.IGNORECASE | re.ASCII)
    if not match or not 1 <= int(match[1]) < 2**31:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a period; write epochs, as 5, or steps, as '500 steps'"
        )
    unit = "step" if (match[2] or "").lower().startswith("step") else "epoch"
    return f"{int(match[1])} {unit}{'' if int(match[1]) == 1 else 's'}"


def period_steps(period: str, per_epoch: int) -> int:
    """Convert a period, '5 epochs' or '500 steps', to steps, of which an epoch has `per_epoch`."""
    number, unit = period.split()
    return int(number) * (per_epoch if unit.startswith("epoch") else 1)


def option(
    default: Any,
    help: str,
    *,
    rule: Rule = ANY,
    fixed: bool = False,
    parse: Callable[[str], Any] | None = None,
    saved: bool = True,
    flag: bool = True,
    extensible: bool = False,
    alone: Any = None,
) -> Any:
    """Declare a field that is a flag too, unless `flag` is False.

    `fixed`: a resumed run can't change it (see open_run). `saved`: in the run's config.json; not so
    what says where the run or a file is, and which processes train it. `extensible`: it also takes
    names that code outside the package has added to a Registry. `alone`: the value of its flag
    where none follows it.
    """
    metadata = {
        "help": help,
        "rule": rule,
        "fixed": fixed,
        "parse": parse,
        "saved": saved,
        "flag": flag,
    }
    metadata |= {"extensible": extensible, "alone": alone}
    return dataclasses.field(default=default, metadata=metadata)


def check(fields: Any) -> None:
    """Raise UserError if an option is of another type than declared, or breaks its rule."""
    for field in dataclasses.fields(fields):
        if not field.metadata:
            continue
        value, hint = getattr(fields, field.name), type_of(type(fields), field.name)
        if value is None and field.default is None:
            continue
        words = (
            f"must be one of {choices_of(hint)}"
            if choices_of(hint)
            else f"must be of type {hint.__name__}"
        )
        if field.metadata["extensible"]:
            require_known(field.name, [value], choices_of(hint))
            continue
        require(fields, field.name, is_a(value, hint), words)
        require(
            fields, field.name, field.metadata["rule"].holds(value), field.metadata["rule"].words
        )


def require(fields: Any, name: str, holds: bool, words: str) -> None:
    """Raise UserError unless it `holds`, with the field's flag, what it must be, and what it is."""
    if not holds:
        raise UserError(f"{flag(name)} {words}, not {getattr(fields, name)}")


def require_known(name: str, values: Iterable[Any], built_in: Sequence[str]) -> None:
    """Raise UserError unless each value is a built-in name, or one that was added (registry.py)."""
    if unknown := [value for value in values if value not in (*built_in, *added(name))]:
        raise missing(flag(name), unknown[0], built_in)


def flag(name: str) -> str:
    """Return the flag of a field: 'image_size' -> '--image-size'."""
    return "--" + name.replace("_", "-")


def typed(value: Any) -> str:
    """Return a field's value as a person would type it: (48, 64) -> '48x64'."""
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def spelled(name: str, value: Any) -> str:
    """Return a field as its flag: ('batch_size', 8) -> '--batch-size 8'.

    ('flip', False) becomes '--no-flip', and None 'no --batch-size'.
    """
    if value is None:
        return f"no {flag(name)}"
    return (
        flag(name if value else f"no_{name}")
        if isinstance(value, bool)
        else f"{flag(name)} {typed(value)}"
    )


@functools.cache
def _type_hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def type_of(cls: type, name: str) -> Any:
    """Return the type of a field of the dataclass `cls`, without `| None`."""
    hint = _type_hints(cls)[name]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint


def choices_of(hint: Any) -> tuple[Any, ...]:
    """Return the values of a Literal; () for any other type."""
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def is_a(value: Any, hint: Any) -> bool:
    """Tell whether a value, from JSON perhaps, is of a field's type.

    Whole numbers are numbers; True is none.
    """
    if choices := choices_of(hint):
        return value in choices
    if hint == tuple[int, int]:
        return isinstance(value, tuple) and [type(part) for part in value] == [int, int]
    return type(value) is hint or (hint is float and type(value) is int)
