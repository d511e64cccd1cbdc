"""The first look at a folder."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flaxgan.data import open_source
from flaxgan.data.survey import Survey, survey


def photograph(size=(64, 48), seed=0):
    """Coarse noise, enlarged smoothly, under fine noise."""
    rng = np.random.default_rng(seed)
    smooth = np.asarray(
        Image.fromarray(rng.integers(40, 216, (6, 6, 3), np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        ),
        int,
    )
    return Image.fromarray(
        (smooth + rng.integers(-3, 4, smooth.shape)).clip(0, 255).astype(np.uint8)
    )


def drawing(size=(64, 48)):
    large = Image.new("RGBA", (4 * size[0], 4 * size[1]))
    ImageDraw.Draw(large).ellipse((30, 30, 150, 120), "red", "black", 8)
    return large.resize(size, Image.Resampling.BOX)


def test_sizes_are_medians_of_pictures_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph((48, 64)).save(tmp_path / "a.jpg", exif=exif)  # seen 48 high, 64 wide
    photograph((64, 48)).save(tmp_path / "b.png")
    photograph((900, 700)).save(tmp_path / "c.png")
    (tmp_path / "d.jpg").write_bytes(b"none")
    assert survey(open_source(str(tmp_path))) == Survey((48, 64), False)


def test_nothing_readable_has_no_size(tmp_path):
    (tmp_path / "a.txt").write_text("no picture")
    photograph().save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:10])
    assert survey(open_source(str(tmp_path))) == Survey(None, False)


def test_damaged_pixels_count_for_nothing(tmp_path):
    drawing().save(tmp_path / "a.png")
    for name in "bc":
        photograph().save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.png").write_bytes((tmp_path / f"{name}.png").read_bytes()[:3000])
    assert survey(open_source(str(tmp_path))) == Survey((48, 64), True)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_drawings_are_told_from_photographs(tmp_path, mode):
    for name, picture in (("drawings", drawing()), ("photographs", photograph())):
        (tmp_path / name).mkdir()
        for i in range(5):
            picture.convert(mode).save(tmp_path / name / f"{i}.png")
    assert [
        survey(open_source(str(tmp_path / name))).drawn for name in ("drawings", "photographs")
    ] == [True, False]


def test_an_object_on_white_is_no_drawing(tmp_path):
    """Though most of the picture is one colour."""
    for i in range(3):
        white = Image.new("RGB", (256, 256), "white")
        white.paste(photograph((128, 128), i), (64, 64))
        white.save(tmp_path / f"{i}.jpg", quality=92)
    assert not survey(open_source(str(tmp_path))).drawn


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_lines_and_points_are_looked_at(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert survey(open_source(str(tmp_path))) == Survey(size[::-1], False)


def test_few_of_many_are_read(tmp_path):
    source = open_source("synthetic_flowers")
    read = []
    counting = dataclasses.replace(source, read=lambda i: (read.append(i), source.read(i))[1])
    assert survey(counting) == Survey((256, 256), True)
    assert len(set(read)) <= 72 and {0, len(source) - 1} <= set(read)
    read.clear()
    assert (
        survey(dataclasses.replace(counting, image_size=(28, 20))).size == (28, 20)
        and len(read) <= 24
    )


def test_real_pictures(real_data):
    """Shrunken photographs, paintings in JPEG, and small grey pictures on black."""
    paintings = open_source(str(real_data / "abstract_art"))
    named = [
        open_source(name, str(real_data / "tfds"))
        for name in ("oxford_flowers102", "fashion_mnist")
    ]
    assert [survey(source).drawn for source in (paintings, *named)] == [False] * 3
