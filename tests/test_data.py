import dataclasses
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets  # noqa: F401  # before a test hides TensorFlow from it
from PIL import Image, ImageCms

from flaxgan import inputs
from flaxgan.config import Config
from flaxgan.data import batch_indices, open_source, prepare, steps_per_epoch
from flaxgan.data import pixels as conversion
from flaxgan.data import synthetic as synthetic_flowers
from flaxgan.data.folder import open_folder
from flaxgan.data.order import permuted
from flaxgan.data.pairs import open_pairs
from flaxgan.data.tfds import _prepare
from flaxgan.request import class_ids
from flaxgan.system import seals
from flaxgan.system.errors import UserError
from flaxgan.system.files import cache_dir
from tests.conftest import ROOT


def folder_of(tmp_path, **pictures):
    """Write each picture as NAME.png, or with the extension after a double underscore."""
    for name, picture in pictures.items():
        stem, _, extension = name.partition("__")
        picture.save(tmp_path / f"{stem}.{extension or 'png'}")
    return tmp_path


def to_pixels(picture, image_size, channels):
    """One picture's, cropped: uint8 (H, W, channels)."""
    (image,) = conversion.to_pixels(picture, image_size, channels)
    return image


def pixels(folder, size=(16, 16), channels=3):
    return prepare(open_source(str(folder)), size, channels).images


# Batches.


def test_an_epoch_shows_every_picture_once_and_the_next_in_another_order():
    epochs = [
        np.concatenate([batch_indices(3, step, 100, 10) for step in range(e * 10, e * 10 + 10)])
        for e in range(2)
    ]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_the_ragged_last_batch_is_dropped():
    assert steps_per_epoch(29, 10) == 2
    seen = np.concatenate([batch_indices(0, step, 29, 10) for step in range(2)])
    assert len(set(seen)) == 20


def test_order_is_a_function_of_seed_and_step():
    assert (batch_indices(1, 57, 100, 10) == batch_indices(1, 57, 100, 10)).all()
    assert (batch_indices(1, 57, 100, 10) != batch_indices(2, 57, 100, 10)).any()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 41, 100, 8189])
def test_every_size_is_permuted(size):
    assert sorted(permuted(np.arange(size), size, 0, 5)) == list(range(size))


@pytest.mark.slow
def test_every_place_and_every_neighbour_is_as_likely():
    """Chi-squared over 4,000 epochs of 12 pictures, within five deviations of what uniform
    permutations give.
    """
    size, epochs = 12, 4000
    orders = np.array([permuted(np.arange(size), size, 1, epoch) for epoch in range(epochs)])
    places, followers = np.zeros((2, size, size))
    np.add.at(places, (np.arange(size), orders), 1)
    np.add.at(followers, (orders[:, :-1], orders[:, 1:]), 1)
    others = followers[~np.eye(size, dtype=bool)]
    for counts, freedom in ((places, (size - 1) ** 2), (others, len(others))):
        chi_squared = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        assert abs(chi_squared - freedom) < 5 * np.sqrt(2 * freedom)


def test_ten_million_pictures_are_ordered_a_batch_at_a_time():
    assert len(set(batch_indices(0, 156_249, 10**7, 64).tolist())) == 64


def test_fewer_pictures_than_a_batch():
    with pytest.raises(
        UserError, match="a step takes 64 pictures .* there are 63; lower --batch-size"
    ):
        steps_per_epoch(63, 64)


# One picture.


def test_centre_crop_then_antialiased_resize():
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255  # the middle third is white, the rest black
    # the filter sees a little beyond the cut
    assert to_pixels(Image.fromarray(wide), (16, 16), 3)[:, 3:-3].min() >= 254
    assert to_pixels(Image.fromarray(wide), (16, 48), 3)[:, :12].max() <= 1
    stripes = np.zeros((64, 64, 3), np.uint8)
    # finer than the result can show: an antialiased resize gives grey, not stripes
    stripes[:, ::2] = 255
    assert (
        abs(to_pixels(Image.fromarray(stripes), (16, 16), 3)[2:-2, 2:-2].astype(int) - 128).max()
        < 12
    )


