"""Folders as people have them, and drives that fail."""

import errno
import io
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from flaxgan.data import open_source, prepare
from flaxgan.data.decoding import picture_formats
from flaxgan.system.errors import UserError

HEIC = b"\0\0\0\x18ftypheic" + bytes(64)


def fill(root, *paths, size=(20, 20)):
    """A picture for each path, all different in colour."""
    for i, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (9 * i, 90, 255 - 9 * i)).save(root / path)
    return root


def prepared(root):
    return prepare(open_source(str(root)), (16, 16), 3)


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("own_cache")
    monkeypatch.setenv("FLAXGAN_CACHE", str(folder))
    return folder


@pytest.fixture
def failing(monkeypatch):
    """Have the reads of a.png raise, one after the other, these errors, and then go well; or always
    the one.
    """
    monkeypatch.setattr("flaxgan.data.reading.WAITS", (0, 0, 0))
    read = Path.read_bytes

    def fail(*errors, always=None):
        left = list(errors)

        def read_or_fail(path):
            if path.name == "a.png" and (left or always):
                raise left.pop(0) if left else always
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", read_or_fail)

    return fail


@pytest.fixture
def unprivileged(monkeypatch):
    """A folder of a user whom permissions hold back, as whom the test goes on; root is held back by
    none.
    """
    folder = Path(tempfile.mkdtemp())
    monkeypatch.setenv("FLAXGAN_CACHE", str(folder / "cache"))
    is_root = os.getuid() == 0
    if is_root:
        os.chown(folder, 65534, 65534)
        os.setresuid(65534, 65534, 0)
    (folder / "data").mkdir()
    yield folder / "data"
    if is_root:
        os.setresuid(0, 0, 0)
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o700)
    shutil.rmtree(folder)


# Errors of drives and machines.


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOMEM, errno.ETIMEDOUT, errno.EINTR]
)
def test_a_passing_error_is_waited_out(tmp_path, own_cache, failing, number):
    fill(tmp_path, "a.png", "b.png")
    failing(*[OSError(number, os.strerror(number))] * 3)
    assert len(prepared(tmp_path).images) == 2


@pytest.mark.parametrize(
    "error, said",
    [
        (
            OSError(errno.EIO, "Input/output error"),
            "can't read .*a.png: Input/output error; see to the drive",
        ),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "can't read .*a.png: Too many open files; .*ulimit",
        ),
        (MemoryError(), "not enough memory to read .*a.png"),
    ],
)
def test_an_error_that_lasts_is_one_and_nothing_is_kept_of_it(
    tmp_path, own_cache, failing, error, said
):
    fill(tmp_path, "a.png", "b.png")
    failing(always=error)
    with pytest.raises(UserError, match=said):
        prepared(tmp_path)
    assert not list((own_cache / "data").iterdir())
    failing()
    assert len(prepared(tmp_path).images) == 2


