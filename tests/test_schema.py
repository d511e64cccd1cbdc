"""A config.json from anywhere is read, or refused in a line."""

import contextlib
import copy
import json
import os

import numpy as np
import pytest

from flaxgan.config import Config, method_of_folder
from flaxgan.methods import METHODS
from flaxgan.runs.provenance import fields_of_file
from flaxgan.runs.schema import RULES
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError

EXAMPLES = int(os.environ.get("FLAXGAN_FUZZ", 500))
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


def content(method):
    config = Config.make(method=method, dataset="x", image_size=(64, 64), channels=3)
    more = {"chosen": {"ema": "usual"}, "changes": [{"step": 3}], "starts": [{"step": 0}]}
    return json.loads(json.dumps(config.to_dict() | more | {"data": DATA}))


def places(node, path=()):
    """Paths to everything in it."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(node, rng):
    """A copy with one to three things in it replaced, removed or added."""
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


def test_configurations_that_were_changed_at_random(tmp_path):
    rng, refused = np.random.default_rng(0), 0
    for example in range(EXAMPLES):
        saved = changed(content([*METHODS][example % len(METHODS)]), rng)
        (tmp_path / "config.json").write_text(json.dumps(saved))
        method_of_folder(str(tmp_path))
        try:
            run = load_run(tmp_path)
        except UserError as error:
            assert str(tmp_path / "config.json") in str(error)
            refused += 1
        else:
            with contextlib.suppress(UserError):  # fewer pictures than a step takes
                assert run.per_epoch is None or run.per_epoch > 0
            assert all(isinstance(name, str) for name in run.class_counts)
        with contextlib.suppress(UserError):
            fields_of_file(tmp_path / "config.json", ())
    assert 0.3 * EXAMPLES < refused < EXAMPLES


@pytest.mark.parametrize(
    "text", ["", "[]", "null", 3000 * "[", '{"a": ' * 3000, "\x00", '"x"', '{"method": []}']
)
def test_what_is_no_configuration(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert method_of_folder(str(tmp_path)) is None
    with pytest.raises(UserError, match=r"config\.json can't be read"):
        load_run(tmp_path)
    with pytest.raises(UserError, match="can't be read"):
        fields_of_file(tmp_path / "config.json", ())


@pytest.mark.parametrize("path", RULES)
def test_each_rule_is_broken_by_an_object_of_numbers_or_a_number(tmp_path, path):
    for wrong in ({"a": 1}, -1):
        saved = content("gan")
        parent = saved["data"] if len(path) > 1 else saved
        parent[path[-1]] = wrong
        (tmp_path / "config.json").write_text(json.dumps(saved))
        if path[-1] in ("data", "held_out") and wrong == {"a": 1}:  # what is unknown is let be
            load_run(tmp_path)
            continue
        with pytest.raises(UserError, match=path[-1]):
            load_run(tmp_path)