def test_a_picture_of_the_right_size_is_left_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (20, 28, 3), np.uint8)
    assert (to_pixels(Image.fromarray(image), (20, 28), 3) == image).all()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (20, 20), 200), (200, 200, 200)),
        (Image.new("1", (20, 20), 1), (255, 255, 255)),
        (Image.new("P", (20, 20)), (0, 0, 0)),
        (Image.new("RGBA", (20, 20), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (20, 20), (255, 0, 0, 51)), (255, 204, 204)),
        (Image.new("LA", (20, 20), (0, 0)), (255, 255, 255)),
        (Image.new("CMYK", (20, 20), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.fromarray(np.full((20, 20), 200 * 257, np.uint16)), (200, 200, 200)),
        (Image.fromarray(np.full((20, 20), 200 * 257, np.int32)), (200, 200, 200)),
        (Image.fromarray(np.full((20, 20), 0.4, np.float32)), (102, 102, 102)),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_every_colour_mode_is_converted(picture, expected):
    assert (to_pixels(picture, (16, 16), 3) == expected).all()


def test_palette_with_transparency_is_composited_on_white():
    picture = Image.new("P", (20, 20), 1)
    picture.putpalette([0, 0, 0, 0, 0, 255])
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=1)
    assert (to_pixels(Image.open(file), (16, 16), 3) == 255).all()


def test_colour_becomes_grey_by_luminance():
    assert (to_pixels(Image.new("RGB", (20, 20), (0, 255, 0)), (16, 16), 1) == 150).all()


def test_exif_orientation_is_honoured(tmp_path):
    upright = np.zeros((32, 32, 3), np.uint8)
    upright[:16] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn a quarter clockwise to see it
    lying = Image.fromarray(np.rot90(upright))
    lying.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    image = pixels(tmp_path)[0]
    assert image[:7].min() > 200 and image[9:].max() < 50


def test_damaged_exif_leaves_a_picture_as_it_lies(tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0no such byte order")
    assert (pixels(tmp_path)[0, :, :, 0] > 250).all()


# A folder.


def test_sub_folders_become_labels_however_deep(tmp_path):
    for path in ("train/tulips/2019/a.png", "train/roses/b.jpg", "train/roses/deep/er/c.webp"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), "red").save(tmp_path / path)
    dataset = prepare(open_source(str(tmp_path)), (16, 16), 3)
    assert dataset.class_names == ("roses", "tulips")
    assert dataset.labels.tolist() == [0, 0, 1] and dataset.labels.dtype == np.int32
    assert dataset.images.shape == (3, 16, 16, 3) and dataset.images.dtype == np.uint8


def test_files_that_are_no_pictures_decide_nothing_about_classes(tmp_path):
    for name in ("roses", "tulips", "notes"):
        (tmp_path / name).mkdir()
    folder_of(
        tmp_path, **{"roses/a": Image.new("RGB", (20, 20)), "tulips/b": Image.new("RGB", (20, 20))}
    )
    (tmp_path / "tulips/b.png").rename(tmp_path / "tulips/b")  # known by its first bytes
    for name in ("labels.csv", "notes/read.me"):
        (tmp_path / name).write_text("no picture")
    dataset = prepare(open_source(str(tmp_path)), (16, 16), 3)
    assert dataset.class_counts == {"roses": 1, "tulips": 1} and dataset.labels.tolist() == [0, 1]
    folder_of(tmp_path, c=Image.new("RGB", (20, 20)))
    assert open_source(str(tmp_path)).class_names == [], "a picture beside the classes has none"


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for path in (folder / "roses", elsewhere):
        path.mkdir(parents=True)
        folder_of(path, a=Image.new("RGB", (20, 20)))
    (folder / "tulips").symlink_to(elsewhere)
    (folder / "roses" / "up").symlink_to(folder)
    (elsewhere / "here").symlink_to(elsewhere)
    (folder / "itself").symlink_to(folder / "itself")
    os.mkfifo(elsewhere / "pipe.png")  # to open it would wait for ever
    dataset = prepare(open_source(str(folder)), (16, 16), 3)
    assert dataset.class_counts == {"roses": 1, "tulips": 1}


