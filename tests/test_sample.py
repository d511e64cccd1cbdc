import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from flaxgan.main import main
from flaxgan.methods.conditions import random_classes, spread_classes
from flaxgan.methods.sampling import between, latents
from flaxgan.plots import GAP, enlarged, grid, name_rows
from flaxgan.sample import main as sample
from tests.conftest import TINY, size_of, start


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("sample") / "run"
    main(["--dataset", str(pictures), "--run-dir", str(run_dir), "--epochs", "2", *TINY])
    return run_dir


def array(run_dir, path, *argv):
    sample([str(run_dir), "--output", str(path), *map(str, argv)])
    return np.load(path)


@pytest.mark.slow
def test_the_three_kinds_of_output_hold_the_same_pictures(run_dir, tmp_path):
    images = array(run_dir, tmp_path / "samples.npy", "--num", 5, "--seed", 1)
    assert images.shape == (5, 16, 16, 3) and images.dtype == np.uint8
    sample([str(run_dir), "--num", "5", "--seed", "1", "--output", str(tmp_path / "folder")])
    files = sorted((tmp_path / "folder").iterdir())
    assert [file.name for file in files] == [f"{i}.png" for i in range(5)]
    assert (np.stack([np.asarray(Image.open(file)) for file in files]) == images).all()
    sample([str(run_dir), "--num", "5", "--seed", "1", "--output", str(tmp_path / "grid.png")])
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == grid(images)).all()


@pytest.mark.slow
def test_one_picture_is_written_without_a_frame(run_dir, conditional, tmp_path, printed):
    (image,) = array(run_dir, tmp_path / "one.npy", "--num", 1)
    assert "\n1 picture of 16x16 in" in "\n" + printed(
        sample, run_dir, "--num", 1, "--output", tmp_path / "one.png"
    )
    assert (np.asarray(Image.open(tmp_path / "one.png")) == image).all()
    sample(
        [str(conditional), "--class", "discs", "--num", "1", "--output", str(tmp_path / "disc.png")]
    )
    assert size_of(tmp_path / "disc.png") == (16, 16)


@pytest.mark.slow
@pytest.mark.parametrize("resample", ["nearest", "smooth"])
def test_all_that_is_written_can_be_enlarged(run_dir, tmp_path, resample, printed):
    images = enlarged(array(run_dir, tmp_path / "a.npy", "--num", 3), 4, resample == "smooth")
    flags = [run_dir, "--num", 3, "--scale", 4, "--resample", resample]
    assert "3 pictures of 16x16, 4 times as large, in" in printed(
        sample, *flags, "--output", tmp_path / "grid.png"
    )
    printed(sample, *flags, "--output", tmp_path / "folder")
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == grid(images)).all()
    assert (
        np.stack([np.asarray(Image.open(tmp_path / "folder" / f"{i}.png")) for i in range(3)])
        == images
    ).all()
    moving = [run_dir, "--interpolate", "3,4", "--frames", 2, *flags[3:]]
    printed(sample, *moving, "--output", tmp_path / "strip.png")
    printed(sample, *moving, "--output", tmp_path / "there.webp")
    assert size_of(tmp_path / "strip.png") == (3 * (64 + GAP) + GAP, 64 + 2 * GAP)
    assert size_of(tmp_path / "there.webp") == (64, 64)


@pytest.mark.slow
def test_names_are_written_beside_enlarged_rows_not_enlarged_with_them(conditional, tmp_path):
    both = enlarged(array(conditional, tmp_path / "a.npy", "--class", "all", "--num", 2), 8)
    sample(
        [
            str(conditional),
            "--class",
            "all",
            "--num",
            "2",
            "--scale",
            "8",
            "--output",
            str(tmp_path / "grid.png"),
        ]
    )
    named = name_rows(grid(both, columns=2), ["discs", "squares"])
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == named).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid.jpg", "grid.JPEG"])
def test_a_grid_as_jpeg(run_dir, tmp_path, name):
    sample([str(run_dir), "--num", "4", "--scale", "8", "--output", str(tmp_path / name)])
    with Image.open(tmp_path / name) as picture:
        assert picture.format == "JPEG"
        images = enlarged(array(run_dir, tmp_path / "a.npy", "--num", 4), 8)
        assert abs(np.asarray(picture, np.int16) - grid(images)).mean() < 4


