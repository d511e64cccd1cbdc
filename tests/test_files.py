"""Strangers' files: where they lie among ours, what they are called, how large they are."""

import os
import stat
import threading
import time

import numpy as np
import pytest
from PIL import Image

from flaxgan.config import method_of_folder
from flaxgan.data import build, prepare
from flaxgan.data.folder import open_folder
from flaxgan.main import main
from flaxgan.pretrained.weights import read_weights
from flaxgan.runs.metrics_log import logged
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError, complain, exit_on_user_error, say
from flaxgan.system.files import read_text, remove_temporaries, replacing
from tests.conftest import TINY


def test_a_file_is_replaced_whole_with_the_rights_of_a_new_one(tmp_path):
    path = tmp_path / ("x" * 250)
    before = os.umask(0o022)
    try:
        with replacing(path) as temporary:
            assert temporary.parent == tmp_path and temporary.read_bytes() == b""
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(ZeroDivisionError), replacing(path):
        1 / 0  # noqa: B018
    assert [*tmp_path.iterdir()] == [path] and path.read_text() == "new"


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    with replacing(tmp_path / "ours") as temporary:
        temporary.write_text("ours")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / "ours").read_text() == "ours" and not (tmp_path / "ours").is_symlink()


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    left = tmp_path / ".losses.png.0123456789abcdef.tmp"
    kept = [tmp_path / name for name in (".mine.tmp", "a.0123456789abcdef.tmp", ".gitignore")]
    for path in (left, *kept):
        path.touch()
    remove_temporaries(tmp_path)
    assert {*tmp_path.iterdir()} == {*kept}


@pytest.mark.parametrize("device", ["/dev/zero", "pipe"])
def test_devices_and_pipes_are_no_files(tmp_path, device):
    if device == "pipe":
        os.mkfifo(device := tmp_path / "pipe")
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / name).symlink_to(device)
    assert method_of_folder(str(tmp_path)) is None
    with pytest.raises(UserError, match="it is no file"):
        load_run(tmp_path)
    with pytest.raises(UserError, match="it is no file"):
        [*logged(tmp_path)]
    with pytest.raises(UserError, match="it is no file"):
        read_weights(tmp_path / "config.json", "0")
    (tmp_path / "large").write_bytes(b"123")
    with pytest.raises(OSError, match="more than 2 bytes"):
        read_text(tmp_path / "large", most=2)


def written(path):
    """When a file, or all in a folder, were written."""
    return {file: file.stat().st_mtime_ns for file in (path, *path.rglob("*"))}


@pytest.mark.slow
def test_a_resumed_run_does_not_write_through_links(tmp_path, pictures, refused):
    run_dir, theirs = tmp_path / "run", tmp_path / "theirs"
    main([str(x) for x in ("--dataset", pictures, "--run-dir", run_dir, "--max-steps", 1, *TINY)])
    for name in ("metrics.jsonl", "generated_images", "checkpoints", "losses.png", "config.json"):
        ours = run_dir / name
        ours.rename(theirs)
        ours.symlink_to(theirs)
        before = written(theirs)
        assert f"{ours} is a link" in refused("--run-dir", run_dir, "--max-steps", 2)
        assert written(theirs) == before
        ours.unlink()
        theirs.rename(ours)
    main(["--run-dir", str(run_dir), "--max-steps", "2"])


@pytest.mark.parametrize("print_it", [say, complain])
def test_what_a_terminal_would_obey_is_escaped(capsys, print_it):
    """Colours, titles, and marks that turn the direction of writing, as a name may hold them."""
    print_it("a \x1b[31mred\x1b]0;title\x07 \u202egnp.exe \x9b1m \r\b\udcff é 花 🌸\nnext")
    captured = capsys.readouterr()
    assert captured.out + captured.err == (
        r"a \x1b[31mred\x1b]0;title\x07 \u202egnp.exe \x9b1m \r\x08\udcff é 花 🌸" + "\nnext\n"
    )


def test_an_error_that_names_such_a_file_is_one_line_without_them(capsys):
    with pytest.raises(SystemExit), exit_on_user_error():
        raise UserError("no \x1b]0;x\x07\n\u2066file")
    assert capsys.readouterr().err == "flaxgan: error: no \\x1b]0;x\\x07 \\u2066file\n"


def test_a_large_jpeg_is_decoded_smaller(tmp_path, monkeypatch):
    wave = np.sin(np.linspace(0, 9, 640)[:, None] + np.linspace(0, 4, 960))
    Image.fromarray((127 + 120 * wave).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "cache"))
    decoded = []
    real = build.to_pixels
    monkeypatch.setattr(build, "to_pixels", lambda *a: decoded.append(a[0].size) or real(*a))
    whole = prepare(open_folder(tmp_path), (16, 16), 1).images[0].astype(int)
    monkeypatch.setattr(build, "MANY", 10_000)
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "other_cache"))
    smaller = prepare(open_folder(tmp_path), (16, 16), 1).images[0].astype(int)
    assert decoded == [(960, 640), (120, 80)] and abs(smaller - whole).max() <= 2


def test_large_pictures_are_decoded_one_by_one(tmp_path, monkeypatch):
    at_once, most, lock = 0, 0, threading.Lock()

    def slow(*asked):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        return np.zeros((1, 8, 8, 3), np.uint8)

    monkeypatch.setattr(build, "to_pixels", slow)
    for i in range(8):
        Image.new("RGB", (8 + i, 8)).save(tmp_path / f"{i}.png")
    for many, expected in ((2**25, True), (60, False)):
        most = 0
        folder = tmp_path / str(many)
        folder.mkdir()
        build.build(open_folder(tmp_path), build.Target((8, 8), 3), folder)
        assert (most > 1) is expected
        monkeypatch.setattr(build, "MANY", 60)