def test_a_flat_folder_has_no_classes(tmp_path):
    dataset = prepare(
        open_source(str(folder_of(tmp_path, a=Image.new("L", (9, 9)), b=Image.new("L", (9, 9))))),
        (16, 16),
        1,
    )
    assert dataset.class_names == () and dataset.labels.tolist() == [0, 0]


def test_channels_and_flips_follow_the_data(tmp_path):
    folder_of(
        tmp_path, grey=Image.new("L", (9, 9)), deep=Image.fromarray(np.zeros((9, 9), np.uint16))
    )
    assert (open_source(str(tmp_path)).channels, open_source(str(tmp_path)).flip) == (1, False)
    folder_of(tmp_path, colour=Image.new("RGB", (9, 9)))
    assert (open_source(str(tmp_path)).channels, open_source(str(tmp_path)).flip) == (3, True)


def test_unreadable_files_are_skipped_counted_and_named_once(tmp_path, capfd):
    good = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    folder_of(tmp_path, a=good, z=good)
    (tmp_path / "notes.txt").write_text("not a picture")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / ".DS_Store").touch()
    images = pixels(tmp_path)
    assert len(images) == 2 and (images[0] == images[1]).all()
    warning = capfd.readouterr().err
    assert warning.count("warning") == 1
    assert "skipped 4 of 6 files: " in warning
    for reason in (
        "1 empty (empty.jpg)",
        "1 not decodable (half.png): image file is truncated",
        "1 of no picture format (notes.txt)",
    ):
        assert reason in warning
    assert "1 gone, or a link to nowhere (link.jpg)" in warning
    pixels(tmp_path)
    assert capfd.readouterr().err == warning, "as often as it is used"


def test_a_scan_of_200_megapixels_is_a_picture(tmp_path):
    """Which Pillow by itself refuses."""
    Image.new("1", (20000, 10000)).save(tmp_path / "scan.png")
    assert open_source(str(tmp_path), None, None).read(0)[0].size == (20000, 10000)


def test_a_folder_with_a_long_name(tmp_path):
    folder = tmp_path / ("é" * 120)
    folder.mkdir()
    assert len(pixels(folder_of(folder, a=Image.new("RGB", (9, 9))))) == 1


@pytest.mark.parametrize("case", ["missing", "empty", "a file", "nothing readable"])
def test_folders_without_pictures(tmp_path, case):
    folder = tmp_path / "folder"
    if case == "a file":
        folder.touch()
    elif case != "missing":
        folder.mkdir()
    if case == "nothing readable":
        (folder / "notes.txt").write_text("not a picture")
    with pytest.raises(UserError, match="no folder|holds no pictures|is a readable picture"):
        pixels(folder)


def test_a_picture_is_no_folder(pictures, monkeypatch):
    monkeypatch.chdir(pictures / "discs")
    with pytest.raises(UserError, match="it is a file"):
        open_source("00.png")


def test_a_split_of_a_folder_is_refused(pictures):
    with pytest.raises(UserError, match="--split is for TFDS"):
        open_source(str(pictures), split="train")


# The cache.


def cached(cache, name):
    return sorted((cache / "data").glob(f"{name}-*"))