@pytest.mark.slow
def test_picture_i_depends_on_seed_and_i_alone(run_dir, tmp_path):
    few, many = (array(run_dir, tmp_path / f"{n}.npy", "--num", n) for n in (3, 70))
    assert (many[:3] == few).all() and len(np.unique(many, axis=0)) == 70
    assert (array(run_dir, tmp_path / "other.npy", "--num", 3, "--seed", 1) != few).any()


def test_the_last_grid_of_the_run_is_seed_zero(run_dir, tmp_path):
    sample([str(run_dir), "--output", str(tmp_path / "grid.png")])
    last = run_dir / "generated_images" / "epoch_0002.png"
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == np.asarray(Image.open(last))).all()


@pytest.mark.slow
def test_an_older_checkpoint_by_its_step_or_epoch(run_dir, tmp_path):
    """Two epochs of 5 steps."""
    names = ("10", "5", "epoch:1", "step:5")
    newest, *older = (
        array(run_dir, tmp_path / f"{i}.npy", "--num", 4, "--checkpoint", name)
        for i, name in enumerate(names)
    )
    assert (
        (newest != older[0]).any() and (older[0] == older[1]).all() and (older[0] == older[2]).all()
    )


@pytest.mark.slow
def test_another_process_needs_the_folder_alone(run_dir, tmp_path):
    """Moved away from where it was trained, its data gone, by a process that did not train it."""
    moved = shutil.copytree(run_dir, tmp_path / "moved")
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"dataset": "/nowhere"}))
    process = start(moved, "--num", 3, "--output", tmp_path / "there.npy", module="flaxgan.sample")
    output, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "") and "3 pictures of 16x16" in output
    assert (
        np.load(tmp_path / "there.npy") == array(run_dir, tmp_path / "here.npy", "--num", 3)
    ).all()


@pytest.mark.slow
def test_bad_input(run_dir, tmp_path, pictures, sample_refused):
    assert "--num: '0' is no whole number from 1 up" in sample_refused(run_dir, "--num", 0)
    assert "is no run of flaxgan" in sample_refused(tmp_path)
    assert "is no run of flaxgan" in sample_refused(tmp_path / "nowhere")
    assert "--seed: '-1' is no whole number" in sample_refused(run_dir, "--seed", -1)
    assert "--seed: '4294967296' is no whole number" in sample_refused(run_dir, "--seed", 2**32)
    assert "no checkpoint of step 7" in sample_refused(run_dir, "--checkpoint", 7)
    assert ".bmp is not known" in sample_refused(run_dir, "--output", tmp_path / "a.bmp")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "not an empty folder" in sample_refused(run_dir, "--output", tmp_path / "full")
    assert "--device gpu" in sample_refused(run_dir, "--device", "gpu")
    assert "has no name before .png" in sample_refused(run_dir, "--output", tmp_path / ".png")
    own = (
        run_dir / name
        for name in (
            "checkpoints/99",
            "generated_images/epoch_0001.png",
            "real_images.png",
            "losses.png",
        )
    )
    for path in (*own, pictures / "discs" / "00.png"):
        assert "which belongs to the run" in sample_refused(run_dir, "--output", path)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]


@pytest.mark.slow
def test_an_output_that_cannot_be_written_is_refused_before_it_is_sampled(
    run_dir, tmp_path, sample_refused, monkeypatch
):
    """Patched, since a test that runs as root is refused nothing."""

    def refuse(path, *_, **__):
        if tmp_path in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return True

    for method in ("touch", "is_dir"):
        with monkeypatch.context() as patch:
            patch.setattr(f"pathlib.Path.{method}", refuse)
            for output in ("a.png", "a.npy", "folder"):
                assert "can't be written: Permission denied" in sample_refused(
                    run_dir, "--output", tmp_path / output
                )
    assert "can't be written: File name too long" in sample_refused(
        run_dir, "--output", tmp_path / f"{'x' * 300}.png"
    )


def test_out_of_memory_is_one_line(run_dir, tmp_path, sample_refused, monkeypatch):
    def exhausted(*_, **__):
        raise jax.errors.JaxRuntimeError(
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes."
        )

    monkeypatch.setattr("flaxgan.drawing.draw", exhausted)
    assert "out of memory; wait until" in sample_refused(run_dir, "--output", tmp_path / "a.png")


def test_a_run_without_a_checkpoint_and_one_of_another_network(run_dir, tmp_path, sample_refused):
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(run_dir / "config.json", fresh)
    assert "has no checkpoint yet" in sample_refused(fresh)
    other = shutil.copytree(run_dir, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"features": 8}))
    assert "another" in sample_refused(other)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("conditional") / "run"
    main(
        [
            "--dataset",
            str(pictures),
            "--run-dir",
            str(run_dir),
            "--epochs",
            "1",
            "--conditional",
            *TINY,
        ]
    )
    return run_dir


