import json
import shutil

import numpy as np
import pytest
from conftest import TINY, start
from PIL import Image

from flaxgan.main import main
from flaxgan.plots import grid
from flaxgan.sample import main as sample


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("sample") / "run"
    main(["--dataset", str(pictures), "--run-dir", str(run_dir), "--epochs", "2", *TINY])
    return run_dir


def array(run_dir, path, *argv):
    sample([str(run_dir), "--output", str(path), *map(str, argv)])
    return np.load(path)


def test_the_three_kinds_of_output_hold_the_same_pictures(run_dir, tmp_path):
    images = array(run_dir, tmp_path / "samples.npy", "--num", 5, "--seed", 1)
    assert images.shape == (5, 16, 16, 3) and images.dtype == np.uint8
    sample([str(run_dir), "--num", "5", "--seed", "1", "--output", str(tmp_path / "folder")])
    files = sorted((tmp_path / "folder").iterdir())
    assert [file.name for file in files] == [f"{i}.png" for i in range(5)]
    assert (np.stack([np.asarray(Image.open(file)) for file in files]) == images).all()
    sample([str(run_dir), "--num", "5", "--seed", "1", "--output", str(tmp_path / "grid.png")])
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == grid(images)).all()


def test_picture_i_depends_on_seed_and_i_alone(run_dir, tmp_path):
    few, many = (array(run_dir, tmp_path / f"{n}.npy", "--num", n) for n in (3, 70))
    assert (many[:3] == few).all() and len(np.unique(many, axis=0)) == 70
    assert (array(run_dir, tmp_path / "other.npy", "--num", 3, "--seed", 1) != few).any()


def test_the_last_grid_of_the_run_is_seed_zero(run_dir, tmp_path):
    sample([str(run_dir), "--output", str(tmp_path / "grid.png")])
    last = run_dir / "generated_images" / "epoch_0002.png"
    assert (np.asarray(Image.open(tmp_path / "grid.png")) == np.asarray(Image.open(last))).all()


def test_an_older_checkpoint_by_its_step(run_dir, tmp_path):
    newest, older = (array(run_dir, tmp_path / f"{step}.npy", "--num", 4, "--checkpoint", step) for step in (10, 5))
    assert (newest != older).any()


def test_another_process_needs_the_folder_alone(run_dir, tmp_path):
    """Moved away from where it was trained, its data gone, by a process that did not train it."""
    moved = shutil.copytree(run_dir, tmp_path / "moved")
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"dataset": "/nowhere"}))
    process = start(moved, "--num", 3, "--output", tmp_path / "there.npy", module="flaxgan.sample")
    output, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "") and "3 pictures of 16x16" in output
    assert (np.load(tmp_path / "there.npy") == array(run_dir, tmp_path / "here.npy", "--num", 3)).all()


def test_bad_input(run_dir, tmp_path, sample_refused):
    assert "--num must be at least 1" in sample_refused(run_dir, "--num", 0)
    assert "is no run of flaxgan" in sample_refused(tmp_path)
    assert "is no run of flaxgan" in sample_refused(tmp_path / "nowhere")
    assert "--seed must lie" in sample_refused(run_dir, "--seed", -1)
    assert "no checkpoint of step 7" in sample_refused(run_dir, "--checkpoint", 7)
    assert ".jpg is not known" in sample_refused(run_dir, "--output", tmp_path / "a.jpg")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "not an empty folder" in sample_refused(run_dir, "--output", tmp_path / "full")
    assert "--device gpu" in sample_refused(run_dir, "--device", "gpu")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]


def test_a_run_without_a_checkpoint_and_one_of_another_network(run_dir, tmp_path, sample_refused):
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(run_dir / "config.json", fresh)
    assert "has no checkpoint yet" in sample_refused(fresh)
    other = shutil.copytree(run_dir, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"features": 8}))
    assert "another" in sample_refused(other)