def test_pictures_are_memory_mapped_and_prepared_once(tmp_path, cache):
    folder = tmp_path / "once"
    shutil.copytree(
        folder_of(tmp_path, a=Image.new("RGB", (9, 9), "red")),
        folder,
        ignore=shutil.ignore_patterns("once"),
    )
    first = pixels(folder)
    assert isinstance(first, np.memmap)
    (entry,) = cached(cache, "once")
    before = (entry / "images.npy").stat().st_mtime_ns
    pixels(folder)
    assert (entry / "images.npy").stat().st_mtime_ns == before
    pixels(folder, (32, 16))
    assert len(cached(cache, "once")) == 2, "another size is another entry"


def test_pictures_some_of_which_have_no_class_have_none(pictures):
    """TFDS marks those of its unlabelled splits with -1."""
    source = open_source(str(pictures))
    some = dataclasses.replace(
        source, identity="some", read=lambda i: (source.read(i)[0], i % 2 - 1)
    )
    dataset = prepare(some, (16, 16), 3)
    assert dataset.class_names == () and not dataset.labels.any() and dataset.class_counts == {}


def test_a_changed_folder_is_prepared_anew_and_its_old_pictures_go(tmp_path, cache):
    folder = tmp_path / "chang[ing]"
    folder.mkdir()
    folder_of(folder, a=Image.new("RGB", (9, 9), "red"))
    old = pixels(folder)
    folder_of(folder, b=Image.new("RGB", (9, 9), "blue"))
    assert len(pixels(folder)) == 2
    assert len(cached(cache, "chang[[]ing]")) == 1
    assert len(old) == 1 and (old[0] == (255, 0, 0)).all(), "a run that reads the old ones goes on"


def test_two_at_once(pictures, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    results = []
    threads = [threading.Thread(target=lambda: results.append(pixels(pictures))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all((images == results[0]).all() for images in results)
    assert len(list((tmp_path / "data").iterdir())) == 1, "nothing half-built is left"


def _inverted(path):
    """Other values in a file of the same size, type and time."""
    times, array = os.stat(path), np.load(path)
    np.save(path, array[::-1] if array.ndim == 1 else ~array)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "damage",
    [
        os.unlink,
        lambda path: os.truncate(path, 5),
        lambda path: os.truncate(path, 0),
        lambda path: path.write_text("{}"),
        _inverted,
    ],
)
@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "items.npy", "meta.json"])
def test_a_cache_that_is_not_as_written_is_prepared_anew(
    pictures, monkeypatch, tmp_path, capsys, name, damage
):
    if damage is _inverted and name == "meta.json":
        damage = lambda path: path.write_text(path.read_text().replace("40", "41"))  # noqa: E731
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    want = np.array(pixels(pictures))
    (entry,) = (tmp_path / "data").iterdir()
    damage(entry / name)
    capsys.readouterr()
    assert (pixels(pictures) == want).all()
    assert f"{entry} is not as it was written; it is prepared anew" in capsys.readouterr().err
    pixels(pictures)
    assert capsys.readouterr().err == ""


def test_a_cache_from_elsewhere_is_verified_once(pictures, monkeypatch, tmp_path):
    """A large file is only read whole if its time or size is not the known one."""
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    monkeypatch.setattr("flaxgan.system.seals.ALWAYS", 0)
    pixels(pictures)
    (entry,) = (tmp_path / "data").iterdir()
    shutil.copytree(entry, tmp_path / "copy")
    shutil.rmtree(entry)
    (tmp_path / "copy").rename(entry)
    read = []
    real = seals._digest
    monkeypatch.setattr(seals, "_digest", lambda path: read.append(path.name) or real(path))
    pixels(pictures)
    assert {*read} == {"images.npy", "labels.npy", "items.npy", "digests.npy", "meta.json"}
    read.clear()
    pixels(pictures)
    assert read == []
    with seals.verifying(True):
        pixels(pictures)
    assert len(read) == 5


