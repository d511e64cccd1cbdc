import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flaxgan.curves import save_losses
from flaxgan.plots import (
    GAP,
    enlarged,
    grid,
    grid_shape,
    name_rows,
    save_image,
    save_neighbours,
    save_side_by_side,
)
from flaxgan.system import fonts
from flaxgan.system.attempts import Attempts
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing
from tests.conftest import ROOT, size_of

pytestmark = pytest.mark.usefixtures("own_figures")


def test_grid_reads_left_to_right_then_down():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 6, 4, 3), np.uint8)
    sheet = grid(images)
    assert sheet.shape == (2 * (6 + GAP) + GAP, 3 * (4 + GAP) + GAP, 3)
    corners = sheet[GAP :: 6 + GAP, GAP :: 4 + GAP, 0][:2, :3]
    assert corners.tolist() == [[0, 1, 2], [3, 4, 255]]
    assert sheet[0].min() == 255
    assert grid_shape(*images.shape[:3]) == (3, *sheet.shape[:2])


@pytest.mark.parametrize("channels", [1, 3])
def test_enlarged_pixels_are_squares_or_flow_into_each_other(channels):
    images = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1) * np.ones(
        (2, 3, 1, channels), np.uint8
    )
    squares, smooth = enlarged(images, 4), enlarged(images, 4, smooth=True)
    assert (
        squares.shape == smooth.shape == (2, 12, 8, channels)
        and squares.dtype == smooth.dtype == np.uint8
    )
    assert (squares[:, :, :4] == 0).all() and (squares[:, :, 4:] == 255).all()
    row = smooth[1, 5, :, 0].astype(int)
    assert row[0] < 10 and row[-1] > 245 and len({*row[2:6]}) == 4 and (np.diff(row[2:6]) > 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_as_jpeg_keeps_its_grey_or_colours(tmp_path, channels):
    pixels = np.tile(np.array([0, 120, 240], np.uint8)[:channels], (16, 16, 1))
    save_image(tmp_path / "a.jpg", pixels)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert (picture.format, picture.mode) == ("JPEG", {1: "L", 3: "RGB"}[channels])
        assert abs(np.asarray(picture).reshape(pixels.shape).astype(int) - pixels).max() <= 3


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 100)])
def test_names_stand_beside_their_rows(channels, size):
    sheet = grid(np.zeros((6, size, size, channels), np.uint8), columns=2)
    named = name_rows(sheet, ["", "роза\n\tкрасная", 300 * "iris "])
    margin, beside = np.split(named, [named.shape[1] - sheet.shape[1]], axis=1)
    assert (beside == sheet).all() and margin.shape[1] < 500
    ink = (margin < 128).any((1, 2))
    rows = [np.flatnonzero(ink[top : top + size]) for top in range(GAP, len(sheet), size + GAP)]
    assert not len(rows[0]) and not ink[:: size + GAP].any()
    for inked in rows[1:]:
        assert abs(inked.mean() - size / 2) < size / 5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_picture_is_read_back_the_same(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    save_image(tmp_path / "a.png", pixels)
    assert (np.asarray(Image.open(tmp_path / "a.png")).reshape(pixels.shape) == pixels).all()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("title", ["from $5_to_$9", "a $_$ b", "caf\udce9", r"\frac"])
def test_titles_are_drawn_as_they_are(tmp_path, title):
    images = np.zeros((4, 8, 8, 3), np.uint8)
    save_side_by_side(tmp_path / "a.png", {"real": images, "generated": images}, title)
    for name, drawn in (("losses", title), ("untitled", "")):
        save_losses(tmp_path / f"{name}.png", [], drawn, 100)
    assert (tmp_path / "losses.png").read_bytes() != (tmp_path / "untitled.png").read_bytes()


@pytest.mark.parametrize("count", [0, 1, 200])
def test_curves_of_any_length(tmp_path, count):
    names = ("d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy")
    rows = [
        {"step": 10 * i + 1, "epoch": i // 10 + 1} | dict.fromkeys(names, 0.5) for i in range(count)
    ]
    save_losses(tmp_path / "losses.png", rows, "title", 100)
    assert size_of(tmp_path / "losses.png") == (1200, 840)


def test_a_negative_loss_is_drawn_too(tmp_path):
    """As wgan's: the blue and the orange of both curves, which are far apart, are there."""
    rows = [{"step": step, "epoch": 1, "d_loss": -5.0, "g_loss": -3.0} for step in range(1, 100)]
    save_losses(tmp_path / "losses.png", rows, "title", 100)
    panel = np.asarray(Image.open(tmp_path / "losses.png").convert("RGB"), np.int16)[:420, :1000]
    for color in ((31, 119, 180), (255, 127, 14)):
        assert (abs(panel - color).max(-1) < 10).sum(1).max() > 500


def test_evaluations_are_drawn_below_the_losses(tmp_path):
    rows = [
        {"step": 5, "epoch": 1, "d_loss": 1.0},
        {"step": 10, "epoch": 1, "fid": 50.0, "recall": 0.5, "feature_distance": 9.0},
    ]
    save_losses(tmp_path / "losses.png", rows, "title", 5)
    assert size_of(tmp_path / "losses.png") == (1200, 1920)


def test_neighbours_of_different_sizes_and_channels(tmp_path):
    grey, colour = np.full((8, 8, 1), 90, np.uint8), np.full((16, 12, 3), 200, np.uint8)
    rows = {"closest": [(grey, colour, 1.0)] * 3, "random": [(grey, colour, 2.0)]}
    save_neighbours(tmp_path / "neighbours.png", rows, np.array([1.0, 2.0]), np.array([0.5, 0.7]))
    pixels = np.asarray(Image.open(tmp_path / "neighbours.png").convert("L"), np.int16)
    # four of each, as large as each other
    areas = [(abs(pixels - level) <= 1).sum() for level in (90, 200)]
    assert min(areas) > 10_000 and areas[1] / areas[0] == pytest.approx(12 / 16, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_side_by_side_shows_both(tmp_path, channels):
    black, grey = (np.full((4, 8, 8, channels), level, np.uint8) for level in (0, 128))
    save_side_by_side(tmp_path / "pair.png", {"real": black, "generated": grey}, "title")
    pixels = np.asarray(Image.open(tmp_path / "pair.png").convert("L"))
    left, right = np.split(pixels, 2, axis=1)
    assert (left == 0).mean() > 0.4 and (right == 128).mean() > 0.4


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "module://nonexistent", "nonsense"]
)
def test_no_backend_of_the_environment_is_asked_for(tmp_path, backend):
    """In a process of its own: matplotlib looks at the variable once, while it is imported."""
    code = (
        "import os, sys; from pathlib import Path; from flaxgan.curves import save_losses; "
        "save_losses(Path(sys.argv[1]), [], 'title', 100); print(os.environ['MPLBACKEND'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "losses.png")]
    environment = os.environ | {"MPLBACKEND": backend}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == (backend, "") and size_of(
        tmp_path / "losses.png"
    ) == (1200, 840)


def test_names_are_drawn_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    sheet = grid(np.zeros((2, 16, 16, 1), np.uint8), columns=1)
    margin = name_rows(sheet, ["iris", "rose"])[:, : -sheet.shape[1]]
    assert all((row < 128).any() for row in np.array_split(margin, 2))


def test_what_fails_to_be_drawn_is_a_warning_once_a_kind(tmp_path, capsys):
    attempt = Attempts(tmp_path)
    foreign = FileNotFoundError(errno.ENOENT, "gone", "/fonts/a.ttf")
    locked = PermissionError(errno.EACCES, "in use", str(tmp_path / "a.png"))
    for kind, error in (
        ("a.png", ValueError("no\nbackend")),
        ("a.png", KeyError()),
        ("b.png", foreign),
        ("c.png", locked),
    ):
        with attempt(kind):
            raise error
    warnings = capsys.readouterr().err.splitlines()
    assert [line.split(" (")[0] for line in warnings] == [
        f"flaxgan: warning: can't draw {kind}.png" for kind in "abc"
    ]
    assert warnings[0].endswith("(ValueError: no backend)")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UserError("so"), UserError),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), UserError),
        (FileNotFoundError(errno.ENOENT, "gone", "run/a.png"), FileNotFoundError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_is_no_failure_to_draw_is_raised(tmp_path, monkeypatch, capsys, error, kind):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind), Attempts(Path("run"))("a.png"):
        raise error
    assert capsys.readouterr().err == ""


