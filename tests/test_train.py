"""The training command from end to end: what a run leaves behind, how it stops, resumes and
refuses.
"""

import contextlib
import errno
import functools
import itertools
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import types

import jax
import numpy as np
import pytest
from PIL import Image

from flaxgan import training
from flaxgan.config import Config, fields_of
from flaxgan.loop import Loop, Snapshot
from flaxgan.main import main
from flaxgan.methods import sampling
from flaxgan.methods.gan import create_state
from flaxgan.plots import grid, name_rows
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.runs.loading import load
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.opening import open_run
from flaxgan.runs.progress import Reporter
from flaxgan.runs.trained import load_run
from flaxgan.system.devices import set_up_devices
from flaxgan.system.errors import UserError
from flaxgan.system.files import locked
from flaxgan.system.signals import HEARD, Abandoned, Interrupt
from flaxgan.trainer import Trainer
from tests.compiling import QUICK
from tests.conftest import ROOT, TINY, size_of, start, succeed

ROW = [
    "step",
    "time",
    "epoch",
    "images_seen",
    "d_loss",
    "g_loss",
    "d_real_accuracy",
    "d_fake_accuracy",
    "images_per_second",
]


def rows(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def steps(run_dir):
    with Checkpoints(run_dir) as checkpoints:
        return checkpoints.steps()


def state(run_dir):
    return load(load_run(run_dir), None, jax.devices()[0])


def same_state(a, b):
    pairs = zip(*(jax.tree.leaves_with_path(state(run_dir)) for run_dir in (a, b)), strict=True)
    different = [
        jax.tree_util.keystr(path)
        for (path, x), (_, y) in pairs
        if (np.asarray(x) != np.asarray(y)).any()
    ]
    assert not different, f"{len(different)} leaves differ, the first is {different[0]}"


def without_timings(rows):
    return [
        {name: value for name, value in row.items() if name not in ("images_per_second", "time")}
        for row in rows
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, pictures):
    """A finished run of two epochs, five steps each."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    process = start(
        "--dataset", pictures, "--epochs", 2, "--run-dir", run_dir, "--log-every", 2, *TINY
    )
    output, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert error == ""
    return run_dir, output


@pytest.fixture
def run_dir(finished, tmp_path):
    """A copy of the finished run, to be played with."""
    return shutil.copytree(finished[0], tmp_path / "run")


@pytest.mark.slow
def test_what_a_run_leaves_behind(finished, pictures):
    run_dir, output = finished
    assert (
        "40 pictures, 16x16x3, 2 classes" in output
        and f"python -m flaxgan.sample {run_dir}" in output
    )

    config = json.loads((run_dir / "config.json").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", config["flaxgan_version"])
    assert (config["dataset"], config["image_size"], config["channels"], config["flip"]) == (
        str(pictures),
        [16, 16],
        3,
        True,
    )
    assert config["data"]["class_names"] == ["discs", "squares"]

    log = rows(run_dir)
    assert [row["step"] for row in log] == [1, 2, 4, 6, 8, 10]
    assert all(sorted(row) == sorted(ROW) for row in log)
    assert [row["epoch"] for row in log] == [1, 1, 1, 2, 2, 2]
    assert all(
        row["images_seen"] == 8 * row["step"] and row["images_per_second"] > 0 for row in log
    )

    assert sorted(path.name for path in (run_dir / "generated_images").iterdir()) == [
        "epoch_0001.png",
        "epoch_0002.png",
    ]
    first, second = (
        np.asarray(Image.open(run_dir / "generated_images" / f"epoch_000{i}.png")) for i in (1, 2)
    )
    assert first.shape == second.shape == (8 * 18 + 2, 8 * 18 + 2, 3) and (first != second).any()
    assert size_of(run_dir / "real_images.png") == (7 * 18 + 2, 6 * 18 + 2), "all forty there are"
    for name in ("real_vs_generated.png", "losses.png"):
        assert min(size_of(run_dir / name)) > 500
    assert steps(run_dir) == [5, 10]
    leftovers = [path.name for path in run_dir.rglob(".*")]
    assert not leftovers


@pytest.mark.slow
def test_a_finished_run_says_so_and_does_nothing(run_dir, train):
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*") if path.is_file()}
    assert "is finished: 10 of 10 steps done; for more, raise --epochs\n" in train(
        "--run-dir", run_dir
    )
    assert "raise --epochs and --max-steps\n" in train("--run-dir", run_dir, "--max-steps", 10)
    assert "raise --max-steps\n" in train("--run-dir", run_dir, "--max-steps", 10, "--epochs", 3)
    assert "has done 10 steps of 5; to go on leave" in train("--run-dir", run_dir, "--epochs", 1)
    assert {
        path: path.stat().st_mtime_ns for path in run_dir.rglob("*") if path.is_file()
    } == before


@pytest.mark.slow
def test_more_epochs_are_accepted_and_recorded(run_dir, train):
    output = train("--run-dir", run_dir, "--epochs", 3, "--learning-rate", "1e-4")
    assert "from step 10 on: --epochs 3 (was 2)" in output
    config = json.loads((run_dir / "config.json").read_text())
    assert config["epochs"] == 3 and config["changes"] == [
        {"step": 10, "epochs": 3, "learning_rate": 1e-4}
    ]
    assert steps(run_dir)[-1] == rows(run_dir)[-1]["step"] == 15


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        (["--features", 8], "--features 8 (the run has --features 4)"),
        (
            ["--image-size", 32, "--batch-size", 16],
            "--image-size 32x32 (the run has --image-size 16x16), --batch-size 16",
        ),
        (["--dataset", "synthetic_flowers"], "--dataset synthetic_flowers"),
        (["--seed", 1], "--seed 1 (the run has --seed 0)"),
        (["--conditional"], "with --condition class (the run has --condition none)"),
        (["--attention", 8], "with --attention 8 (the run has no --attention)"),
        (["--no-flip"], "with --no-flip (the run has --flip)"),
    ],
)
def test_contradictions_are_refused_by_name(run_dir, refused, argv, fields):
    before = (run_dir / "config.json").read_text()
    assert fields in refused("--run-dir", run_dir, "--epochs", 3, *argv)
    assert (run_dir / "config.json").read_text() == before


@pytest.mark.slow
def test_changed_pictures_are_refused(tmp_path, pictures, train, refused):
    folder, run_dir = shutil.copytree(pictures, tmp_path / "pictures"), tmp_path / "run"
    train("--dataset", folder, "--run-dir", run_dir, "--max-steps", 1, *TINY)
    Image.new("RGB", (20, 20)).save(folder / "discs" / "new.png")
    assert "are not those that" in refused("--run-dir", run_dir, "--max-steps", 2)


@pytest.mark.slow
def test_pictures_that_have_moved_are_the_same(run_dir, tmp_path, pictures, train, refused):
    moved, others = (
        shutil.copytree(pictures, tmp_path / "moved"),
        shutil.copytree(pictures, tmp_path / "others"),
    )
    (others / "discs").rename(others / "balls")
    error = refused("--run-dir", run_dir, "--epochs", 3, "--dataset", others)
    assert "the classes in" in error and "began with (balls, discs); name them as before" in error
    assert f"--dataset {moved}" in train("--run-dir", run_dir, "--epochs", 3, "--dataset", moved)
    assert load_run(run_dir).config.dataset == str(moved) and steps(run_dir)[-1] == 15


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(
    run_dir, train, refused, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("flaxgan.runs.snapshots.save_losses", full)
        assert "make room" in refused("--run-dir", run_dir, "--epochs", 3)
    train("--run-dir", run_dir, "--epochs", 4)
    assert steps(run_dir)[-1] == 20


@pytest.mark.slow
def test_a_falling_rate_falls_over_the_whole_run(tmp_path, pictures, train):
    train(
        "--dataset",
        pictures,
        "--run-dir",
        tmp_path / "run",
        "--epochs",
        3,
        "--schedule",
        "linear",
        *TINY,
    )
    after = [
        load(load_run(tmp_path / "run"), CheckpointName("step", step), jax.devices()[0])
        for step in (5, 10, 15)
    ]
    for name in ("generator", "discriminator"):
        weights = [jax.tree.leaves(getattr(state, name).params)[0] for state in after]
        early, late = (float(abs(b - a).mean()) for a, b in itertools.pairwise(weights))
        assert early > late > 0


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_an_unbroken_run_does(tmp_path, pictures):
    """SIGKILL at random steps, between checkpoints two epochs apart; then every leaf and every row
    must be the same.
    """
    argv = ["--dataset", pictures, "--epochs", 40, "--checkpoint-every", 2, "--log-every", 3, *TINY]
    argv += ["--augment", "color", "--augment-target", 0.6]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    process = start(*argv, "--run-dir", unbroken)
    succeed(process)

    seed = random.randrange(2**32)
    print("random.seed", seed)
    random.seed(seed)
    log = broken / "metrics.jsonl"
    inode = lambda: log.stat().st_ino if log.exists() else None  # noqa: E731  # each process begins a new file
    for _ in range(3):
        before = inode()
        process = start(*argv, "--run-dir", broken)
        while process.poll() is None and inode() == before:
            time.sleep(0.005)
        # three of them are over before a fast machine has done all
        time.sleep(random.uniform(0, 0.6))
        assert process.poll() is None, process.stderr.read()
        process.kill()
        process.communicate()
        print(
            "killed after",
            [row["step"] for row in rows(broken)][-1:],
            "with checkpoints",
            steps(broken),
        )
    process = start(*argv, "--run-dir", broken)
    succeed(process)

    assert steps(broken) == steps(unbroken)
    assert sorted(path.stem for path in (unbroken / "generated_images").iterdir()) == [
        f"epoch_{i:04d}" for i in range(2, 41, 2)
    ]
    assert int(state(unbroken).step) == 200
    same_state(broken, unbroken)
    assert without_timings(rows(broken)) == without_timings(rows(unbroken))
    pictures = [
        (run / "generated_images" / "epoch_0040.png").read_bytes() for run in (broken, unbroken)
    ]
    assert pictures[0] == pictures[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_run_cleanly_and_it_resumes(tmp_path, pictures, number, train):
    run_dir = tmp_path / "run"
    process = start(
        "--dataset", pictures, "--epochs", 1000, "--run-dir", run_dir, "--log-every", 1, *TINY
    )
    while process.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 0 and error == HEARD.format(number.name)
    assert (
        f"stopped by {number.name} after step" in output
        and f"python -m flaxgan.main --run-dir {run_dir}" in output
    )
    (step,) = steps(run_dir)[-1:]
    assert step >= 1 and rows(run_dir)[-1]["step"] == step
    assert "is finished" not in train("--run-dir", run_dir, "--max-steps", step + 1)
    assert steps(run_dir)[-1] == step + 1


@pytest.mark.slow
def test_grids_are_drawn_if_the_run_was_killed_before(run_dir, finished, train):
    """Those of all checkpoints that are kept."""
    lost = [run_dir / "generated_images" / f"epoch_000{epoch}.png" for epoch in (1, 2)]
    for drawing in lost:
        drawing.unlink()
    assert "is finished" not in train("--run-dir", run_dir)
    for drawing in lost:
        before = finished[0] / "generated_images" / drawing.name
        assert drawing.read_bytes() == before.read_bytes()
    assert "is finished" in train("--run-dir", run_dir)


@pytest.mark.slow
def test_killed_twice_before_its_first_checkpoint_it_begins_anew(
    run_dir, finished, train, monkeypatch
):
    """A grid may be drawn while its checkpoint is still being written; half a checkpoint is removed
    at the next start.
    """
    shutil.rmtree(run_dir / "checkpoints")
    (run_dir / "checkpoints" / "5.orbax-checkpoint-tmp").mkdir(parents=True)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("flaxgan.training.MetricsLog", lambda *_: 1 / 0)
        train("--run-dir", run_dir)
    assert not any((run_dir / "checkpoints").iterdir()) and not any(
        (run_dir / "generated_images").iterdir()
    )
    train("--run-dir", run_dir)
    assert steps(run_dir) == steps(finished[0])


@pytest.mark.slow
def test_what_was_half_drawn_is_drawn_anew(tmp_path, pictures, finished, train, monkeypatch):
    """Stopped in the second epoch, after step 7; then killed at its end, between the figures and
    the grid.
    """
    run_dir = tmp_path / "run"
    train("--dataset", pictures, "--epochs", 2, "--max-steps", 7, "--run-dir", run_dir, *TINY)
    assert sorted(path.name for path in (run_dir / "generated_images").iterdir()) == [
        "epoch_0001.png",
        "step_00000007.png",
    ]

    def killed(*_):
        raise Abandoned

    with monkeypatch.context() as patch, pytest.raises(Abandoned):
        patch.setattr("flaxgan.runs.snapshots.save_losses", killed)
        train("--run-dir", run_dir, "--max-steps", 10)
    (run_dir / "losses.png").unlink()
    assert "is finished" not in train("--run-dir", run_dir) and (run_dir / "losses.png").exists()
    name = "generated_images/epoch_0002.png"
    assert (run_dir / name).read_bytes() == (finished[0] / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "drawing",
    [
        "snapshots.save_losses",
        "snapshots.save_side_by_side",
        "snapshots.save_image",
        "views.name_rows",
        "views.SamplesView.images",
    ],
)
def test_what_cannot_be_drawn_is_a_warning_and_the_run_goes_on(
    tmp_path, pictures, monkeypatch, capsys, drawing
):
    monkeypatch.setattr(f"flaxgan.runs.{drawing}", lambda *_: 1 / 0)
    argv = ["--dataset", pictures, "--run-dir", tmp_path, "--epochs", 2, "--conditional", *TINY]
    main([str(arg) for arg in argv])
    kinds = 2 if drawing == "snapshots.save_image" else 1  # real_images.png, too
    printed = capsys.readouterr()
    assert (
        printed.err.count("warning: can't draw") == printed.err.count("ZeroDivisionError") == kinds
    ), printed.err
    assert re.search("(finished|ended after) 10 steps", printed.out) and steps(tmp_path) == [5, 10]
    grids = (
        []
        if drawing in ("snapshots.save_image", "views.SamplesView.images")
        else ["epoch_0001.png", "epoch_0002.png"]
    )
    assert sorted(path.name for path in (tmp_path / "generated_images").iterdir()) == grids


@pytest.mark.slow
def test_a_training_in_a_notebooks_cell_draws_all(tmp_path, pictures):
    """Which sets MPLBACKEND for a module that need not be installed here."""
    argv = ["--dataset", pictures, "--run-dir", tmp_path, "--max-steps", 2, "--conditional", *TINY]
    with start(
        *argv, environment={"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    ) as process:
        output, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (0, "") and steps(tmp_path) == [2], output
    assert {"losses.png", "real_vs_generated.png", "real_images.png"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert (tmp_path / "generated_images" / "step_00000002.png").exists()


def test_two_first_starts_in_the_same_folder(tmp_path, pictures, run_dir):
    """The second finds it empty, as the first did, and comes to train when the first has."""
    second = open_run(
        {
            "dataset": str(pictures),
            "run_dir": str(tmp_path / "new"),
            "image_size": 16,
            "features": 8,
            "batch_size": 8,
        }
    )
    shutil.copytree(run_dir, tmp_path / "new")
    with pytest.raises(UserError, match="has become the run of another process"):
        training.train(second)
    assert load_run(tmp_path / "new").config.options.features == 4


@pytest.mark.slow
def test_what_is_changed_on_the_way_is_judged_with_the_runs_own(tmp_path, pictures, train):
    run_dir = tmp_path / "run"
    train("--dataset", pictures, "--run-dir", run_dir, "--max-steps", 1, *TINY, "--batch-size", 24)
    assert "--accumulate 3 (was 1)" in train(
        "--run-dir", run_dir, "--max-steps", 2, "--accumulate", 3
    )


def test_all_rows_of_a_dispatch_have_its_speed(monkeypatch, tmp_path):
    """8 steps of 8 pictures in two seconds, again and again, are 32 a second in every row."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    (tmp_path / "run").mkdir()
    with (
        MetricsLog(tmp_path / "run", 0) as log,
        Reporter(Config.make(batch_size=8, log_every=3), log, 0, 40, 40) as reporter,
    ):
        for _ in range(5):
            now[0] += 2
            reporter.report({"d_loss": np.zeros(8), "g_loss": np.zeros(8)})
    assert [row["step"] for row in log.rows] == [1, *range(3, 40, 3), 40]
    assert {row["images_per_second"] for row in log.rows} == {32}


@pytest.mark.parametrize(("seconds", "left"), [(2.0, 2), (0.125, 8), (0.0005, 512)])
def test_half_a_second_of_steps_is_left_to_the_device(monkeypatch, seconds, left):
    now, ticks = [0.0], itertools.count()
    # no two times are the same
    monkeypatch.setattr("time.monotonic", lambda: now[0] + 1e-9 * next(ticks))
    reporter = Reporter(Config.make(batch_size=8, log_every=2), None, 0, 800, 40)
    loop = Loop(None, None, None, reporter, None)
    for done in range(2, 802, 2):
        now[0] += seconds
        loop.enqueue(done, {"d_loss": np.zeros(2), "g_loss": np.zeros(2)}, None)
    assert 0 <= reporter.step - (800 - left) <= 2, "at most so many steps, in whole dispatches"
    loop.settle(0)
    assert reporter.step == 800


def test_what_waits_for_its_losses_is_done_before_later_ones_are_looked_at(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("time.monotonic", lambda: 1e-6 * next(ticks))  # so fast that all may wait
    saved = []

    class Saves:
        def save(self, state):
            saved.append((state, reporter.step))

    reporter = Reporter(Config.make(batch_size=8, log_every=1), None, 0, 40, 40)
    loop = Loop(None, None, Saves(), reporter, None)
    good = {"d_loss": np.zeros(2), "g_loss": np.zeros(2)}
    assert loop.enqueue(2, good, None) == []
    second, fourth, fifth = (Snapshot(step, f"state {step}", True) for step in (4, 8, 10))
    assert loop.enqueue(4, good, second) == loop.enqueue(6, good, None) == saved == []
    assert loop.enqueue(8, good, fourth) == [second], "one waits at a time"
    assert saved == [("state 4", 4)]
    assert loop.enqueue(10, good | {"g_loss": np.array([0, np.nan])}, fifth) == [fourth]
    assert saved == [("state 4", 4), ("state 8", 8)]
    with pytest.raises(UserError, match="at step 10 "):
        loop.settle(0)
    assert len(saved) == 2


@pytest.mark.slow
def test_several_steps_a_dispatch_end_where_a_checkpoint_is_due(
    tmp_path, pictures, finished, train, monkeypatch
):
    """As on a GPU; the epoch of five steps ends within one."""
    counts = []

    class Noted(Trainer):
        def train_steps(self, state, indices, stage):
            counts.append(len(indices["image"]))
            return super().train_steps(state, indices, stage)

    monkeypatch.setattr("flaxgan.training.Trainer", functools.partial(Noted, steps_per_dispatch=4))
    run_dir = tmp_path / "run"
    train(
        "--dataset",
        pictures,
        "--epochs",
        2,
        "--checkpoint-every",
        2,
        "--run-dir",
        run_dir,
        "--log-every",
        2,
        *TINY,
    )
    assert counts == [4, 4, 2] and steps(run_dir) == [10]
    assert [path.name for path in (run_dir / "generated_images").iterdir()] == ["epoch_0002.png"]
    got, want = (
        [[row[name] for name in sorted(row)] for row in without_timings(rows(run))]
        for run in (run_dir, finished[0])
    )
    np.testing.assert_allclose(got, want, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--ema", 0)])
def test_elsewhere_than_on_a_cpu_drawing_is_compiled_before_the_first_step(
    tmp_path, pictures, train, monkeypatch, flags
):
    """And while something may be drawn beside it, the thread that trains gets Python back
    sooner.
    """
    compiled, before = [], sys.getswitchinterval()

    def train_steps(self, *args, _step=Trainer.train_steps):
        compiled.append(
            (sampling.generated_images._cache_size(), sampling._calibrated._cache_size())
        )
        assert sys.getswitchinterval() < before
        return _step(self, *args)

    monkeypatch.setattr("flaxgan.training.on_cpu", lambda: False)
    monkeypatch.setattr(Trainer, "train_steps", train_steps)
    sampling.generated_images.clear_cache()
    sampling._calibrated.clear_cache()
    run_dir = tmp_path / "run"
    train("--dataset", pictures, "--run-dir", run_dir, "--epochs", 2, *TINY, *flags)
    assert len(list((run_dir / "generated_images").iterdir())) == 2
    assert compiled[0] == compiled[-1] == (1, 0 if flags else 1)
    assert compiled[0] == (
        sampling.generated_images._cache_size(),
        sampling._calibrated._cache_size(),
    )
    assert sys.getswitchinterval() == before


@pytest.mark.slow
def test_rows_of_lost_steps_and_lines_that_are_no_rows_are_dropped(run_dir, train):
    with (run_dir / "metrics.jsonl").open("a") as log:
        log.write(
            '\n[1]\n{"step": null}\n'
            + json.dumps(rows(run_dir)[-1] | {"step": 12})
            + '\n{"step": 14, "d_lo'
        )
    with (run_dir / "metrics.jsonl").open("ab") as log:
        log.write(b"\xff\n")
    train("--run-dir", run_dir, "--epochs", 3)
    assert [row["step"] for row in rows(run_dir)] == [1, 2, 4, 6, 8, 10, 12, 14, 15]


def row_of(step, **values):
    return {"step": step, "epoch": 1, "d_loss": 0.5, "images_per_second": 9.0} | values


def test_lines_that_are_no_rows_and_rows_that_are_lost(tmp_path, capsys):
    log = tmp_path / "metrics.jsonl"
    wrong = [
        row_of(20, d_loss="0.1"), row_of(20, d_loss=None), row_of(20, d_loss=[1]), row_of(True),
        row_of(2.5), {"step": "3"}, {}, [20], 20, None,
    ]  # fmt: skip
    good = [row_of(step, time="x") for step in (1, *range(10, 60, 10))]
    lines = [json.dumps(row) for row in (*good, *wrong)]
    log.write_text("\n".join([*lines, 5000 * "[", "{" * 9, ""]))
    with MetricsLog(tmp_path, 50, log_every=10) as opened:
        assert opened.rows == good
    assert rows(tmp_path) == good and capsys.readouterr().out == ""
    log.write_text("\n".join(json.dumps(row) for row in good if row["step"] not in (20, 30)))
    MetricsLog(tmp_path, 50, log_every=10).__exit__()
    assert "lost its rows between step 10 and step 40" in capsys.readouterr().out
    log.write_text("")
    MetricsLog(tmp_path, 50, log_every=10).__exit__()
    assert "lost its rows between step 0 and step 50" in capsys.readouterr().out
    log.write_text("\n".join(json.dumps(row_of(step)) for step in (1, *range(100, 600, 100))))
    MetricsLog(tmp_path, 500, log_every=10).__exit__()
    assert capsys.readouterr().out == "", "an earlier --log-every"


@pytest.mark.slow
def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(run_dir, refused, monkeypatch):
    error = refused("--run-dir", run_dir, "--epochs", 9, "--learning-rate", "1e30")
    assert re.search(r"diverged: at step 1\d.*last checkpoint.* is kept.*--learning-rate", error)
    with monkeypatch.context() as patch:  # what else goes wrong does not hide it
        patch.setattr("flaxgan.runs.snapshots.save_losses", full)
        (run_dir / "generated_images" / "epoch_0002.png").unlink()
        assert "diverged" in refused("--run-dir", run_dir)
    assert steps(run_dir)[-1] == 10
    assert all(
        np.isfinite(np.asarray(leaf)).all()
        for leaf in jax.tree.leaves(state(run_dir).generator.params)
    )


@pytest.mark.slow
def test_dry_run_prints_and_writes_nothing(tmp_path, pictures, train):
    flags = ("--preset", "plain", "--image-size", 64, "--features", 4)
    flags += ("--batch-size", 8, "--dry-run")
    output = train("--dataset", pictures, "--run-dir", tmp_path / "run", *flags)
    assert not (tmp_path / "run").exists()
    assert "generator: 62,264 parameters" in output and "discriminator: 11,568 parameters" in output
    assert re.search(r"ConvTranspose4x4_0/kernel\s+4 x 4 x 32 x 16\s+8,192", output)
    assert re.search(r"image_size\s+\(64, 64\)", output) and re.search(r"channels\s+3", output)


@pytest.mark.slow
def test_a_folder_whose_name_is_no_text(tmp_path, pictures, train):
    folder = shutil.copytree(pictures, tmp_path / os.fsdecode(b"caf\xe9"))
    assert r"caf\udce9" in train(
        "--dataset", folder, "--run-dir", tmp_path / "run", *TINY, "--dry-run"
    )


@pytest.mark.usefixtures("every_device")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--dataset", "oxford_flower102"], "did you mean oxford_flowers102"),
        (["--dataset", "./nowhere"], "nowhere; say with --dataset where your pictures are"),
        (["--dataset", "nowhere/pictures"], "no folder of that name"),
        (
            ["--dataset", "tests", "--data-dir", "."],
            "the folder of that name goes without --data-dir",
        ),
        (["--dataset", "my pictures"], "neither a folder nor the name"),
        (
            ["--dataset", "~nobody-of-that-name/pictures"],
            "--dataset ~nobody-of-that-name/pictures can't be used",
        ),
        (["--dataset", "x" * 300], "there is no folder of that name"),
        (["--dataset", "./" + "x" * 300], "File name too long"),
        (["--data-dir", "~nobody-of-that-name"], "--data-dir ~nobody-of-that-name can't be used"),
        (
            ["--image-size", "30"],
            (
                "can't be built: each stage of the networks halves height and width, at least twice"
                " and until the shorter side is 4 to 15, but halving evenly stops at 15x15 after 1;"
                " try a size like 28 or 32"
            ),
        ),
        (["--image-size", "17x64"], "try a size like 16x64 or 20x64"),
        (["--batch-size", "48"], "there are 40; lower --batch-size"),
        (["--batch-size", "12"], "evenly among 8 devices"),
        (["--accumulate", "2"], "evenly among 8 devices in 2 parts"),
        (["--accumulate", "3"], "--accumulate must divide --batch-size 8"),
        (["--batch-size", "0"], "--batch-size must be at least 1"),
        (["--learning-rate", "nan"], "--learning-rate must be a positive number"),
        (["--learning-rate", "-1"], "--learning-rate must be a positive number"),
        (["--beta1", "1"], "--beta1 must lie in [0, 1)"),
        (["--device", "gpu"], "--device gpu"),
        (["--evaluate-every", "1", "--inception-weights", "x"], "belongs to --extractor inception"),
        (
            [
                "--evaluate-every",
                "1",
                "--extractor",
                "inception",
                "--inception-weights",
                "./nowhere.pth",
            ],
            "nowhere.pth",
        ),
        (["--epochs", "none"], "invalid int value"),
        (["--epochs", "2000000000"], "10000000000 steps, more than can be counted"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path, pictures, refused, monkeypatch, argv, message
):
    monkeypatch.chdir(ROOT)  # one names its folder `tests`
    assert message in refused("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, *argv)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_out_of_memory_names_the_flags_that_help(tmp_path, pictures, refused):
    """More weights than any address space holds."""
    error = refused(
        "--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, "--features", 1_000_000
    )
    assert all(
        name in error
        for name in ("--batch-size", "--accumulate", "--features", "--image-size", "--dtype")
    )


@pytest.mark.slow
@pytest.mark.usefixtures("every_device")
def test_a_run_in_another_precision_in_parts_and_by_pmap_resumes_plainly(run_dir, train):
    """What the step computes with may change on the way: the state is the same tree."""
    argv = [
        "--dtype",
        "bfloat16",
        "--accumulate",
        1,
        "--parallelism",
        "pmap",
        "--data-home",
        "device",
    ]
    assert "--dtype bfloat16 (was float32)" in train("--run-dir", run_dir, "--epochs", 3, *argv)
    assert steps(run_dir)[-1] == rows(run_dir)[-1]["step"] == 15


@pytest.mark.slow
@pytest.mark.parametrize("argv", [[], ["--dry-run"]], ids=str)
def test_a_platform_that_is_absent(tmp_path, pictures, monkeypatch, argv):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    process = start("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, *argv)
    _, error = process.communicate(timeout=120)
    assert (
        process.returncode == 2
        and "JAX_PLATFORMS=cuda: JAX finds no such device" in error.splitlines()[-1]
    )
    assert "Traceback" not in error and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("device", "given", "want"),
    [
        ("auto", "--xla_dump_to=x", "--xla_gpu_enable_triton_gemm=false --xla_dump_to=x"),
        ("auto", "--xla_gpu_enable_triton_gemm=true", "--xla_gpu_enable_triton_gemm=true"),
        ("cpu", "--xla_dump_to=x", "--xla_dump_to=x"),
    ],
)
def test_what_a_person_sets_in_xla_flags_stands(monkeypatch, device, given, want):
    monkeypatch.setenv("XLA_FLAGS", given)  # read by XLA when it begins, which it has here
    set_up_devices(device)
    assert os.environ["XLA_FLAGS"] == want


LOADED = "/jax/compilation_cache/cache_hits"
COMPILE_ON = """
import os, sys, jax
from flaxgan.system.devices import set_up_devices
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.monitoring.register_event_listener(lambda name, **_: print(name))
set_up_devices("cpu")
jax.jit(lambda x: x @ x)(1.0 * jax.numpy.ones((64, 64)))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="only Linux lets a process have fewer cores, and there must be fewer to have",
)
def test_a_cached_program_is_not_used_with_another_number_of_cores(tmp_path, monkeypatch):
    """It was divided among the cores that compiled it."""
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    command = [sys.executable, "-c", COMPILE_ON]
    said = [
        subprocess.run([*command, cores], capture_output=True, text=True, check=True).stdout
        for cores in "1122"
    ]
    assert [LOADED in text for text in said] == [False, True, False, True]


def test_folders_that_cannot_be_a_run(tmp_path, pictures, refused):
    argv = ["--dataset", pictures, *TINY, "--run-dir"]
    (tmp_path / "file").write_text("mine")
    assert "Not a directory" in refused(*argv, tmp_path / "file")
    assert "Not a directory" in refused(*argv, tmp_path / "file" / "run")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.txt").write_text("mine")
    assert "no run of flaxgan" in refused(*argv, tmp_path / "photos")
    (tmp_path / "broken").mkdir()
    whole = {"dataset": str(pictures), "image_size": [16, 16], "channels": 3}
    damaged = [
        {"dataset": 5},
        {"image_size": [16]},
        {"image_size": "64"},
        {"epochs": 2.5},
        {"loss": None},
        {"data": None},
    ]
    for text in ('{"dataset": ', "{}", "[]", *(json.dumps(whole | fields) for fields in damaged)):
        (tmp_path / "broken" / "config.json").write_text(text)
        assert "can't be read" in refused(*argv, tmp_path / "broken")
    assert (
        "would lie among the pictures" in refused(*argv, pictures / "runs" / "mine")
        and not (pictures / "runs").exists()
    )
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_folder_that_cannot_hold_checkpoints_is_refused_at_once(
    tmp_path, pictures, train, refused, monkeypatch
):
    run_dir = tmp_path / "runs [1]" / "mine"
    assert "can't take [ in a path" in refused("--dataset", pictures, *TINY, "--run-dir", run_dir)
    assert not any(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(pictures, tmp_path / "mine [1]*")
    assert "runs/mine -1---" in train("--dataset", folder, *TINY, "--dry-run"), (
        "a run that gets its name from its pictures"
    )


@pytest.mark.slow
def test_a_run_that_ended_before_its_first_step_takes_other_flags(run_dir, train, refused):
    """As one that was short of memory, which its error says to give other flags."""
    other = ["--run-dir", run_dir, "--batch-size", 16, "--image-size", 32]
    assert "can't be resumed with --batch-size" in refused(*other)
    shutil.rmtree(run_dir / "checkpoints")
    assert "the checkpoints of" in refused("--run-dir", run_dir), (
        "its best one and its rows would be lost"
    )
    shutil.rmtree(run_dir / "generated_images")
    assert "can't be resumed with --batch-size" in refused(*other), "it has rows"
    (run_dir / "metrics.jsonl").unlink()
    assert "can't be resumed with --dataset" in refused(*other, "--dataset", "synthetic_flowers")
    assert "--batch-size 16 (was 8)" in train(*other)
    config = load_run(run_dir).config
    assert (config.batch_size, config.image_size, config.options.features, steps(run_dir)[-1]) == (
        16,
        (32, 32),
        4,
        4,
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", ["gone", "locked"])
def test_what_can_no_longer_be_written_to_is_one_line(
    tmp_path, pictures, train, refused, monkeypatch, what
):
    run_dir = tmp_path / "run"
    train("--dataset", pictures, "--run-dir", run_dir, "--max-steps", 1, *TINY)
    if what == "gone":
        draw = "flaxgan.runs.views.SamplesView.images"
        monkeypatch.setattr(
            draw,
            lambda *_: (
                shutil.rmtree(run_dir / "generated_images") or np.zeros((64, 16, 16, 3), np.uint8)
            ),
        )
        want = f"can't write {run_dir}/generated_images"
    else:
        allowed = os.access
        monkeypatch.setattr(
            "os.access", lambda path, mode: path.name != "checkpoints" and allowed(path, mode)
        )
        want = f"can't write to {run_dir}/checkpoints; see to its permissions"
    assert want in refused("--run-dir", run_dir, "--max-steps", 2)


@pytest.mark.parametrize("name", [".", "e"])
def test_only_errors_of_the_runs_own_files_are_the_runs(tmp_path, monkeypatch, pictures, name):
    monkeypatch.chdir(tmp_path)
    run = open_run({"dataset": str(pictures), "run_dir": name})
    inside, full, outside, nowhere = (
        OSError(errno.EIO, "broken", f"{name}/generated_images/a.png"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{name}/generated_images/a.png"),
        OSError(errno.EIO, "broken", str(tmp_path.parent / "e.jpg")),
        TimeoutError("timed out"),
    )
    for error, kind in (
        (inside, UserError),
        (full, OSError),
        (outside, OSError),
        (nowhere, TimeoutError),
    ):
        with pytest.raises(kind) as raised, run.held():
            raise error
        assert kind is UserError or raised.value is error
    (tmp_path / name / "mine").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path.name != "mine")
    run.require_writable()


@pytest.mark.slow
def test_a_class_a_row_in_all_pictures_of_a_run(tmp_path, pictures, train, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "flaxgan.runs.snapshots.save_side_by_side",
        lambda path, grids, title, columns: drawn.append((grids, columns)),
    )
    train(
        "--dataset",
        pictures,
        "--run-dir",
        tmp_path,
        "--max-steps",
        1,
        "--conditional",
        *TINY,
        "--image-size",
        "32x16",
    )
    ((grids, columns),) = drawn
    named = name_rows(grid(grids["generated"], columns), ["discs", "squares"] * 4)
    assert (
        columns == 8
        and (
            np.asarray(Image.open(tmp_path / "generated_images" / "step_00000001.png")) == named
        ).all()
    )


def test_folders_without_permission(tmp_path, pictures, refused, monkeypatch):
    """Patched, since a test that runs as root is refused nothing."""

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "secret").mkdir()
    argv = ["--dataset", pictures, *TINY, "--run-dir"]
    with monkeypatch.context() as patch:
        patch.setattr("os.listdir", refuse)
        assert "Permission denied" in refused(*argv, tmp_path / "secret")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.mkdir", refuse)
        assert "can't write to --run-dir" in refused(*argv, tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", refuse)
        assert "can't read the folder" in refused(
            "--dataset", tmp_path / "secret", "--run-dir", tmp_path / "new"
        )


def test_one_process_at_a_time(run_dir, refused):
    with locked(run_dir):
        assert "being trained by another process" in refused("--run-dir", run_dir, "--epochs", 3)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_not_trained_on(run_dir, refused):
    for file in (run_dir / "checkpoints" / "10").rglob("d/*"):
        file.write_bytes(file.read_bytes()[:-50])
    assert "checkpoints/10 can't be read" in refused("--run-dir", run_dir, "--epochs", 3)
    assert len(rows(run_dir)) == 6
    for _ in range(2):  # of what Orbax still reads of it, nothing is to be heard
        error = start("--run-dir", run_dir, "--epochs", 3).communicate(timeout=120)[1]
        assert "checkpoints/10 can't be read" in error and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv",
    [
        ["--image-size", "16x40", "--conditional"],
        ["--channels", "1", "--image-size", "28"],
        [
            "--architecture",
            "resnet",
            "--loss",
            "hinge",
            "--spectral-norm",
            "--conditional",
            "--d-steps",
            "2",
        ],
        [
            *("--architecture", "style", "--r1", "0.1", "--r1-every", "2", "--path-length", "2"),
            *("--conditional", "--channels", "1", "--image-size", "16x40"),
        ],
        [
            "--architecture",
            "dense",
            "--loss",
            "wgan",
            "--gradient-penalty",
            "10",
            "--channels",
            "1",
        ],
    ],
)
def test_other_shapes_and_networks_train(tmp_path, pictures, train, argv):
    train("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, "--max-steps", 2, *argv)
    assert steps(tmp_path / "run") == [2]
    if "16x40" in argv:
        width, height = size_of(tmp_path / "run" / "generated_images" / "step_00000002.png")
        assert height == 8 * 18 + 2 and width > 8 * 42 + 2, (
            "eight in a row, one class, whatever the shape; beside their name"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "split", "shape"),
    [("oxford_flowers102", "train", (32, 32, 3)), ("fashion_mnist", "test[:1000]", (28, 28, 1))],
)
def test_real_pictures_train(tmp_path, real_data, dataset, split, shape):
    size = ["--image-size", 32] if shape[0] == 32 else []
    data = ["--dataset", dataset, "--split", split, "--data-dir", real_data / "tfds"]
    process = start(
        *data,
        *size,
        "--features",
        8,
        "--max-steps",
        12,
        "--log-every",
        1,
        "--run-dir",
        tmp_path / "run",
    )
    succeed(process)
    log = rows(tmp_path / "run")
    assert len(log) == 12 and all(np.isfinite(row["g_loss"]) for row in log)
    assert log[-1]["d_loss"] < log[0]["d_loss"], (
        "within a few steps the discriminator tells flowers from noise"
    )
    generator = state(tmp_path / "run").generator
    assert generator.module.image_size == shape[:2] and generator.module.channels == shape[2]


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_not_saved():
    class Never:
        def save(self, _):
            pytest.fail("saved")

    good = create_state(Config.make(image_size=16, channels=3, features=4))
    params = jax.tree.map(lambda x: x * np.nan, good.generator.params)
    bad = good.replace(generator=good.generator.replace(params=params))
    reporter = Reporter(Config.make(batch_size=8), None, 0, 40, 40)
    with pytest.raises(UserError, match="at step 7 "):
        loop = Loop(None, None, Never(), reporter, None)
        loop.enqueue(7, {"d_loss": np.zeros(7)}, Snapshot.take(bad, 7))
        loop.settle(0)


def test_what_is_abandoned_is_abandoned_through_whatever_catches_errors():
    """As JAX does around its compilation cache."""
    with (
        pytest.raises(Abandoned),
        Interrupt.watch() as interrupt,
        interrupt.abandoning(),
        contextlib.suppress(Exception),
    ):
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.name == "SIGTERM"


@pytest.mark.slow
def test_a_run_whose_output_nobody_reads_goes_on(tmp_path, pictures):
    """As after `| head`."""
    run_dir, grid = tmp_path / "run", tmp_path / "grid.png"
    with start("--dataset", pictures, "--run-dir", run_dir, "--epochs", 2, *TINY) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert (
        process.returncode == 0
        and steps(run_dir)[-1] == 10
        and (run_dir / "generated_images" / "epoch_0002.png").exists()
    )
    with start(run_dir, "--output", grid, module="flaxgan.sample") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141 and grid.exists()


@pytest.mark.slow
def test_a_run_whose_terminal_closes_ends_saved(tmp_path, pictures):
    """Its messages and its progress bar have nowhere to go by then."""
    run_dir, (ours, terminal) = tmp_path / "run", os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    process = start(
        "--dataset", pictures, "--epochs", 1000, "--run-dir", run_dir, "--log-every", 1, *TINY,
        **streams, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    os.set_blocking(ours, False)
    while process.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.05)
        with contextlib.suppress(BlockingIOError):
            os.read(ours, 10_000)
    os.close(ours)
    process.send_signal(signal.SIGHUP)  # as the kernel does if it is the terminal of a session
    assert process.wait(60) == 0
    assert steps(run_dir)[-1] == rows(run_dir)[-1]["step"] < 5000


def in_shell(line, *argv):
    """Start a training as a line of the shell, in which $RUN stands for the command."""
    command = [sys.executable, "-m", "flaxgan.main", *argv, *TINY]
    line = line.replace("$RUN", shlex.join(map(str, command)))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": QUICK}
    return subprocess.Popen(["sh", "-c", line], env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_disk_with_little_room_is_said_before(tmp_path, pictures, train, monkeypatch):
    little = types.SimpleNamespace(free=10_000)
    monkeypatch.setattr("flaxgan.training.shutil.disk_usage", lambda folder: little)
    printed = train("--dataset", pictures, "--run-dir", tmp_path, "--max-steps", 1, *TINY)
    assert re.search(r"note: 0 MiB are free where .*--keep-checkpoints 1", printed)


@pytest.mark.slow
def test_nohup_goes_on(tmp_path, pictures):
    run_dir = tmp_path / "run"
    asked = "--dataset", pictures, "--run-dir", run_dir, "--epochs", 12
    process = in_shell("trap '' HUP; exec $RUN", *asked)
    while process.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60)[1] == "" and process.returncode == 0
    assert steps(run_dir)[-1] == 60


@pytest.mark.slow
def test_streams_that_are_closed_get_nothing(tmp_path, pictures):
    """Nor does a file of the run that is opened in their place."""
    run_dir = tmp_path / "run"
    asked = "--dataset", pictures, "--run-dir", run_dir, "--epochs", 1
    succeed(in_shell("exec $RUN <&- >&- 2>&-", *asked))
    assert steps(run_dir)[-1] == 5 and len(rows(run_dir)) > 0


@pytest.mark.slow
def test_ctrl_c_twice_ends_a_command_without_a_word_of_python(tmp_path, pictures):
    run_dir = tmp_path / "run"
    process = start("--dataset", pictures, "--epochs", 1000, "--run-dir", run_dir, *TINY)
    while process.poll() is None and not (run_dir / "metrics.jsonl").exists():
        time.sleep(0.05)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    error = process.communicate(timeout=60)[1]
    assert {*error.splitlines()} <= {HEARD.format("SIGINT").strip(), "flaxgan: interrupted"}
    assert process.returncode in (0, 130)


def test_a_signal_is_heard_at_once_while_a_library_works():
    """As XLA while it compiles: the handler in Python has to wait for it."""
    line = (
        "import hashlib, os, signal, threading; from flaxgan.system.signals import Interrupt\n"
        "later = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))\n"
        "with Interrupt.watch(exits=True) as interrupt:\n"
        "    later.start(); hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)\n"
    )
    command = [sys.executable, "-c", line]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == HEARD.format("SIGINT")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1] == "flaxgan: interrupted\n"
    assert process.returncode == 130


def test_a_second_ctrl_c_ends_it_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupt.watch() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.name == "SIGINT"
        signal.raise_signal(signal.SIGINT)


def test_what_a_resumed_run_can_change():
    trained_with = {
        "loss",
        "label_smoothing",
        "augment",
        "dropout",
        "feature_matching",
        "instance_noise",
        "beta1",
        "beta2",
    }
    rates = {"learning_rate", "d_learning_rate", "g_learning_rate"}
    how_long = {"epochs", "images", "max_steps", "hours"}
    how_often = {"checkpoint_every", "keep_checkpoints", "log_every", "evaluate_every"}
    how_computed = {
        "device",
        "dtype",
        "accumulate",
        "data_home",
        "parallelism",
        "instance_noise_images",
    }
    where = {
        "run_dir",
        "data_dir",
        *("inception_weights", "dinov2_weights"),
        "distributed",
        "coordinator_address",
        "num_processes",
        "process_id",
    }
    shown = {"tensorboard", "watch", "watch_host"}
    changeable = {name for name, field in fields_of("gan").items() if not field.metadata["fixed"]}
    how = how_often | how_computed | where | shown
    assert changeable == trained_with | rates | how_long | how