def test_a_cache_may_be_shared(pictures, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    umask = os.umask(0o022)
    try:
        pixels(pictures)
    finally:
        os.umask(umask)
    (entry,) = (tmp_path / "data").iterdir()
    assert [path.stat().st_mode & 0o777 for path in (entry, entry / "images.npy")] == [0o755, 0o644]


def test_nobody_has_no_home_for_a_cache(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")  # as pathlib says

    monkeypatch.setattr("pathlib.Path.home", no_home)
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("FLAXGAN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UserError, match="set FLAXGAN_CACHE"):
        cache_dir()


def test_a_cache_that_cannot_be_written(pictures, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set FLAXGAN_CACHE"):
        pixels(pictures)


# The built-in flowers.


def test_flowers_are_many_deterministic_and_of_many_species():
    source = open_source("synthetic_flowers")
    assert len(source) >= 4096 and len(source.class_names) >= 8 and source.channels == 3
    for i in (0, 7, 4095):
        (first, label), (second, _) = source.read(i), source.read(i)
        assert (np.asarray(first) == np.asarray(second)).all()
        assert label == i % len(source.class_names)


def test_species_look_different_and_no_two_flowers_are_the_same():
    species = len(synthetic_flowers.SPECIES)
    images = np.stack(
        [to_pixels(synthetic_flowers.draw(i)[0], (64, 64), 3) for i in range(6 * species)]
    ).astype(float)
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    hearts = images[:, 16:48, 16:48].mean((1, 2)).reshape(6, species, 3)  # the flower's mean colour
    within = hearts.std(0).mean()
    between = hearts.mean(0).std(0).mean()
    assert between > within


# TFDS.


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory):
    """A TFDS data set of 12 pictures, red ones and blue ones, and the same as digits, written by
    TFDS in a process of its own.
    """
    folder = tmp_path_factory.mktemp("tfds")
    package = tmp_path_factory.mktemp("package") / "builders"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "dots.py").write_text("""
import io
import sys
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image


class Dots(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        image = tfds.features.Image(shape=(None, None, 3))
        label = tfds.features.ClassLabel(names=["red", "blue"])
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"train": self._generate_examples(8), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
        for i in range(count):
            file = io.BytesIO()
            Image.new("RGB", (30, 20), ("red", "blue")[i % 2]).save(file, "PNG")
            file.seek(0)
            yield i, {"image": file, "label": i % 2}


class DigitDots(Dots):
    VERSION = Dots.VERSION


class BrokenDots(Dots):
    VERSION = Dots.VERSION

    def _generate_examples(self, count):
        yield from super()._generate_examples(count)
        yield count, {"image": io.BytesIO(b"no picture"), "label": 0}


for builder in (Dots, DigitDots, BrokenDots):
    builder(data_dir=sys.argv[1], file_format="array_record").download_and_prepare()
""")
    subprocess.run(
        [sys.executable, "-c", "import builders.dots", str(folder)],
        env=os.environ | {"PYTHONPATH": str(package.parent)},
        check=True,
        capture_output=True,
    )
    return folder


def test_all_splits_together_by_default(tfds_dir):
    dataset = prepare(open_source("dots", str(tfds_dir)), (16, 24), 3)
    assert dataset.images.shape == (12, 16, 24, 3)
    assert dataset.class_names == ("red", "blue")
    colours = np.array([(255, 0, 0), (0, 0, 255)])[dataset.labels]
    assert (dataset.images[:, 8, 12] == colours).all()
    assert sorted(dataset.labels) == [0] * 6 + [1] * 6


@pytest.fixture
def strange_dir(tfds_dir, tmp_path):
    shutil.copytree(tfds_dir / "dots", tmp_path / "dots")
    (file,) = (tmp_path / "dots").rglob("features.json")
    return tmp_path, file


@pytest.mark.parametrize("old", [False, True])
def test_no_module_is_imported_because_a_strangers_file_names_it(
    strange_dir, tmp_path, monkeypatch, old
):
    folder, file = strange_dir
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lies_here.py").write_text("raise SystemExit('it ran')")
    content = {"type": "lies_here.Image", "content": {}} if old else file.read_text()
    text = (
        json.dumps(content)
        if old
        else content.replace(
            "tensorflow_datasets.core.features.class_label_feature", r"\u006cies_here"
        )
    )
    file.write_text(text)
    with pytest.raises(UserError, match=r"features\.json names lies_here\.\w+, which is none of"):
        open_source("dots", str(folder))
    assert "lies_here" not in sys.modules


@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-40],
        lambda text: "",
        lambda text: "[]",
        lambda text: 3000 * "[",
        lambda text: "{}",
    ],
)
def test_damaged_files_of_tfds_are_a_line_or_do_nothing(strange_dir, name, change):
    folder, _ = strange_dir
    (file,) = (folder / "dots").rglob(name)
    file.write_text(change(file.read_text()))
    try:
        images = prepare(open_source("dots", str(folder)), (16, 24), 3).images
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert len(images) == 12


