"""Changes at random of what a config.json holds."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from flaxgan.config import Config

VALUES = [
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", "x", "64", "\x1b[31m", "\ud800", "a\nb", 10_000 * "y", [], [1], [[]], ["a"],
    [None], [64, 64], [64, -1], {}, {"a": 1}, {"images": "x"}, [{}],
]  # fmt: skip
DATA = {
    "images": 40,
    "sha256": "a" * 64,
    "class_names": ["discs", "squares"],
    "class_counts": [20, 20],
    "targets": 3,
    "held_out": {"images": ["a.png"]},
}


def content(method: str) -> dict[str, Any]:
    """Return what a run of a method writes."""
    config = Config.make(method=method, dataset="x", image_size=(64, 64), channels=3)
    more = {"chosen": {"ema": "usual"}, "changes": [{"step": 3}], "starts": [{"step": 0}]}
    return json.loads(json.dumps(config.to_dict() | more | {"data": DATA}))


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to everything in it."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(node: Any, rng: np.random.Generator) -> Any:
    """Return a copy in which one to three things are replaced or removed."""
    node = copy.deepcopy(node)
    for _ in range(rng.integers(1, 4)):
        paths = [*places(node)]
        *above, last = paths[rng.integers(len(paths))]
        parent = node
        for key in above:
            parent = parent[key]
        value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        if rng.random() < 0.15:
            del parent[last]
        else:
            parent[last] = value
    return node
