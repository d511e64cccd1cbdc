"""What a run does where its flags don't say."""

import dataclasses
import json
import re
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from flaxgan.config import Config
from flaxgan.presets import Choice, Facts, choose, plan
from flaxgan.presets.facts import Choices
from flaxgan.presets.gan import FEW_IMAGES
from flaxgan.resolve import cut_to_time, facts_of
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.runs.folder import Run
from flaxgan.runs.opening import open_run


def chosen(facts, **given):
    """The fields of a new run with these flags."""
    config = Config.make(**given)
    return {name: choice.value for name, choice in choose(config, given.keys(), facts).items()}


def complete(facts, **given):
    """The whole configuration, which must be one."""
    return Config.make(**(chosen(facts, **given) | given))


def test_plain_is_the_paper():
    given = {"preset": "plain"}
    assert chosen(Facts(300, size=(128, 128)), **given) == {"image_size": (64, 64), "epochs": 25}
    assert chosen(Facts(300), **given, images=1000) == {"image_size": (64, 64)}


@pytest.mark.parametrize(
    ("native", "want"),
    [
        ((28, 28), (28, 28)),
        ((64, 48), (64, 48)),
        ((128, 128), (64, 64)),
        ((30, 30), (64, 64)),
        (None, (64, 64)),
    ],
)
@pytest.mark.parametrize("preset", ["auto", "plain"])
def test_the_size_follows_the_data_up_to_64(preset, native, want):
    assert chosen(Facts(300, size=(128, 128), native=native), preset=preset)["image_size"] == want


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        ({"size": (100, 50)}, 48),
        ({"size": (20, 20)}, 16),
        ({"size": (5, 5)}, 16),
        ({"size": (500, 500)}, 64),
        ({"size": (500, 500), "seconds": 120}, 32),
        ({"size": (500, 500), "seconds": 1800}, 64),
        ({"size": (500, 500), "platform": "gpu"}, 64),
        ({"size": (500, 500), "platform": "gpu", "num_images": 5000}, 128),
        ({"size": (100, 100), "platform": "gpu", "num_images": 5000}, 96),
    ],
)
def test_the_size_is_what_pictures_device_and_time_carry(facts, want):
    assert chosen(Facts(**({"num_images": 300} | facts)))["image_size"] == (want, want)


def test_what_is_given_is_left_alone_and_what_hangs_on_it_follows():
    facts = Facts(300)
    given = {"features": 16, "augment": "none", "g_learning_rate": 1e-3, "epochs": 3, "flip": True}
    made = chosen(facts, **given)
    assert not made.keys() & (
        given.keys() | {"d_features", "augment_target", "learning_rate", "images"}
    )
    assert chosen(facts, loss="wgan", gradient_penalty=10.0).get("learning_rate") is None


@pytest.mark.parametrize(
    ("num_images", "devices", "given", "want"),
    [
        (300, 1, {}, 8),
        (5, 1, {}, 4),
        (1, 1, {}, 1),
        (9, 1, {"d_steps": 2}, 4),
        (300, 3, {}, 9),
        (300, 8, {"accumulate": 2}, 16),
        (FEW_IMAGES, 1, {}, 16),
    ],
)
def test_a_batch_fits_the_data_and_the_devices(num_images, devices, given, want):
    assert complete(Facts(num_images, num_devices=devices), **given).batch_size == want


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("num_images", [1, 10, 300, 3000, 70_000])
@pytest.mark.parametrize("seconds", [None, 60, 1800, 86_400])
def test_every_choice_is_a_configuration_with_an_end(platform, num_images, seconds):
    config = complete(Facts(num_images, num_classes=2, platform=platform, seconds=seconds))
    steps = config.lengths(1)["--images"]
    assert 1 <= config.steps_every("checkpoint_every", 1) <= max(steps, 8)
    assert (config.steps_every("evaluate_every", 1) or steps) <= steps
    assert (config.options.augment is None) == (num_images >= FEW_IMAGES)


def test_hundreds_of_pictures_need_hundreds_of_epochs():
    for num_images, epochs in ((300, (400, 1000)), (2781, (150, 300)), (8189, (70, 200))):
        assert epochs[0] < complete(Facts(num_images)).images / num_images < epochs[1]


def test_classes_are_learnt_where_there_is_time_for_them():
    assert chosen(Facts(8189, num_classes=102))["condition"] == "class"
    assert "condition" not in chosen(Facts(8189, num_classes=102, seconds=1800))
    assert chosen(Facts(1000, num_classes=3, seconds=1800))["condition"] == "class"
    assert "condition" not in chosen(Facts(1000, num_classes=1))


def test_few_pictures_are_augmented_as_it_takes_and_very_few_all():
    made = [chosen(Facts(num_images)) for num_images in (300, 1000, FEW_IMAGES)]
    assert [own.get("augment") for own in made] == ["translation", "translation", None]
    assert [own.get("augment_target") for own in made] == [None, 0.8, None]


def test_drawings_are_not_mirrored():
    assert chosen(Facts(300, drawn=True))["flip"] is False
    assert "flip" not in chosen(Facts(300))


def test_time_is_filled_by_the_measured_speed():
    """Half an hour at 50 images a second, less five evaluations; a falling rate has to arrive in
    time.
    """
    half_an_hour = Facts(2000, seconds=1800, images_per_second=50)
    free = {"images", "checkpoint_every", "evaluate_every"}
    steady, falling = (
        plan(Config.make(image_size=64, schedule=schedule), free, half_an_hour)
        for schedule in ("constant", "linear")
    )
    assert 1200 * 50 < falling["images"].value < 1800 * 50
    assert 1800 * 50 < steady["images"].value < 1.5 * 1800 * 50, (
        "it is stopped when the time is over"
    )
    assert 4 <= 1800 * 50 / 64 / int(steady["evaluate_every"].value.split()[0]) < 7
    assert (
        plan(Config.make(image_size=64), free, Facts(2000, seconds=10**6))["images"].value
        == Facts(2000).needed
    )
    assert plan(Config.make(image_size=64, epochs=9), {"evaluate_every"}, half_an_hour).keys() <= {
        "evaluate_every"
    }