def test_another_number_of_records_than_was_noted_is_named(strange_dir):
    folder, _ = strange_dir
    (file,) = (folder / "dots").rglob("dataset_info.json")
    noted = json.loads(file.read_text())
    (train,) = (split for split in noted["splits"] if split["name"] == "train")
    train["shardLengths"] = ["5"]
    file.write_text(json.dumps(noted))
    with pytest.raises(UserError, match=r"train.*holds 8 records, and dataset_info.json says 5"):
        open_source("dots", str(folder))


def test_split_narrows(tfds_dir):
    assert len(prepare(open_source("dots", str(tfds_dir), "train"), (16, 16), 3).images) == 8
    assert (
        len(prepare(open_source("dots", str(tfds_dir), "train[:2]+test"), (16, 16), 3).images) == 6
    )
    with pytest.raises(UserError, match="no split validation; there are.*train"):
        open_source("dots", str(tfds_dir), "validation")


def test_digits_are_not_mirrored(tfds_dir):
    assert [open_source(name, str(tfds_dir)).flip for name in ("dots", "digit_dots")] == [
        True,
        False,
    ]


def test_a_record_is_skipped_for_its_bytes_alone(tfds_dir, tmp_path, capfd):
    assert len(prepare(open_source("broken_dots", str(tfds_dir)), (16, 16), 3).images) == 12
    assert "skipped 2 of 14 files: 2 of no picture format" in capfd.readouterr().err
    shutil.copytree(tfds_dir / "dots", tmp_path / "dots")
    (records,) = (tmp_path / "dots").rglob("*train.array_record*")
    whole = records.read_bytes()
    records.write_bytes(whole[:50] + bytes(50) + whole[100:])
    with pytest.raises(
        UserError,
        match=(
            "can't read record 0 of .*dots/1.0.0: .*; see to its drive and start again, or prepare"
        ),
    ):
        prepare(open_source("dots", str(tmp_path)), (16, 16), 3)


@pytest.mark.slow
def test_tensorflow_is_not_imported(tfds_dir):
    code = (
        "import sys; from flaxgan.data import open_source, prepare; prepare(open_source('dots',"
        f" {str(tfds_dir)!r}), (20, 20), 3); print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split()[-1] == "False"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        UserError, match="unknown data set oxford_flower102,.* did you mean oxford_flowers102"
    ):
        open_source("oxford_flower102")
    with pytest.raises(UserError, match="did you mean synthetic_flowers"):
        open_source("syntetic_flowers")


@pytest.mark.parametrize("name", ["dots", "oxford_flowers102"], ids=["prepared", "not prepared"])
def test_where_there_is_no_array_record_there_are_other_ways(tfds_dir, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "array_record", None)
    with pytest.raises(UserError, match="none for Windows .*WSL there, or give --dataset a folder"):
        open_source(name, str(tfds_dir))
    with pytest.raises(UserError, match="unknown data set syntetic_flowers"):
        open_source("syntetic_flowers")


