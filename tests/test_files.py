"""Files of a run and of the cache, where others may write, too."""

import os
import stat

import pytest
from conftest import TINY

from flaxgan.config import method_of_folder
from flaxgan.main import main
from flaxgan.pretrained.weights import read_weights
from flaxgan.runs.metrics_log import logged
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError
from flaxgan.system.files import read_text, remove_temporaries, replacing


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