def test_names_in_scripts_that_no_font_has_can_be_told_apart(monkeypatch):
    """Each letter is its number; so are titles, of which matplotlib would warn."""
    monkeypatch.setattr(fonts, "_having", lambda letters: None)
    sheet = np.zeros((64, 32, 3), np.uint8)
    rose, tree = (name_rows(sheet, [name, "iris"]) for name in ("花", "木"))
    assert rose.shape == tree.shape and (rose != tree).any()
    assert (name_rows(sheet, ["\\u82b1", "iris"]) == rose).all()
    assert fonts.legible("rose 花 🌸 é роза \udcff") == "rose \\u82b1 \\U0001f338 é роза \\udcff"


def test_a_font_of_the_system_is_taken_that_has_all_letters(monkeypatch):
    asked = []
    own = str(fonts._own())
    monkeypatch.setattr(fonts, "_having", lambda letters: asked.append(letters) or own)
    _, names = fonts.font_for(["花", "iris"], 12)
    assert names == ["花", "iris"] and asked == [frozenset(map(ord, "花iris"))]


def test_figures_with_such_titles_are_drawn_without_a_warning(tmp_path):
    save_losses(tmp_path / "a.png", [{"step": 1, "d_loss": 1.0}], "花 🌸 \udcff $x$", 5)
    assert (tmp_path / "a.png").stat().st_size > 0