def test_not_prepared_and_no_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # even where it is installed
    with pytest.raises(UserError, match="not prepared in .*pip install .tensorflow"):
        open_source("oxford_flowers102", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_not_prepared_and_no_network(tmp_path, monkeypatch):
    """TFDS tries for minutes before it gives up; here something else gives up in its place."""
    (tmp_path / "python").write_text(
        "#!/bin/sh\necho Traceback >&2; echo 'ConnectionError: no route to host' >&2; exit 1\n"
    )
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("flaxgan.data.tfds.find_spec", lambda name: True)
    with pytest.raises(
        UserError,
        match=(
            "could not prepare oxford_flowers102 .is there a network.*: ConnectionError: no route"
        ),
    ):
        open_source("oxford_flowers102", str(tmp_path))


def test_prepared_by_another_process_meanwhile(tmp_path, monkeypatch):
    """Whose folder TFDS then finds in the way."""
    (tmp_path / "python").write_text("#!/bin/sh\necho 'OSError: Directory not empty' >&2; exit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("flaxgan.data.tfds.find_spec", lambda name: True)
    _prepare(SimpleNamespace(is_prepared=lambda: True), "oxford_flowers102", str(tmp_path))
    with pytest.raises(UserError, match="Directory not empty"):
        _prepare(SimpleNamespace(is_prepared=lambda: False), "oxford_flowers102", str(tmp_path))


@pytest.mark.parametrize(
    "name",
    ["oxford_flowers102/nothing", "oxford_flowers102:9.9.9", "oxford_flowers102/nothing=1", ""],
)
def test_names_that_are_none(name, tmp_path):
    with pytest.raises(UserError):
        open_source(name, str(tmp_path))


def test_real_tfds_data(real_data):
    flowers = open_source("oxford_flowers102", str(real_data / "tfds"))
    assert (len(flowers), len(flowers.class_names), flowers.channels, flowers.flip) == (
        8189,
        102,
        3,
        True,
    )
    fashion = open_source("fashion_mnist", str(real_data / "tfds"), "test")
    assert (len(fashion), fashion.image_size, fashion.channels, fashion.flip) == (
        10000,
        (28, 28),
        1,
        False,
    )
    picture, label = fashion.read(0)
    assert np.asarray(picture).shape == (28, 28) and 0 <= label < 10


def test_a_tall_picture_is_cut_to_its_middle():
    tall = np.zeros((96, 32, 3), np.uint8)
    tall[32:64] = 255
    assert to_pixels(Image.fromarray(tall), (16, 16), 3)[3:-3].min() >= 254


@pytest.mark.parametrize(
    "values, want",
    [
        (np.float32([[-1, 2]]), (0, 255)),
        (np.int32([[-5, 2**20]]), (0, 255)),
        (np.uint16([[300, 60000]]), (1, 233)),
    ],
)
def test_deep_grey_is_rounded_and_cut_off(values, want):
    assert tuple(to_pixels(Image.fromarray(values), (1, 2), 1).ravel()) == want


def test_a_full_disk_is_noticed_before_pictures_are_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UserError, match="No space left"):
        prepare(open_source(str(tmp_path)), (16, 16), 3)


def test_exif_of_grey_pictures_too():
    upright = np.zeros((32, 32), np.uint8)
    upright[:16] = 255
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(file, "PNG", exif=exif)
    image = to_pixels(Image.open(file), (16, 16), 1)
    assert image[:7].min() > 200 and image[9:].max() < 50


def test_colours_are_converted_by_the_profile_that_a_file_carries(tmp_path):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert b"s\0R\0G\0B" in profile
    profile = profile.replace(b"s\0R\0G\0B", b"o\0w\0n\0 ")
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")  # tags: their colours change places
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    for name, carried in (("exchanged", profile), ("damaged", profile[:99]), ("none", b"")):
        Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.png", icc_profile=bytes(carried))
        colour = to_pixels(Image.open(tmp_path / "a.png"), (8, 8), 3)[0, 0]
        want = (0, 200, 0) if name == "exchanged" else (200, 0, 0)
        assert abs(colour.astype(int) - want).max() <= 2, name
    png = Image.new("RGB", (8, 8), (200, 0, 0))
    png.save(tmp_path / "a.png", icc_profile=bytes(profile), transparency=(200, 0, 0))
    assert to_pixels(Image.open(tmp_path / "a.png"), (8, 8), 3).min() == 255, "white"


def test_names_are_equal_however_their_accents_are_written(tmp_path):
    for side, name in (("source", "e\u0301.png"), ("target", "\u00e9.jpg")):
        (tmp_path / side).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / side / name)
    assert len(open_pairs(tmp_path)) == 1
    for split, name in (("train", "e\u0301"), ("test", "\u00e9"), ("test", "a")):
        (tmp_path / "classes" / split / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "classes" / split / name / "a.png")
    names = open_folder(tmp_path / "classes").class_names
    assert [*names] == ["a", "\u00e9"]
    assert class_ids("e\u0301", dict.fromkeys(names, 1)) == [1]
    numbered = {"1": 1, "2": 1, "3": 1}  # a text is a name first, a number is a number
    assert class_ids(["2", 2, "0"], numbered) == [1, 2, 0]


