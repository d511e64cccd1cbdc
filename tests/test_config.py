import json
import subprocess
import sys
import time
import typing

import numpy as np
import pytest

from flaxgan import options, shared
from flaxgan.config import SHARED, Config, fields_of
from flaxgan.data import open_source
from flaxgan.data.fit import FITS
from flaxgan.fields import flag
from flaxgan.flags import GROUPS, Parser, add_flags
from flaxgan.methods.augment import AUGMENTATIONS
from flaxgan.methods.losses import LOSSES
from flaxgan.methods.penalties import PENALTIES
from flaxgan.methods.state import SCHEDULES
from flaxgan.models import ARCHITECTURES
from flaxgan.models.sizes import require_resolution
from flaxgan.options import GANOptions
from flaxgan.pretrained.extractor import EXTRACTORS
from flaxgan.system.errors import UserError
from flaxgan.trainer import live_on_device
from tests.conftest import ROOT

FIELDS = fields_of("gan")
FIXED_BY_THE_USERS_SCRIPTS = """
    --dataset --data-dir --split --image-size --channels --batch-size --epochs --max-steps
    --features --latent-dim --learning-rate --d-learning-rate --g-learning-rate --beta1 --beta2
    --seed --run-dir --checkpoint-every --keep-checkpoints --flip --no-flip --dry-run
""".split()  # noqa: SIM905


def parse(*argv, defaults=None):
    parser = Parser(prog="test")
    add_flags(parser, defaults or Config())
    return vars(parser.parse_args(argv))


def test_defaults_are_the_papers():
    names = ("features", "latent_dim", "learning_rate", "beta1", "beta2", "dataset")
    assert [Config()[name] for name in names] == [64, 100, 2e-4, 0.5, 0.999, "synthetic_flowers"]


def test_only_flags_that_were_given_are_parsed():
    assert parse() == {}
    assert parse(
        "--image-size", "48x64", "--no-flip", "--channels", "1", "--learning-rate", "1e-3"
    ) == {
        "image_size": (48, 64),
        "flip": False,
        "channels": 1,
        "learning_rate": 1e-3,
    }
    assert parse("--image-size", "28")["image_size"] == (28, 28)


def test_how_much_captions_have_to_match():
    for argv, share in (
        (["--matching"], 0.5),
        (["--matching", "0.2"], 0.2),
        (["--no-matching"], 0),
    ):
        assert parse(*argv) == {"matching": share}
    with pytest.raises(UserError, match=r"--matching must lie in \[0, 1\), not 1"):
        Config.make(condition="text", matching=1.0)


def test_the_names_are_those_of_what_is_there():
    for field, table in {
        "loss": LOSSES,
        "architecture": ARCHITECTURES,
        "schedule": SCHEDULES,
        "fit": FITS,
    }.items():
        assert typing.get_args(
            typing.get_type_hints(Config if field in SHARED else GANOptions)[field]
        ) == tuple(table)
    assert tuple(AUGMENTATIONS) == options.AUGMENTATIONS
    assert Config.make(augment=",".join(AUGMENTATIONS)).options.augmentations == tuple(
        AUGMENTATIONS
    )
    assert tuple(EXTRACTORS) == shared.EXTRACTORS
    assert tuple(PENALTIES) == options.PENALTIES and set(PENALTIES) <= set(FIELDS)


def test_json_round_trip():
    config = Config.make(
        image_size=(48, 64), channels=1, flip=False, max_steps=7, run_dir="somewhere"
    )
    assert Config.from_dict(json.loads(json.dumps(config.to_dict())), run_dir="somewhere") == config


@pytest.mark.parametrize(
    "name",
    [
        "batch_size",
        "epochs",
        "max_steps",
        "features",
        "d_features",
        "latent_dim",
        "learning_rate",
        "g_learning_rate",
    ],
)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_zero_negative_and_nan_are_refused(name, value):
    with pytest.raises(UserError, match=flag(name)):
        Config.make(**{name: value})


@pytest.mark.parametrize("name", ["learning_rate", "d_learning_rate"])
def test_infinite_rates_are_refused(name):
    with pytest.raises(UserError, match="positive number"):
        Config.make(**{name: float("inf")})


@pytest.mark.parametrize(
    "fields",
    [{"beta1": 1.0}, {"beta2": -0.1}, {"beta1": float("nan")}, {"seed": -1}, {"channels": 2}],
)
def test_values_out_of_range_are_refused(fields):
    with pytest.raises(UserError, match=flag(next(iter(fields)))):
        Config.make(**fields)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epcohs", "3"], "did you mean --epochs"),
        (["--channels", "2"], "invalid choice"),
        (["--batch-size", "many"], "invalid int value"),
        (["--image-size", "6x6x6"], "48x64"),
        (["--image-size", "-64"], "--image-size"),
        (["--image-size", "0"], "is not a size"),
        (["--image-size", "999999999"], "is not a size up to 4096"),
    ],
)
def test_bad_flags_are_user_errors(argv, message):
    with pytest.raises(UserError, match=message):
        parse(*argv)


def test_help_lists_every_flag_quickly():
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "flaxgan.main", "--help"], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - began < 20, (
        "a sanity bound, not a benchmark: --help must not import JAX"
    )
    words = result.stdout.replace(",", " ").replace("[", " ").split()
    assert all(name in words for name in FIXED_BY_THE_USERS_SCRIPTS)
    assert all(field.metadata["help"] for field in FIELDS.values())