def test_a_choice_is_asked_for_in_one_place():
    choices = Choices(Config.make(features=5), {"batch_size"})
    assert choices.pick("features", 6, "") == choices["features"] == 5
    assert choices.pick("batch_size", 7, "") == choices["batch_size"] == 7
    assert choices.made.keys() == {"batch_size"}


def test_drawings_are_told_in_folders_alone_and_no_picture_is_opened_to_resume(
    pictures, monkeypatch
):
    """Of the built-in flowers, which are drawn, it is known that they may be mirrored."""
    new = {name: open_run({"dataset": str(name)}) for name in (pictures, "synthetic_flowers")}
    assert [facts_of(run, jax.devices()[:1], None).drawn for run in new.values()] == [True, False]
    monkeypatch.setattr("flaxgan.resolve.survey", lambda _: 1 / 0)
    resumed = dataclasses.replace(new[pictures], saved={})
    assert facts_of(resumed, jax.devices()[:1], None).num_images == 40


SMALL = ["--image-size", 16, "--features", 4, "--d-features", 4, "--latent-dim", 8]


@pytest.fixture
def few(tmp_path):
    """A flat folder of 12 colourful pictures."""
    folder = tmp_path / "few"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        pixels = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((8, 8, 1))) + rng.normal(
            0, 3, (32, 32, 3)
        )
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.mark.slow
def test_choices_are_printed_kept_and_resumed(tmp_path, few, train):
    run_dir = tmp_path / "run"
    output = train("--dataset", few, "--run-dir", run_dir, "--images", 40, *SMALL)
    assert "chosen for 12 pictures" in output and re.search(
        r"--augment translation +pictures are few\n", output
    )
    assert (
        "5 steps are too few to see anything but noise; it takes some 500 (--images 4000)" in output
    )
    config = json.loads((run_dir / "config.json").read_text())
    assert (config["batch_size"], config["augment"], config["images"]) == (8, "translation", 40)
    assert config["chosen"].keys() == {"batch_size", "learning_rate", "augment", "checkpoint_every"}
    output = train("--run-dir", run_dir, "--images", 64)
    assert "chosen for" not in output and "--images 64 (was 40)" in output
    output = train("--run-dir", run_dir, "--epochs", 9)
    assert "no --images (was 64)" in output and "--epochs 9 (was None)" in output
    again = json.loads((run_dir / "config.json").read_text())
    assert (again["batch_size"], again["chosen"], again["images"]) == (8, config["chosen"], None)


@pytest.mark.slow
def test_a_length_that_fills_the_time_is_chosen_anew_when_more_is_given(tmp_path, few, train):
    run_dir = tmp_path / "run"
    train("--dataset", few, "--run-dir", run_dir, "--hours", 1e-6, *SMALL)
    before = json.loads((run_dir / "config.json").read_text())
    assert before["chosen"]["images"] == "fills the time" and before["hours"] == 1e-6
    output = train("--run-dir", run_dir, "--hours", 0.002)
    after = json.loads((run_dir / "config.json").read_text())
    assert (
        f"--images {after['images']} (was {before['images']})" in output and after["hours"] == 0.002
    )


@pytest.mark.slow
def test_hours_end_a_run_whose_length_was_given(tmp_path, few, train):
    run_dir = tmp_path / "run"
    output = train(
        "--dataset", few, "--run-dir", run_dir, "--hours", 0.002, "--epochs", 10**6, *SMALL
    )
    step = int(
        re.search(
            r"--hours 0.002 are over after step (\d+) of 1000000; to go on: .*--run-dir", output
        )[1]
    )
    with Checkpoints(run_dir) as checkpoints:
        assert checkpoints.steps()[-1] == step
    assert (run_dir / "generated_images" / f"epoch_{step:04d}.png").exists()


@pytest.mark.slow
def test_dry_run_tells_choices_time_and_memory(tmp_path, few, train):
    output = train(
        "--dataset", few, "--run-dir", tmp_path / "run", "--hours", 0.002, *SMALL, "--dry-run"
    )
    steps, pictures, memory = re.search(
        r"estimate: ([\d,]+) steps, ([\d,]+) pictures .* ([\d.]+) GiB", output
    ).groups()
    assert int(pictures.replace(",", "")) == 8 * int(steps.replace(",", "")) and float(memory) < 1
    assert "fills the time" in output and not (tmp_path / "run").exists()


def test_time_that_is_given_later_moves_no_end_of_a_phase(monkeypatch):
    monkeypatch.setattr("flaxgan.resolve.measured_speed", lambda trainer: 100.0)
    config = Config.make(
        method="srgan", dataset="x", image_size=64, images=1000, pixel_images=500, hours=1
    )
    choices = {name: Choice(config[name], "") for name in ("images", "pixel_images")}
    run = Run(Path("x"), config, None, None, chosen=choices)
    facts, deadline = Facts(500), time.monotonic() + 60
    begun, new = (cut_to_time(run, facts, deadline, None, done) for done in (10, 0))
    assert begun.config["pixel_images"] == 500 != begun.config.images // 2
    assert new.config["pixel_images"] == new.config.images // 2