def test_pictures_to_be_translated_are_judged_as_a_set(tmp_path, capsys):
    files = sorted(deep(tmp_path / "a", 0, 4095, int).iterdir())
    guess = inputs.values(files)
    assert guess == (0, 4095) and "0 is black and 4095 white" in capsys.readouterr().out
    assert inputs.read(files[-1], None, guess).max() == 255
    assert inputs.read(files[-1], None, (0, 65535)).max() == 16


def deep(folder, low, high, kind):
    """Pictures whose values rise from black to white, as files of more than 8 bits."""
    folder.mkdir()
    for i in range(3):
        ramp = np.linspace(low, high, 16 * 16).reshape(16, 16) * (0.5 + i / 4)
        if kind is float:
            Image.fromarray(ramp.astype(np.float32)).save(folder / f"{i}.tif")
        else:
            Image.fromarray(ramp.round().astype(np.uint16)).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    "low, high, kind",
    [(0, 255, int), (0, 1023, int), (0, 4095, int), (0, 65535, int), (0, 1, float)]
    + [(-1, 1, float), (0, 255, float), (0, 65535, float)],
)
def test_values_of_more_than_8_bits_are_guessed_of_all_pictures(
    tmp_path, monkeypatch, capsys, low, high, kind
):
    """The last picture is the brightest, and as bright as can be."""
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "cache"))
    dataset = prepare(open_source(str(deep(tmp_path / "a", low, high, kind))), (16, 16), 1)
    images = dataset.images
    assert images[2].max() == 255 and dataset.values == (low, high)
    white = 255 if low == 0 else 191  # of -1 to 1 half is -0.5 to 0.5
    assert abs(int(images[0].max()) - white * (0.5 if low == 0 else 1)) <= 1
    assert f"{low:g} is black and {high:g} white" in capsys.readouterr().err


def test_a_range_that_is_given_overrules_the_guess(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path / "cache"))
    folder = str(deep(tmp_path / "a", 0, 1000, int))
    guessed = prepare(open_source(folder), (16, 16), 1).images
    given = prepare(open_source(folder, values=(0, 2000)), (16, 16), 1).images
    assert guessed[2].max() == 249 and given[2].max() == 128
    for asked in ((0, 2000), [0, 2000], " 0, 2000 "):
        assert Config.make(range=asked).values == (0, 2000)
    for wrong in ("5", "2,1", "0,nan", "a,b", (1,)):
        with pytest.raises(UserError, match="--range.*write two numbers"):
            Config.make(range=wrong)
