"""Films have the frames that were asked for, and are whole or not there."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import flaxgan
from flaxgan.main import main
from flaxgan.plots import grid, save_image
from flaxgan.video import main as video
from tests.conftest import TINY

FFMPEG = pytest.mark.skipif(
    not shutil.which("ffmpeg"), reason="needs the program ffmpeg, which pip does not bring"
)

pytestmark = pytest.mark.slow  # the runs that they look at are trained first


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, pictures):
    run_dir = tmp_path_factory.mktemp("video") / "run"
    flags = ["--epochs", "3", "--checkpoint-every", "1epoch", "--conditional", *TINY]
    main(["--dataset", str(pictures), "--run-dir", str(run_dir), *flags])
    return run_dir


def film(path):
    """The frames of a film, RGB (N, H, W, 3), and how long each stays, in milliseconds."""
    frames, durations = [], []
    with Image.open(path) as picture:
        for number in range(picture.n_frames):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")))
            durations.append(picture.info["duration"])
        assert picture.info["loop"] == 0, "for ever"
    return np.stack(frames), durations


@pytest.mark.parametrize("form", ["webp", "gif"])
def test_of_training_shows_each_snapshot_the_oldest_first(run_dir, tmp_path, printed, form):
    said = printed(video, run_dir, "--output", tmp_path / f"film.{form}", "--fps", 10)
    assert said.startswith(f"a film in {tmp_path}/film.{form}, ")
    frames, durations = film(tmp_path / f"film.{form}")
    assert durations == [100, 100, 1600]
    for frame, epoch in zip(frames, (1, 2, 3), strict=True):
        shown = Image.open(run_dir / "generated_images" / f"epoch_000{epoch}.png").convert("RGB")
        assert np.abs(np.asarray(shown).astype(int) - frame).mean() < 12


def test_of_interpolation_goes_round_and_shows_classes_beside_each_other(run_dir, tmp_path):
    flags = ["--of", "interpolation", "--seeds", "1,2", "--frames", "4", "--scale", "2"]
    video([str(run_dir), *flags, "--class", "all", "--output", str(tmp_path / "film.webp")])
    frames, durations = film(tmp_path / "film.webp")
    images = flaxgan.load(run_dir).sample(interpolate=[1, 2, 1], frames=4, labels="all")
    wanted = [
        grid(np.stack(pair)).repeat(2, 0).repeat(2, 1)
        for pair in zip(*np.split(images, 2), strict=True)
    ]
    assert frames.shape == np.shape(wanted[:8]) and durations == [42] * 8
    assert np.abs(frames.astype(int) - wanted[:8]).mean() < 5
    video([str(run_dir), *flags, "--class", "0", "--output", str(tmp_path / "one.gif")])
    assert film(tmp_path / "one.gif")[0].shape == (8, 32, 32, 3)


@FFMPEG
def test_an_mp4_has_even_sides_and_all_frames(run_dir, tmp_path):
    odd = tmp_path / "run"
    shutil.copytree(run_dir, odd)
    shutil.rmtree(odd / "generated_images")
    for epoch in (9, 10):
        path = odd / "generated_images" / f"epoch_{epoch:04d}.png"
        path.parent.mkdir(exist_ok=True)
        save_image(path, np.full((33, 51, 1), 20 * epoch, np.uint8))
    video([str(odd), "--fps", "4", "--output", str(tmp_path / "film.mp4")])
    decode = ["ffmpeg", "-v", "error", "-i", tmp_path / "film.mp4", "-f", "rawvideo"]
    decode += ["-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(decode, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 34, 52, 3)
    brightness = [180, *[200] * 7]  # the last one stays for 1.5 s
    assert np.abs(frames.mean((1, 2, 3)) - brightness).max() < 4


def test_without_ffmpeg_a_line_says_so(run_dir, tmp_path, refused, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(run_dir, "--output", tmp_path / "film.mp4", command=video)
    assert "ffmpeg, which is not on the PATH; install it, or name a .webp or a .gif" in error
    assert [*tmp_path.iterdir()] == []


@FFMPEG
def test_what_ffmpeg_says_is_passed_on(run_dir, tmp_path, refused, monkeypatch):
    monkeypatch.setattr("flaxgan.film.ENCODING", ("-c:v", "no_such_codec"))
    error = refused(run_dir, "--output", tmp_path / "film.mp4", command=video)
    assert "ffmpeg says: " in error and "no_such_codec" in error
    assert [*tmp_path.iterdir()] == []


def test_what_can_not_be_is_refused(run_dir, tmp_path, refused):
    def error(*flags, output="film.webp", run=run_dir):
        return refused(run, *flags, "--output", tmp_path / output, command=video)

    assert "a film is a .webp, a .gif" in error(output="film.avi")
    assert "--seeds, --class: for --of interpolation" in error("--seeds", "1,2", "--class", "0")
    assert "each another than the one before" in error("--of", "interpolation", "--seeds", "3,3,4")
    assert "from 0.1 to 100" in error("--fps", "0")
    assert "too much" in error("--of", "interpolation", "--frames", 10**6)
    broken = tmp_path / "run"
    shutil.copytree(run_dir, broken)
    (broken / "generated_images" / "epoch_0002.png").write_bytes(b"no picture")
    assert "epoch_0002.png can't be read" in error(run=broken)
    save_image(broken / "generated_images" / "epoch_0002.png", np.zeros((8, 8, 3), np.uint8))
    assert "another size" in error(run=broken)
    shutil.rmtree(broken / "generated_images")
    assert "no pictures in generated_images/ yet" in error(run=broken)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
