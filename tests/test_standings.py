"""Evaluations of runs beside each other."""

import json
import math
import shutil

import pytest

from flaxgan.compare import main as compare
from flaxgan.main import main
from flaxgan.standings import Value, rows_of
from tests.conftest import TINY

PROTOCOL = {"extractor_sha256": "a", "resize": "b", "n_real": 8, "n_generated": 8}


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("standings") / "run"
    main(["--dataset", str(pictures), "--run-dir", str(folder), "--max-steps", "1", *TINY])
    return folder


def evaluated(run, folder, value, spread=None, seed=0, **changes):
    """A copy of a run with an evaluation of this value."""
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text()) | {"seed": seed}
    (folder / "config.json").write_text(json.dumps(config))
    entry = {"value": value} | ({} if spread is None else {"spread": spread, "repeats": 5})
    content = {"protocol": PROTOCOL | changes, "metrics": {"fd_efficientnet_lite0": entry}}
    content |= {"real": {"sha256": "c"}, "generated": {"source": "samples"}}
    (folder / "evaluation.json").write_text(json.dumps(content))
    return folder


def test_the_t_test_by_hand():
    """Two samples of 5 and 3: t = 2 / sqrt(1/5 + 4/3) = 1.615; 3.47 is critical (2.61)."""
    a, b = Value(10, 1, 5, 10, 10), Value(12, 2, 3, 12, 12)
    assert a.differs(b) is False and Value(15, 2, 3, 15, 15).differs(a) is True
    # t = 4.3 / 1.238 is beyond 3.47, 4.2 / 1.238 is not
    assert Value(14.33, 2, 3, 0, 0).differs(a) and not Value(14.2, 2, 3, 0, 0).differs(a)
    assert a.differs(Value(12, math.nan, 1, 12, 12)) is None


@pytest.mark.slow
def test_runs_that_differ_by_seed_are_one_row(run, tmp_path, pictures, printed):
    same = [evaluated(run, tmp_path / f"s{seed}", 10 + seed, seed=seed) for seed in (0, 1, 2)]
    other = tmp_path / "other"
    main(["--dataset", str(pictures), "--run-dir", str(other), "--max-steps", "2", *TINY])
    shutil.copy(same[0] / "evaluation.json", other)
    first, second = rows_of([*same, other])
    value = first.values["fd_efficientnet_lite0"]
    assert value == Value(11, 1, 3, 10, 12) and second.values["fd_efficientnet_lite0"].num == 1
    text = printed(compare, *same, other)
    assert (
        "11 ± 1 (10 to 12)" in text and "unknown" in text and "nothing is known of chance" in text
    )


@pytest.mark.slow
def test_what_is_larger_than_chance_is_said(run, tmp_path, printed):
    a = evaluated(run, tmp_path / "a", 10.0, 0.5)
    b = evaluated(run, tmp_path / "b", 12.0, 0.5)
    features = {"feature_discriminator": 1.0, "feature_network": "efficientnet_lite0"}
    config = json.loads((b / "config.json").read_text()) | features
    (b / "config.json").write_text(json.dumps(config))
    text = printed(compare, a, b)
    line = next(x for x in text.splitlines() if x.startswith("fd_"))
    assert line.endswith("all") and "10 ± 0.5" in line and "12 ± 0.5" in line
    assert f"{b} trained with efficientnet_lite0, which flatters it" in text
    assert f"{a} trained with" not in text


def test_what_cannot_be_compared_is_a_line(run, tmp_path, refused):
    a = evaluated(run, tmp_path / "a", 10.0)
    other = evaluated(run, tmp_path / "b", 10.0, seed=1, n_real=9)
    assert "was evaluated with another n_real" in refused(a, other, command=compare)
    twin = evaluated(run, tmp_path / "twin", 11.0)
    assert "are one recipe of one --seed" in refused(a, twin, command=compare)
    assert "was not evaluated" in refused(other, run, command=compare)
    assert "takes two runs or more" in refused(a, command=compare)
    own = json.loads((a / "evaluation.json").read_text())
    strange = own | {"generated": {"source": "a folder"}}
    (other / "evaluation.json").write_text(json.dumps(strange))
    assert "measures other pictures than the run's" in refused(a, other, command=compare)
    (other / "evaluation.json").write_text(json.dumps(own | {"real": {"sha256": "d"}}))
    assert "was evaluated with another set of real pictures" in refused(a, other, command=compare)
    once = own | {"metrics": {"fd": {"value": 1, "spread": 1, "repeats": 1}}}
    for text in (
        "",
        "[]",
        json.dumps(once),
        '{"metrics": {}}',
        '{"protocol": {}, "metrics": {"fd": {}}}',
    ):
        (other / "evaluation.json").write_text(text)
        assert "evaluation.json can't be read" in refused(a, other, command=compare)
