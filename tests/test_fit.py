"""--fit, and pictures that are smaller than what is asked for."""

import json

import numpy as np
import pytest
from PIL import Image

from flaxgan.data import open_source, prepare
from flaxgan.data.fit import FITS
from flaxgan.data.pixels import to_pixels
from flaxgan.metrics.image_sets import open_set, open_training_set
from flaxgan.runs.trained import load_run


def striped(*colours, side=32, upright=False):
    """A picture of squares in these colours, beside each other, or above."""
    squares = [np.full((side, side, 3), colour, np.uint8) for colour in colours]
    return Image.fromarray(np.concatenate(squares, 0 if upright else 1))


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def colour(pixel):
    """The one that it is nearest to: filters see a little beyond an edge."""
    return min(
        (RED, GREEN, BLUE), key=lambda colour: abs(np.subtract(colour, pixel.astype(int))).sum()
    )


def centres(images):
    return [colour(image[8, 8]) for image in images]


def test_stretch_shows_all_of_it_out_of_proportion():
    (image,) = to_pixels(striped(RED, GREEN, BLUE), (16, 15), 3, "stretch")
    assert [colour(image[8, x]) for x in (2, 7, 12)] == [RED, GREEN, BLUE]


@pytest.mark.parametrize("upright", [False, True])
def test_pad_shows_all_of_it_between_bars_in_the_colour_of_its_edges(upright):
    # the bars lie along the stripes
    picture = striped((10, 20, 30), (200, 100, 0), side=16, upright=not upright)
    picture = picture.resize((64, 16) if not upright else (16, 64))
    (image,) = to_pixels(picture, (32, 32), 3, "pad")
    image = image if not upright else image.transpose(1, 0, 2)
    assert (image[:12] == (10, 20, 30)).all() and (image[-12:] == (200, 100, 0)).all()


def test_pad_of_a_bar_takes_the_mean_of_its_edge():
    (image,) = to_pixels(striped((0, 0, 0), (100, 200, 40)), (16, 16), 3, "pad")
    assert (abs(image[:4].astype(int) - (50, 100, 20)) <= 1).all() and (
        image[:4] == image[0, 0]
    ).all()


@pytest.mark.parametrize("size", [(1000, 1), (1, 1000), (1, 1)])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_shape_is_too_long(fit, size, channels):
    images = to_pixels(Image.new("RGB", size, (90, 90, 90)), (16, 24), channels, fit)
    assert images.shape[1:] == (16, 24, channels) and len(images) <= 8
    assert (images == 90).all()


@pytest.mark.parametrize(
    "size, wanted, count",
    [
        ((96, 32), (16, 16), 3),
        ((32, 96), (16, 16), 3),
        ((80, 32), (16, 16), 3),
        ((97, 32), (16, 16), 3),
        ((32, 32), (16, 16), 1),
        ((40, 32), (16, 16), 2),
        ((96, 32), (16, 48), 1),
        ((96, 32), (32, 16), 6),
        ((900, 32), (16, 16), 8),
    ],
)
def test_tiles_are_as_many_as_it_takes(size, wanted, count):
    assert len(to_pixels(Image.new("RGB", size), wanted, 3, "tiles")) == count


@pytest.mark.parametrize("upright", [False, True])
def test_tiles_touch_in_order(upright):
    images = to_pixels(striped(RED, GREEN, BLUE, upright=upright), (16, 16), 3, "tiles")
    assert centres(images) == [RED, GREEN, BLUE]


def test_tiles_are_pictures_of_their_own_with_the_same_class(tmp_path, capfd):
    for name, picture in (
        ("a/1", striped(RED, GREEN, BLUE)),
        ("a/2", striped(RED)),
        ("b/3", striped(BLUE, GREEN, upright=True)),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture.save(tmp_path / f"{name}.png")
    (tmp_path / "b" / "none.png").write_bytes(b"no picture")
    dataset = prepare(open_source(str(tmp_path)), (16, 16), 3, "tiles")
    assert centres(dataset.images) == [RED, GREEN, BLUE, RED, BLUE, GREEN]
    assert dataset.labels.tolist() == [0, 0, 0, 0, 1, 1] and dataset.class_counts == {
        "a": 4,
        "b": 2,
    }
    assert "skipped 1 of 4 files" in capfd.readouterr().err


def test_every_fit_has_a_cache_of_its_own(tmp_path):
    striped(RED, GREEN, BLUE).save(tmp_path / "a.png")
    source = open_source(str(tmp_path))
    for _ in range(2):
        centre = {fit: centres(prepare(source, (16, 16), 3, fit).images) for fit in FITS}
        assert centre == {
            "crop": [GREEN],
            "pad": [GREEN],
            "stretch": [GREEN],
            "tiles": [RED, GREEN, BLUE],
        }


# Small pictures.


def note(capfd):
    return [line for line in capfd.readouterr().err.splitlines() if "enlarged" in line]


def test_pictures_that_are_enlarged_are_counted_at_every_start(tmp_path, capfd):
    for i, size in enumerate([(64, 64), (40, 90), (33, 33), (64, 63)]):
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
    (tmp_path / "none.png").write_bytes(b"no picture")
    for _ in range(2):
        prepare(open_source(str(tmp_path)), (64, 64), 3)
        remedy = "--image-size 32 would show most of them as they are"
        assert note(capfd) == [
            f"flaxgan: note: 3 of 4 pictures are smaller than 64x64 and are enlarged; {remedy}"
        ]
    prepare(open_source(str(tmp_path)), (32, 32), 3)
    assert note(capfd) == []


@pytest.mark.parametrize(
    "fit, enlarged", [("crop", True), ("stretch", True), ("tiles", True), ("pad", False)]
)
def test_what_counts_is_the_side_that_is_fitted(tmp_path, capfd, fit, enlarged):
    Image.new("RGB", (64, 20)).save(tmp_path / "a.png")
    prepare(open_source(str(tmp_path)), (32, 32), 3, fit)
    assert bool(note(capfd)) == enlarged


def test_a_picture_on_its_side_is_measured_upright(tmp_path, capfd):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 48)).save(tmp_path / "a.jpg", exif=exif)
    prepare(open_source(str(tmp_path)), (16, 48), 3)
    assert note(capfd) == []


# Runs.


@pytest.mark.slow
def test_a_run_and_what_measures_it_fit_alike(tmp_path, train, refused):
    pictures, run_dir = tmp_path / "pictures", tmp_path / "run"
    pictures.mkdir()
    for i in range(4):
        striped(RED, GREEN, (i, i, i)).save(pictures / f"{i}.png")
    tiny = [
        "--image-size",
        16,
        "--features",
        4,
        "--latent-dim",
        8,
        "--batch-size",
        8,
        "--max-steps",
        1,
    ]
    output = train("--dataset", pictures, "--run-dir", run_dir, "--fit", "tiles", *tiny)
    assert (
        "12 pictures" in output
        and json.loads((run_dir / "config.json").read_text())["fit"] == "tiles"
    )
    caveats = []
    run = load_run(run_dir)
    assert len(open_training_set(run.config, run.sha256, None, None, caveats)) == 12 and not caveats
    assert len(open_set(pictures, None, None, like=run.config)) == 12
    assert "can't be resumed with --fit pad (the run has --fit tiles)" in refused(
        "--run-dir", run_dir, "--fit", "pad"
    )