def test_help_of_a_recipe_is_its_own():
    """In groups, each of which begins at a field."""
    command = [sys.executable, "-m", "experiments.own_images", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert (
        text.startswith("usage: python -m experiments.own_images [FLAGS]")
        and "A folder of your own pictures" in text
    )
    titles = [title for name, title in GROUPS.items() if name in FIELDS]
    assert len(titles) > 8 and all(f"\n{title}:\n" in text for title in titles)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, flaxgan.main, flaxgan.sample; print([m for m in ('jax', 'numpy', 'matplotlib')"
        " if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"r1": 1.0, "d_norm": "batch"}, "none to bound"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "bce and lsgan"),
        ({"augment": "color,blur"}, "color, translation, cutout"),
        ({"architecture": "resnet", "d_norm": "layer"}, "no normalisation"),
        ({"architecture": "style", "d_norm": "layer"}, "no normalisation"),
        ({"style_mixing": 0.5}, "--style-mixing is for --architecture style, and this is dcgan"),
        ({"path_length": 2.0, "architecture": "resnet"}, "--path-length is for .* leave it out"),
        ({"architecture": "style", "mapping_layers": 1}, "--mapping-layers must lie in"),
        ({"r1_every": 16}, "--r1-every says how often --r1"),
        ({"augment_target": 0.8}, "give that too"),
        ({"augment_target": 0.5, "augment": "color"}, "between 0.5 and 1"),
        ({"dropout": 1.0}, "lie in"),
        ({"r2": -1.0}, "negative"),
        ({"ema": -1}, "negative"),
        ({"augment": "color,cutout,color"}, "each once"),
        ({"ema": 2**31}, "below 2"),
        ({"d_steps": 0}, "at least 1"),
        ({"features": 300_000_000}, "below 2"),
    ],
)
def test_remedies_that_do_not_go_together_or_make_no_sense(fields, said):
    with pytest.raises(UserError, match=said):
        Config.make(**fields)


def test_the_discriminators_normalisation_follows_from_what_is_asked():
    kinds = [{}, {"r1": 1.0}, {"spectral_norm": True}, {"spectral_norm": True, "d_norm": "layer"}]
    assert [Config.make(**fields).options.discriminator_norm for fields in kinds] == [
        "batch",
        "layer",
        "none",
        "layer",
    ]


def test_augmentations_are_a_list_or_none():
    asked = [
        Config.make(augment=text).options.augmentations
        for text in (None, "none", "color, translation")
    ]
    assert asked == [(), (), ("color", "translation")]


def test_a_saved_name_means_the_same_in_every_folder(tmp_path, monkeypatch):
    """A run on a TFDS data set, resumed where a folder happens to have its name."""
    (tmp_path / "oxford_flowers102").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "none"))
    # after TFDS, which looks for the name there, is imported
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match="is not prepared"):
        open_source("oxford_flowers102")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (5, "5 epochs"),
        ("1", "1 epoch"),
        ("500 steps", "500 steps"),
        ("1Step", "1 step"),
        (" 3 epochs ", "3 epochs"),
    ],
)
def test_periods_are_epochs_or_steps(given, kept):
    config = Config.make(checkpoint_every=given)
    assert config.checkpoint_every == kept and Config.from_dict(config.to_dict()) == config
    number, unit = kept.split()
    assert config.steps_every("checkpoint_every", 7) == int(number) * (
        7 if unit.startswith("epoch") else 1
    )


@pytest.mark.parametrize("given", [0, "0", "-1", "5 days", "1e3", 2.5, True, "", 2**31])
def test_what_is_no_period_is_refused(given):
    with pytest.raises(UserError, match="--evaluate-every"):
        Config.make(evaluate_every=given)


def test_a_run_ends_where_the_first_of_its_lengths_does():
    assert Config.make(images=100, batch_size=8, epochs=3, max_steps=7).lengths(5) == {
        "--images": 13,
        "--max-steps": 7,
        "--epochs": 15,
    }
    assert Config.make(images=100, batch_size=8, d_steps=2).lengths(5) == {"--images": 7}


def test_attention_where_there_is_no_such_map_is_refused():
    require_resolution(32, (64, 64))
    for attention in (64, 4, 20):
        with pytest.raises(UserError, match="there are 32 and 16 and 8"):
            require_resolution(attention, (64, 64))


@pytest.mark.parametrize(
    "home, images, want",
    [("auto", 25, True), ("auto", 26, False), ("host", 1, False), ("device", 99, True)],
)
def test_pictures_live_on_the_device_if_they_fill_a_quarter_of_it(home, images, want):
    class Device:
        memory_stats = staticmethod(lambda: {"bytes_limit": 100})

    assert (
        live_on_device(Config.make(data_home=home), [Device()], np.zeros(images, np.uint8)) == want
    )


def test_the_older_name_of_a_condition_does_not_contradict_it():
    assert Config.make(conditional=True).condition == "class"
    assert Config.make(conditional=True, condition="class").condition == "class"
    assert Config.make(condition="text").replace(conditional=False).condition == "none"
    with pytest.raises(UserError, match="older name"):
        Config.make(conditional=True, condition="text")