@pytest.mark.slow
def test_classes_by_name_and_number_a_row_each_with_the_same_z(conditional, tmp_path):
    both = array(conditional, tmp_path / "all.npy", "--class", "all", "--num", 3)
    assert both.shape == (6, 16, 16, 3)
    assert (
        array(conditional, tmp_path / "a.npy", "--class", "squares", "--num", 3) == both[3:]
    ).all()
    assert [
        len(array(conditional, tmp_path / "n.npy", "--class", "squares", *num))
        for num in ([], ["--num", 64])
    ] == [8, 64]
    assert (
        array(conditional, tmp_path / "b.npy", "--class", "1,discs", "--num", 3)
        == both[[3, 4, 5, 0, 1, 2]]
    ).all()
    assert (both[:3] != both[3:]).any()
    sample(
        [str(conditional), "--class", "all", "--num", "3", "--output", str(tmp_path / "grid.png")]
    )
    named = name_rows(grid(both, columns=3), ["discs", "squares"])
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == named).all()


def test_which_class_a_row_is_is_said(conditional, tmp_path, printed):
    assert "a row each: squares, discs\n" in printed(
        sample, conditional, "--class", "1,discs", "--output", tmp_path / "a.png"
    )


@pytest.mark.slow
def test_a_class_without_pictures_is_not_drawn(conditional, tmp_path, sample_refused):
    """A folder of unreadable files is one, and so is what a small --split lacks."""
    run_dir = shutil.copytree(conditional, tmp_path / "run")
    config = json.loads((run_dir / "config.json").read_text())
    discs = array(run_dir, tmp_path / "discs.npy", "--class", "discs")
    config["data"]["class_counts"] = [20, 0]
    (run_dir / "config.json").write_text(json.dumps(config))
    assert array(run_dir, tmp_path / "all.npy", "--class", "all").shape == discs.shape
    assert "no picture of that class" in sample_refused(run_dir, "--class", "squares")
    assert (
        spread_classes({"a": 2, "b": 0, "c": 1}, 16).tolist()
        == [0] * 4 + [2] * 4 + [0] * 4 + [2] * 4
    )


def test_unasked_classes_are_as_frequent_as_in_the_data():
    classes = random_classes({"a": 30, "b": 10}, seed=1, num=2000)
    assert abs(classes.mean() - 0.25) < 0.03
    assert (classes[:50] == random_classes({"a": 30, "b": 10}, seed=1, num=50)).all()


@pytest.mark.slow
def test_truncation_keeps_z_within_and_none_changes_nothing(run_dir, tmp_path):
    assert float(abs(latents(0, 0, 50, 8, truncation=0.5)).max()) <= 0.5
    assert float(abs(latents(0, 0, 50, 8)).max()) > 2
    plain, near = (
        array(run_dir, tmp_path / f"{n}.npy", "--num", 4, *argv)
        for n, argv in enumerate([(), ("--truncation", 0.5)])
    )
    assert (plain != near).any()


@pytest.mark.slow
def test_interpolation_goes_from_seed_to_seed_along_the_sphere(run_dir, tmp_path):
    z = between([3, 4, 5], 4, 100)
    ends = np.concatenate([latents(seed, 0, 1, 100) for seed in (3, 4, 5)])
    np.testing.assert_allclose(z[::4], ends, atol=1e-5)
    lengths = np.linalg.norm(z, axis=1)
    assert lengths.min() > 0.95 * np.linalg.norm(ends, axis=1).min(), (
        "no picture from the middle of the ball"
    )
    strip = array(run_dir, tmp_path / "strip.npy", "--interpolate", "3,4", "--frames", 5)
    assert strip.shape == (6, 16, 16, 3)
    assert (strip[0] == array(run_dir, tmp_path / "end.npy", "--seed", 3, "--num", 1)[0]).all()
    near = array(
        run_dir, tmp_path / "near.npy", "--interpolate", "3,4", "--frames", 5, "--truncation", 0.5
    )
    assert (
        near[-1]
        == array(run_dir, tmp_path / "near_end.npy", "--seed", 4, "--num", 1, "--truncation", 0.5)[
            0
        ]
    ).all()
    for name in ("there.GIF", "there.webp"):
        sample(
            [
                str(run_dir),
                "--interpolate",
                "3,4",
                "--frames",
                "5",
                "--output",
                str(tmp_path / name),
            ]
        )
        with Image.open(tmp_path / name) as animation:
            assert animation.n_frames == 10 and animation.size == (16, 16)


