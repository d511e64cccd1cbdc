"""A config.json from anywhere is read, or refused in a line."""

import contextlib
import json
import os

import numpy as np
import pytest

from flaxgan.config import method_of_folder
from flaxgan.methods import METHODS
from flaxgan.runs.provenance import fields_of_file
from flaxgan.runs.schema import RULES
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError
from tests.faults.configurations import changed, content

EXAMPLES = int(os.environ.get("FLAXGAN_FUZZ", 500))


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
