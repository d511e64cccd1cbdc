"""Data of the methods that translate: pairs, two sets, sources that are made, and what is held
out.
"""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from flaxgan.config import Config
from flaxgan.data import open_data, prepare_data
from flaxgan.data.derived import edges, grey, smaller
from flaxgan.system.errors import UserError


def save(path, colour, size=(20, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def pairs(tmp_path):
    """Twenty pairs: the blue of the source is 255 minus the red of the target."""
    for i in range(20):
        red = 5 + 12 * i
        save(tmp_path / "pairs" / "target" / f"{i:02d}.png", (red, 0, 0))
        save(tmp_path / "pairs" / "source" / f"{i:02d}.bmp", (0, 0, 255 - red))
    return tmp_path / "pairs"


def opened(folder, method="pix2pix", **fields):
    config = Config.make(
        **{"image_size": (16, 16), "channels": 3, "jitter": 1.0} | fields,
        method=method,
        dataset=str(folder),
    )
    source = open_data(config)
    return source, prepare_data(config, source)


def test_partners_stay_together(pairs):
    _, dataset = opened(pairs)
    held = dataset.held_out
    assert 0 < len(held) < 20 and len(dataset) + len(held) == 20
    for part in (dataset, held):
        assert (part.array("source")[:, 0, 0, 2] == 255 - part.array("image")[:, 0, 0, 0]).all()
    rows = dataset.rows(np.arange(len(dataset)))
    assert (rows["source"] == rows["image"]).all()
    reds = {int(x) for x in dataset.arrays["image"][rows["image"], 0, 0, 0]}
    assert not reds & {int(x) for x in held.array("image")[:, 0, 0, 0]}


def test_more_files_move_nothing(pairs):
    """A picture stays on its side of the split, whatever it is called and whatever is beside it."""
    _, before = opened(pairs)
    for i in range(20):
        save(pairs / "target" / f"new{i:02d}.png", (3, i, 9))
        save(pairs / "source" / f"new{i:02d}.png", (3, i, 9))
    shutil.move(pairs / "target" / "03.png", pairs / "target" / "zz.png")
    shutil.move(pairs / "source" / "03.bmp", pairs / "source" / "zz.bmp")
    _, after = opened(pairs)
    reds = [{int(x) for x in d.held_out.array("image")[:, 0, 0, 0]} - {3} for d in (before, after)]
    assert reds[0] == reds[1]


def test_pairs_that_are_swapped(pairs):
    _, dataset = opened(pairs, swap_pairs=True)
    assert (dataset.array("image")[..., 0] == 0).all()
    assert (dataset.array("source")[..., 2] == 0).all()


def test_a_pair_of_which_one_cannot_be_read_is_left_out(pairs, capsys):
    (pairs / "target" / "05.png").write_bytes((pairs / "target" / "05.png").read_bytes()[:60])
    _, dataset = opened(pairs)
    assert len(dataset) + len(dataset.held_out) == 19 and "05.png" in capsys.readouterr().err
    for part in (dataset, dataset.held_out):
        assert (part.array("source")[:, 0, 0, 2] == 255 - part.array("image")[:, 0, 0, 0]).all()


def test_pictures_that_hold_both_halves(tmp_path):
    for i in range(6):
        both = np.zeros((16, 41, 3), np.uint8)
        both[:, :20, 0], both[:, 20:, 1] = 40 * i, 40 * i + 7
        (tmp_path / "both").mkdir(exist_ok=True)
        Image.fromarray(both).save(tmp_path / "both" / f"{i}.png")
    _, dataset = opened(tmp_path / "both", pairs="side-by-side", hold_out=0.0)
    assert len(dataset) == 6
    red, green = dataset.array("source")[:, 8, 8, 0], dataset.array("image")[:, 8, 8, 1]
    assert (green == red + 7).all()


def refusal(folder, **fields):
    with pytest.raises(UserError) as raised:
        opened(folder, **fields)
    return str(raised.value)


def test_what_is_no_pair_is_named(pairs, tmp_path):
    save(pairs / "source" / "alone.png", "red")
    assert "source/alone.png has no partner" in refusal(pairs)
    (pairs / "source" / "alone.png").unlink()
    save(pairs / "target" / "07.jpg", "red")
    message = refusal(pairs)
    assert "07.jpg" in message and "07.png" in message and "one name" in message
    (pairs / "target" / "07.jpg").unlink()
    save(pairs / "target" / "08.png", "red", (21, 16))
    message = refusal(pairs)
    assert "08.bmp is 16x20" in message and "08.png 16x21" in message
    shutil.rmtree(pairs / "target")
    assert "holds no pairs" in refusal(pairs)
    (pairs / "target").mkdir()
    assert "holds no pictures" in refusal(pairs)
    assert "has no pairs" in refusal("synthetic_flowers")


def test_sources_that_are_made_of_pictures_that_have_one(pairs):
    assert "leave --source out" in refusal(pairs, source="edges")
    with pytest.raises(UserError, match="leave one out"):
        Config.make(method="pix2pix", source="grey", pairs="side-by-side")


def test_two_sets(pairs, tmp_path):
    _, dataset = opened(pairs / "source", "cut", target=str(pairs / "target"))
    assert dataset.all_arrays.keys() == {"source", "image"}
    assert (dataset.array("source")[..., 0] == 0).all() and (dataset.images[..., 2] == 0).all()
    assert len(dataset.held_out) and len(dataset.held_out.images)
    assert "give that too" in refusal(pairs / "source", method="cyclegan")
    (tmp_path / "empty").mkdir()
    message = refusal(pairs / "source", method="cut", target=str(tmp_path / "empty"))
    assert "empty" in message and "no pictures" in message


@pytest.mark.parametrize("method", ["pix2pix", "cut", "srgan"])
def test_a_test_split_is_for_tfds(pairs, method):
    target = {"target": str(pairs / "target")} if method == "cut" else {}
    message = refusal(pairs, method=method, test_split="test", **target)
    assert "--test-split is for TFDS" in message


def test_larger_ones_are_loaded_to_be_cut(pairs):
    _, dataset = opened(pairs, jitter=1.25)
    assert dataset.arrays["image"].shape[1:3] == (20, 20)
    assert dataset.held_out.arrays["image"].shape[1:3] == (16, 16)
    _, dataset = opened(pairs / "target", "srgan", jitter=1.3, scale=4)
    assert dataset.arrays["image"].shape[1:3] == (20, 20)
    assert dataset.arrays["source"].shape[1:3] == (5, 5)


def test_what_is_enlarged_to_be_cut_is_not_reported(pairs, capsys):
    """And what could not be read is, once."""
    (pairs / "source" / "05.bmp").write_bytes(b"no picture")
    sources, targets = pairs / "source", str(pairs / "target")
    for folder, fields in ((pairs, {}), (sources, {"method": "cut", "target": targets})):
        opened(folder, jitter=1.25, **fields)
        error = capsys.readouterr().err
        assert error.count("05.bmp") == 1 and "enlarged" not in error, error


def test_edges_of_a_square():
    image = np.full((1, 32, 32, 3), 30, np.uint8)
    image[:, 8:24, 10:22] = 220
    drawn = edges(image)[0, ..., 0]
    assert set(np.unique(drawn)) == {0, 255}
    y, x = np.nonzero(drawn == 0)
    assert {y.min(), y.max()} <= {7, 8, 23, 24} and {x.min(), x.max()} <= {9, 10, 21, 22}
    assert 40 < len(y) < 70, "a thin line all around"
    assert (edges(np.full((2, 16, 16, 1), 90, np.uint8)) == 255).all(), "none in a flat picture"


def test_colours_of_one_brightness_have_an_edge():
    image = np.full((1, 32, 32, 3), (0, 140, 0), np.uint8)
    image[:, :, 16:] = (255, 10, 0)
    assert abs(int(grey(image)[0, 0, 0, 0]) - int(grey(image)[0, 0, 31, 0])) < 6
    assert (edges(image)[0, :, 14:18, 0] == 0).any(1).all()


def test_a_faint_edge_counts_where_a_strong_one_goes_on():
    """Hysteresis: a step of 60 grey levels alone is none; where one of 150 fades to it, it is."""
    alone = np.full((1, 32, 32, 1), 100, np.uint8)
    alone[:, 16:] += 60
    fading = alone.copy()
    fading[:, 16:] += np.clip(90 - 6 * np.arange(32), 0, 90).astype(np.uint8)[:, None]
    assert (edges(alone) == 255).all()
    assert (edges(fading)[0, 14:18, :, 0] == 0).any(0).all()


def test_grey_and_smaller_are_pillows():
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)
    pictures = [Image.fromarray(image) for image in images]
    assert (grey(images)[..., 0] == [np.asarray(p.convert("L")) for p in pictures]).all()
    small = [np.asarray(p.resize((6, 4), Image.Resampling.BICUBIC)) for p in pictures]
    assert (smaller(images, 4) == small).all()


@pytest.mark.slow
def test_what_is_held_out_stands_in_config_json(train, pairs, tmp_path):
    run = tmp_path / "run"
    train(
        *("--method", "pix2pix", "--dataset", pairs, "--run-dir", run, "--image-size", 16),
        *("--features", 2, "--batch-size", 8, "--max-steps", 1, "--patch", 16),
    )
    data = json.loads((run / "config.json").read_text())["data"]
    assert data["images"] + len(data["held_out"]["images"]) == 20
    assert all(name.endswith(".png") for name in data["held_out"]["images"])