def test_numbers_instead_of_a_sphere(run_dir):
    """--latent-dim 1: straight from one to the next."""
    (a, b), z = (float(latents(seed, 0, 1, 1)[0, 0]) for seed in (1, 2)), between([1, 2], 4, 1)
    np.testing.assert_allclose(z[:, 0], np.linspace(a, b, 5), atol=1e-4)


def test_home_is_known_where_the_shell_has_left_it(run_dir, tmp_path, monkeypatch, sample_refused):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(run_dir, tmp_path / "run")
    sample(["~/run", "--output=~/a.png", "--num", "1"])
    assert (tmp_path / "a.png").is_file()
    assert "~nobody_here" in sample_refused("~nobody_here/run")


@pytest.mark.slow
def test_bad_requests(run_dir, conditional, tmp_path, sample_refused, refused, pictures):
    assert "no such class; did you mean discs" in sample_refused(conditional, "--class", "disc")
    assert "--condition class" in sample_refused(run_dir, "--class", "discs")
    assert "two or more" in sample_refused(run_dir, "--interpolate", "3")
    assert "another than the one before" in sample_refused(run_dir, "--interpolate", "1,2,02")
    assert "takes --interpolate" in sample_refused(run_dir, "--output", tmp_path / "a.gif")
    many = [
        "--interpolate",
        "3,4",
        "--class",
        ",".join(["discs"] * 2**10),
        "--output",
        tmp_path / "a.webp",
    ]
    assert "16384 pixels high and 16 wide, and can have 16383 a side" in sample_refused(
        conditional, *many
    )
    for argv in (
        ["--num", 2**24, "--output", tmp_path / "a.png"],
        ["--num", 2**16, "--scale", 16, "--output", tmp_path / "a.jpg"],
    ):
        assert "ask for fewer pictures" in sample_refused(run_dir, *argv)
    assert "leave --scale out" in sample_refused(
        run_dir, "--scale", 2, "--output", tmp_path / "a.npy"
    )
    assert "--resample is for --scale" in sample_refused(run_dir, "--resample", "smooth")
    assert "--scale: invalid choice: 17" in sample_refused(run_dir, "--scale", 17)
    assert "--truncation" in sample_refused(run_dir, "--truncation", 0)
    assert "--frames is for --interpolate" in sample_refused(run_dir, "--frames", 5)
    assert "leave --seed and --num out" in sample_refused(
        run_dir, "--interpolate", "3,4", "--num", 5
    )
    assert "leave --seed and --num out" in sample_refused(
        run_dir, "--interpolate", "3,4", "--seed", 0
    )
    assert "takes labelled pictures" in refused(
        "--dataset", pictures / "discs", "--conditional", *TINY
    )


def test_what_is_beyond_is_drawn_anew_not_clipped():
    z = np.asarray(latents(0, 0, 50, 8, truncation=0.5))
    assert (abs(z) == 0.5).mean() < 0.01 and z.std() < 0.35


def test_the_steps_between_two_seeds_are_even():
    z = np.array(between([3, 4], 8, 100))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    cosines = (z[1:] * z[:-1]).sum(1)
    np.testing.assert_allclose(cosines, cosines[0], atol=0.01)


@pytest.mark.slow
def test_interpolation_and_unasked_classes(conditional, tmp_path):
    of = {
        name: array(conditional, tmp_path / "a.npy", "--class", name, "--num", 16)
        for name in ("discs", "squares")
    }
    unasked = array(conditional, tmp_path / "b.npy", "--num", 16)
    chosen = random_classes({"discs": 20, "squares": 20}, 0, 16)
    assert (
        all((unasked[i] == [*of.values()][c][i]).all() for i, c in enumerate(chosen))
        and 0 < chosen.sum() < 16
    )
    rows = array(
        conditional,
        tmp_path / "c.npy",
        "--interpolate",
        "0,4",
        "--frames",
        3,
        "--class",
        "discs,squares",
    )
    assert (
        len(rows) == 8 and (rows[0] == of["discs"][0]).all() and (rows[4] == of["squares"][0]).all()
    )
    assert len(array(conditional, tmp_path / "d.npy", "--interpolate", "0,4", "--frames", 3)) == 4
