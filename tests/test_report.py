"""The report of a run, or of several: what it says, how large it is, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import flaxgan
from flaxgan.plots import grid, name_rows
from flaxgan.report import main as report
from flaxgan.reports.columns import columns, seconds_trained
from flaxgan.reports.page import MOST_RUNS, Report, html_of
from flaxgan.reports.pictures import Pictures, cells
from flaxgan.reports.shown import Grid
from flaxgan.runs.history import History
from flaxgan.system.files import in_use, locked
from tests.conftest import TINY
from tests.made_runs import ROW, data_in, made_run, noise, row, rows_of


def content(folder, tmp_path):
    """What the command writes of a run."""
    output = tmp_path / "page.html"
    report([str(folder), "--output", str(output)])
    (run,) = data_in(output)["runs"]
    return run


def test_a_report_says_how_far_a_run_is(tmp_path):
    run = content(made_run(tmp_path / "run", rows_of(40), [10, 40]), tmp_path)
    assert (run["state"], run["step"], run["total"]) == ("stopped", 40, 100)
    assert (run["epoch"], run["epochs"], run["images_seen"]) == (4, 10, 320)
    assert run["speed"] == 80 and run["left"] == 60 * 8 / 80
    assert run["training"]["d_loss"] == [1.2] * 40 and run["training"]["step"] == [*range(1, 41)]
    assert [at["step"] for at in run["snapshots"]] == [10, 40] and run["all_snapshots"] == 2
    assert run["real"]["src"].startswith("data:image/webp;base64,")
    ended = content(made_run(tmp_path / "ended", rows_of(100)), tmp_path)
    assert ended["state"] == "finished" and ended["left"] is None


def test_a_run_that_trains_is_told_from_one_that_stopped(tmp_path):
    folder = made_run(tmp_path / "run", rows_of(40))
    assert not in_use(folder)
    with locked(folder):
        assert content(folder, tmp_path)["state"] == "training"
    assert content(folder, tmp_path)["state"] == "stopped"


def test_a_report_says_what_is_configured_and_why(tmp_path):
    run = content(made_run(tmp_path / "run", ema=500), tmp_path)
    fields = {line["name"]: line for line in run["configuration"]}
    assert fields["--ema"]["value"] == "500" and fields["--ema"]["default"] == "10000"
    assert fields["--ema"]["differs"] and fields["--ema"]["why"] == "usual"
    assert not fields["--beta1"]["differs"] and "--watch" not in fields
    commands = dict(run["commands"])
    assert commands["sample"] == f"python -m flaxgan.sample {tmp_path / 'run'}"


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan", "cut", "srgan"])
def test_a_report_of_each_method_of_translation(tmp_path, method):
    more = {"target": "/elsewhere"} if method in ("cyclegan", "cut") else {}
    folder = made_run(tmp_path / "run", rows_of(9), [5, 9], method=method, size=64, **more)
    run = content(folder, tmp_path)
    assert run["what"][0] == method and run["real"] is None and len(run["snapshots"]) == 2
    assert "flaxgan.translate" in dict(run["commands"])["translate"]


def test_metrics_stand_beside_their_references_and_best_values(tmp_path):
    distances = [
        row(step, fd_efficientnet_lite0=fd, memorised=0.0) for step, fd in ((5, 9.0), (9, 11.0))
    ]
    folder = made_run(tmp_path / "run", [*rows_of(9), *distances])
    beside = {"references": {"fd_efficientnet_lite0": 2.5}, "caveats": ["fd: 8 are fewer than 9"]}
    (folder / "references.json").write_text(json.dumps(beside))
    run = content(folder, tmp_path)
    fd, memorised = run["metrics"]["lines"]
    assert (fd["value"], fd["best"], fd["best_step"], fd["reference"]) == (11, 9, 5, 2.5)
    assert fd["meaning"] == "lower is better" and "half" in fd["of"]
    assert memorised["reference"] is None and memorised["of"] == ""
    assert run["evaluations"]["fd_efficientnet_lite0"] == [9, 11]
    assert any("too few pictures" in text and "--num" in text for text in run["warnings"])


def test_what_flaxgan_evaluate_found_is_shown(tmp_path):
    folder = made_run(tmp_path / "run", rows_of(9))
    saved = {"date": "2026-01-01", "metrics": {"fid": {"value": 3.0, "reference": 1.0}}}
    (folder / "evaluation.json").write_text(json.dumps(saved))
    noise(folder / "evaluation_neighbours.png", 64)
    run = content(folder, tmp_path)
    assert run["evaluation"]["lines"][0] | {"of": ""} == {
        "name": "fid", "value": 3.0, "reference": 1.0, "meaning": "lower is better", "of": ""
    }  # fmt: skip
    assert [figure["title"] for figure in run["figures"]] == [
        "Generated pictures and their nearest training pictures"
    ]


def test_illnesses_are_told_only_where_the_log_shows_them(tmp_path):
    won = rows_of(40, d_real_accuracy=1.0, d_fake_accuracy=1.0)
    said = content(made_run(tmp_path / "won", won), tmp_path)["warnings"]
    assert any("nothing left" in text and "--augment" in text for text in said)
    copied = [*rows_of(40), row(40, memorised=0.4)]
    said = content(made_run(tmp_path / "copied", copied), tmp_path)["warnings"]
    assert len(said) == 1 and "copies" in said[0] and "--checkpoint best" in said[0]
    risen = [
        *rows_of(40),
        *(row(i, fd_efficientnet_lite0=fd) for i, fd in ((10, 50.0), (20, 90.0), (30, 95.0))),
    ]
    said = content(made_run(tmp_path / "risen", risen), tmp_path)["warnings"]
    assert len(said) == 1 and "risen again" in said[0]
    assert content(made_run(tmp_path / "healthy", risen[:42]), tmp_path)["warnings"] == []


def test_a_damaged_log_is_read_as_far_as_it_goes_and_that_is_said(tmp_path):
    folder = made_run(tmp_path / "run", rows_of(5))
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 6, "d_lo\n\xff\xfe\n[1]\n{"step": 7, "d_loss": NaN, "x": 1e999}\n')
        file.write(
            b'{"step": 8, "time": 5, "d_loss": 1' + b"0" * 400 + b', "images_per_second": 1}\n'
        )
    run = content(folder, tmp_path)
    assert run["notes"] == ["3 lines of metrics.jsonl can't be read and are left out"]
    assert run["training"]["d_loss"][-1] is None and run["evaluations"]["d_loss"] == [None]


@pytest.mark.parametrize("gone", ["metrics.jsonl", "generated_images", "real_images.png"])
def test_files_may_lack(tmp_path, gone):
    folder = made_run(tmp_path / "run", rows_of(5), [5])
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert content(folder, tmp_path)["state"] == (
        "stopped" if gone != "metrics.jsonl" else "not begun"
    )


def test_broken_pictures_are_left_out(tmp_path):
    folder = made_run(tmp_path / "run", rows_of(5), [3, 4, 5])
    grids = folder / "generated_images"
    (grids / "step_00000004.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    whole = (grids / "step_00000005.png").read_bytes()
    (grids / "step_00000005.png").write_bytes(whole[: len(whole) // 2])
    run = content(folder, tmp_path)
    assert [at["step"] for at in run["snapshots"]] == [3] and run["all_snapshots"] == 3


def test_a_run_of_another_version_is_shown_and_its_version_said(tmp_path):
    folder = made_run(tmp_path / "run", rows_of(5))
    path = folder / "config.json"
    saved = json.loads(path.read_text()) | {"flaxgan_version": "0.1.0"}
    path.write_text(json.dumps(saved))
    assert "0.1" in content(folder, tmp_path)["notes"][0]


def test_several_runs_say_what_differs(tmp_path):
    folders = [made_run(tmp_path / str(ema), rows_of(9), [9], ema=ema) for ema in (500, 700)]
    output = tmp_path / "two.html"
    report([*map(str, folders), "--output", str(output)])
    data = data_in(output)
    assert [run["name"] for run in data["runs"]] == ["500", "700"]
    assert data["differing"] == ["--ema"]


@pytest.mark.slow
def test_a_report_stays_below_5_mb_whatever_there_is_to_show(tmp_path):
    names = [f"class {i} " + "x" * 200 for i in range(500)]
    folder = made_run(tmp_path / "run", class_names=names, conditional=True, num_classes=500)
    with (folder / "metrics.jsonl").open("w") as file:
        for i in range(1, 20001):
            file.write(json.dumps(row(i, **ROW, images_per_second=1 / 3)) + "\n")
    noise(folder / "generated_images" / "step_00000001.png", 700)
    for step in range(2, 80):
        shutil.copy(
            folder / "generated_images" / "step_00000001.png",
            folder / "generated_images" / f"step_{step:08d}.png",
        )
    for name in ("real_images.png", "evaluation_neighbours.png", "evaluation_typical.png"):
        noise(folder / name, 1000)
    run = content(folder, tmp_path)
    assert 1_000_000 < (tmp_path / "page.html").stat().st_size < 5_000_000
    steps = [at["step"] for at in run["snapshots"]]
    assert (
        steps[0] == 1 and steps[-1] == 79 and len({*np.diff(steps[:-1])}) == 1 and len(steps) > 15
    )
    assert len(run["training"]["step"]) < 20000 and run["training"]["step"][-1] == 20000
    assert run["training"]["d_loss"][0] == pytest.approx(1.2)


def test_a_picture_is_encoded_once(tmp_path, monkeypatch):
    folder = made_run(tmp_path / "run", rows_of(9), range(1, 10))
    shown = Report([folder]).runs[0]
    first = shown()
    monkeypatch.setattr("flaxgan.reports.pictures.encoded", None)  # it would raise
    assert shown()["snapshots"] == first["snapshots"]
    with pytest.raises(TypeError):
        shown(
            rows_of(9),
            Grid(folder / "generated_images" / "step_00000011.png", np.zeros((9, 9, 3), np.uint8)),
        )


def test_a_picture_that_was_written_anew_is_read_anew(tmp_path):
    pictures, path = Pictures(), tmp_path / "a.png"
    noise(path, 32)
    before = pictures.of(path, 10**6)
    noise(path, 40)
    assert pictures.of(path, 10**6)["width"] == 40 != before["width"]
    path.unlink()
    assert pictures.of(path, 10**6) is None


def test_a_grid_is_taken_apart_as_it_was_laid_out():
    images = np.random.default_rng(0).integers(0, 255, (13, 5, 7, 3), dtype=np.uint8)
    assert (cells(grid(images), (5, 7)) == images).all()
    named = name_rows(grid(images, 4), ["one", "two", "three", "four"])
    assert (cells(named, (5, 7), 4) == images).all()


def test_pauses_between_starts_are_no_time_trained():
    rows = [row(step) for step in (10, 20)] + [
        {"step": step, "time": f"2026-01-02T00:00:{step}Z"} for step in (30, 40)
    ]
    starts = [
        {"step": 0, "date": "2026-01-01T00:00:00+00:00"},
        {"step": 20, "date": "2026-01-02T01:00:20+01:00"},
    ]
    assert seconds_trained(rows, starts).tolist() == [10, 20, 30, 40]
    assert seconds_trained(rows[:2], []).tolist() == [0, 10], "where no start is known"
    assert seconds_trained([{"step": 1, "time": "no time"}], starts).tolist() == [0]


def test_long_logs_are_thinned_to_means():
    rows = [row(i, d_loss=float(i)) for i in range(1, 101)]
    thin = columns(rows, np.arange(100.0), 8, 40)
    assert len(thin["d_loss"]) == 10 and thin["d_loss"][0] == pytest.approx(5.5)
    assert thin["step"][-1] == 100 and thin["images_seen"][-1] == 800


def test_nothing_but_the_own_script_can_run(tmp_path):
    page = html_of('{"a": "\\u003c/script>"}', "</title><script>alert(1)</script>")
    assert page.count("<script") == 2 and "&lt;script&gt;alert" in page
    assert "default-src 'none'; script-src 'sha256-" in page
    folder = made_run(tmp_path / "x", dataset="</script><script>alert(1)</script>")
    report([str(folder), "--output", str(tmp_path / "page.html")])
    assert (tmp_path / "page.html").read_text().count("<script") == 2


@pytest.mark.parametrize(
    ("output", "said"),
    [("config.json", ".html"), ("checkpoints/a.html", "belongs to the run"), (".", ".html")],
)
def test_outputs_that_are_refused(tmp_path, refused, output, said):
    folder = made_run(tmp_path / "run")
    before = (folder / "config.json").read_bytes()
    assert said in refused(folder, "--output", folder / output, command=report)
    assert (folder / "config.json").read_bytes() == before


def test_what_is_no_run_is_refused(tmp_path, refused):
    assert "no run of flaxgan" in refused(tmp_path, command=report)
    folder = made_run(tmp_path / "run")
    assert f"1 to {MOST_RUNS}" in refused(*[folder] * (MOST_RUNS + 1), command=report)
    (folder / "config.json").write_text("[]")
    assert "can't be read" in refused(folder, command=report)
    assert not (folder / "report.html").exists()


def test_history_as_csv(tmp_path):
    rows = [*rows_of(3), row(3, fd=1.5)]
    path = History(rows).to_csv(tmp_path / "a.csv")
    head, *lines = path.read_text().splitlines()
    assert head.startswith("step,time,epoch,") and head.endswith(",images_per_second,fd")
    assert len(lines) == 4 and lines[0].endswith(",80.0,") and lines[3].endswith(",24,,,,,,1.5")
    with pytest.raises(flaxgan.UserError, match="can't be written"):
        History(rows).to_csv(tmp_path / "none" / "a.csv")


@pytest.mark.slow
def test_a_training_writes_its_report_and_says_what_is_next(tmp_path, train, pictures, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.chdir(tmp_path)
    flags = ["--dataset", pictures, "--max-steps", 10, "--checkpoint-every", "5 steps"]
    printed = train(*TINY, *flags, "--run-dir", "run")
    assert printed.splitlines()[-3:] == [
        "to look:      run/report.html",
        "to sample:    python -m flaxgan.sample run",
        "to measure:   python -m flaxgan.evaluate run",
    ]
    (run,) = data_in(folder / "report.html")["runs"]
    assert (run["state"], run["step"]) == ("finished", 10) and len(run["snapshots"]) == 2
    (start,) = run["starts"]
    assert start["devices"] >= 1 and start["python_version"].startswith("3.")
    watched = train(*TINY, *flags, "--run-dir", "watched", "--watch", 0, "--tensorboard")
    assert "watch it at http://127.0.0.1:" in watched and len(
        [*Path("watched/tensorboard").iterdir()]
    )
    losses = [flaxgan.Run(name).history["d_loss"].tolist() for name in ("run", "watched")]
    assert losses[0] == losses[1], "neither changes what is computed"
    again = flaxgan.Run(folder).report()
    assert again.path == folder / "report.html" and 'href="run/report.html"' in again._repr_html_()
    assert data_in(again.path)["runs"][0]["snapshots"] == run["snapshots"]