def test_too_few_open_files(tmp_path, own_cache, monkeypatch):
    monkeypatch.setattr("flaxgan.data.reading.WAITS", (0,))
    source = open_source(str(fill(tmp_path, *(f"{i}.png" for i in range(9)))))
    lowest = os.dup(0)  # all below are in use
    os.close(lowest)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        with pytest.raises(UserError, match="Too many open files"):
            source.read(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(prepare(source, (16, 16), 3).images) == 9


def test_memory_that_runs_out_while_decoding_says_nothing_of_the_picture(
    tmp_path, own_cache, monkeypatch
):
    def to_pixels(*_):
        raise MemoryError

    fill(tmp_path, "a.png")
    monkeypatch.setattr("flaxgan.data.build.to_pixels", to_pixels)
    with pytest.raises(UserError, match=r"not enough memory to read a\.png"):
        prepared(tmp_path)
    assert not list((own_cache / "data").iterdir())


def test_a_drive_that_fails_while_the_folder_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("flaxgan.data.reading.WAITS", (0, 0))
    fill(tmp_path, "roses/a.png", "tulips/b.png")
    stat = os.stat

    def fail(path, *args, **options):
        if str(path).endswith("b.png"):
            raise OSError(errno.EIO, "Input/output error")
        return stat(path, *args, **options)

    monkeypatch.setattr(os, "stat", fail)
    with pytest.raises(UserError, match=r"can't read .*b\.png: Input/output error"):
        open_source(str(tmp_path))


def test_a_file_that_vanishes_is_skipped_but_not_for_good(tmp_path, own_cache, capfd):
    """The folder may be listed again as it was: the drive was away."""
    fill(tmp_path, "a.png", "b.png")
    source = open_source(str(tmp_path))
    (tmp_path / "a.png").rename(tmp_path / ".away")
    assert len(prepare(source, (16, 16), 3).images) == 1
    assert "skipped 1 of 2 files: 1 gone, or a link to nowhere (a.png)" in capfd.readouterr().err
    (tmp_path / ".away").rename(tmp_path / "a.png")
    assert len(prepare(source, (16, 16), 3).images) == 2
    assert len(list((own_cache / "data").iterdir())) == 1, "the other goes"


def test_a_file_that_may_not_be_read_is_named_until_it_may(unprivileged, capfd):
    fill(unprivileged, "a.png", "b.png")
    (unprivileged / "a.png").chmod(0)
    for _ in range(2):
        assert len(prepared(unprivileged).images) == 1
        assert "1 without permission to read (a.png)" in capfd.readouterr().err
    (unprivileged / "a.png").chmod(0o600)
    assert len(prepared(unprivileged).images) == 2


def test_a_closed_sub_folder_is_left_out_and_named(unprivileged, capfd):
    fill(unprivileged, "roses/a.png", "tulips/b.png", "private/c.png")
    (unprivileged / "private").chmod(0)
    assert prepared(unprivileged).class_counts == {"roses": 1, "tulips": 1}
    assert "note: sub-folders that can't be read are left out: private\n" in capfd.readouterr().err
    for name in ("roses", "tulips"):
        (unprivileged / name).chmod(0)
    with pytest.raises(
        UserError, match="holds no pictures; sub-folders that can't be read: private, roses, tulips"
    ):
        open_source(str(unprivileged))
    unprivileged.chmod(0)
    with pytest.raises(UserError, match="can't read the folder .*permission"):
        open_source(str(unprivileged))


# Why files are skipped.


def test_reasons_are_grouped_cut_and_escaped(tmp_path, capfd):
    fill(tmp_path, "good.png")
    for i in range(5):
        (tmp_path / f"{i}\n\x1b[2J.txt").write_text("no picture")
    (tmp_path / "IMG_1.heic").write_bytes(HEIC)
    prepared(tmp_path)
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert "skipped 6 of 7 files: " in line
    assert r"5 of no picture format (0\n\x1b[2J.txt, 1\n\x1b[2J.txt, 2\n\x1b[2J.txt, …)" in line
    assert "1 in HEIC (IMG_1.heic): pip install pillow-heif" in line


def test_nothing_but_what_cannot_be_read_is_explained(tmp_path):
    (tmp_path / "IMG_1.heic").write_bytes(HEIC)
    with pytest.raises(
        UserError, match="none of the 1 files .* 1 in HEIC .*: pip install pillow-heif"
    ):
        prepared(tmp_path)


@pytest.fixture
def fresh_formats():
    picture_formats.cache_clear()
    yield
    picture_formats.cache_clear()
    if "HEIF" in Image.ID:
        Image.ID.remove("HEIF")


def test_what_is_installed_meanwhile_is_used(tmp_path, monkeypatch, fresh_formats):
    """A decoder that stands for pillow-heif's: the files have not changed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    fill(tmp_path, "a.png")
    (tmp_path / "IMG_1.heic").write_bytes(HEIC)
    assert len(prepared(tmp_path).images) == 1

    def opened(file, _):
        return Image.open(io.BytesIO((tmp_path / "a.png").read_bytes()))

    def register():
        Image.register_open("HEIF", opened, lambda start: start[4:8] == b"ftyp")

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register))
    picture_formats.cache_clear()
    assert len(prepared(tmp_path).images) == 2


# Classes.


def test_splits_are_no_classes(tmp_path, capfd):
    fill(
        tmp_path, "Train/rose/a.png", "Train/tulip/b.png", "val/rose/c.png", "test/tulip/deep/d.png"
    )
    dataset = prepared(tmp_path)
    assert dataset.class_names == ("rose", "tulip") and dataset.labels.tolist() == [0, 1, 1, 0]
    assert (
        "note: Train, test, val are taken for splits of one data set; the pictures of all are used"
        in capfd.readouterr().err
    )


def test_splits_without_classes_have_none(tmp_path):
    assert prepared(fill(tmp_path, "train/a.png", "test/b.png", "test/c.png")).class_names == ()


def test_a_class_may_be_called_as_a_split_is(tmp_path):
    assert prepared(fill(tmp_path, "train/a.png", "bus/b.png")).class_names == ("bus", "train")


@pytest.mark.parametrize(
    "system",
    ["@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information", "__MACOSX"],
)
def test_folders_of_the_system_are_no_classes(tmp_path, system):
    fill(tmp_path, f"{system}/x.png", "roses/a.png", f"roses/{system}/y.png", "tulips/b.png")
    for path in ("Thumbs.db", "desktop.ini", "roses/Thumbs.db"):
        (tmp_path / path).write_bytes(b"no picture")
    assert prepared(tmp_path).class_counts == {"roses": 1, "tulips": 1}


STRAYS = {
    "data.h5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "film.mpg": b"\0\0\x01\xb3" + b"\x20\x01\x20" + bytes(64),
    "text.pdf": b"%PDF-1.4\n",
    "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
    "empty.jpg": b"",
}


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_file_costs_no_classes(tmp_path, capfd, name):
    fill(tmp_path, "roses/a.png", "tulips/b.png")
    (tmp_path / name).write_bytes(STRAYS[name])
    assert prepared(tmp_path).class_names == ("roses", "tulips")
    assert name in capfd.readouterr().err


def test_a_stray_picture_does_and_is_named(tmp_path, capfd):
    fill(tmp_path, "roses/a.png", "tulips/b.png", "cover\n.png", "old.png")
    assert prepared(tmp_path).class_names == ()
    said = (
        r"note: no classes: cover\n.png lies beside the class folders, with 1 more; move it"
        r" into one" + "\n"
    )
    assert said in capfd.readouterr().err


def test_pictures_are_known_by_their_bytes_whatever_they_are_called(tmp_path):
    fill(tmp_path, "roses/a.png", "tulips/b.png")
    (tmp_path / "tulips/b.png").rename(tmp_path / "tulips/b.h5")
    dataset = prepared(tmp_path)
    assert dataset.labels.tolist() == [0, 1]
    assert not np.array_equal(*dataset.images)
