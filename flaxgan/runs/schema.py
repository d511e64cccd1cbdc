"""What config.json may hold beside the fields of a configuration, which Config checks itself."""

import json
import math
from collections.abc import Callable
from typing import Any

LARGEST = 2**27  # bytes of a config.json: the names of a few million pictures held out


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or [type(x) in (int, float) for x in value] != [True, True]:
        return False
    return bool(-math.inf < value[0] < value[1] < math.inf)


def _each(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


RULES: dict[tuple[str, ...], tuple[Callable[[Any], bool], str]] = {
    ("method",): (_is_text, "a text"),
    ("chosen",): (_is_of_texts, "an object of texts"),
    ("changes",): (_each(_is_object), "a list of objects"),
    ("starts",): (_each(_is_object), "a list of objects"),
    ("data",): (_is_object, "an object"),
    ("data", "images"): (_is_count, "a whole number above 0"),
    ("data", "values"): (_is_range, "two numbers, the lower first"),
    ("data", "targets"): (_is_count, "a whole number above 0"),
    ("data", "sha256"): (_is_text, "a text"),
    ("data", "class_names"): (_each(_is_text), "a list of texts"),
    ("data", "class_counts"): (_each(lambda n: n == 0 or _is_count(n)), "a list of whole numbers"),
    ("data", "captions"): (_is_of_texts, "an object of texts"),
    ("data", "held_out"): (_is_object, "an object"),
}


def parsed(text: str) -> dict[str, Any]:
    """Return the content of a config.json. Raises ValueError if it is not what a run writes."""
    try:
        saved = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(saved, dict):
        raise ValueError("it is no object")
    for path, (holds, words) in RULES.items():
        node: Any = saved
        for key in path:
            node = node.get(key) if isinstance(node, dict) and key in node else RULES
        if node is not RULES and not holds(node):  # RULES: it is not there
            raise ValueError(f"{'.'.join(path)} is not {words}")
    if "conditional" in saved.get("chosen", {}):  # as it was called before there were sentences
        saved["chosen"]["condition"] = saved["chosen"].pop("conditional")
    names, counts = (saved.get("data", {}).get(f"class_{what}", []) for what in ("names", "counts"))
    if len(names) != len(counts) or len({*names}) != len(names):
        raise ValueError("it does not say how many pictures each class has")
    return saved
