"""Every recipe of experiments/ runs, and its flags can be overridden."""

import importlib
import json
import shutil

import pytest

from flaxgan.config import Config
from flaxgan.data import described
from flaxgan.main import main
from tests.conftest import ROOT, TINY

RECIPES = sorted(path.stem for path in (ROOT / "experiments").glob("[a-z]*.py"))


def tiny_data(recipe, pictures, folder):
    """Flags that name tiny data of the form that a recipe learns from, and tiny networks."""
    if recipe.method == "gan":
        named = recipe.options.condition == "text" and not recipe.options.caption  # in the data
        return ["--dataset", recipe.dataset if named else pictures, *TINY]
    data = ["--dataset", pictures]
    if recipe.options.DATA == "unpaired":
        data += ["--target", pictures]
    elif recipe.options.DATA == "paired" and not recipe.options.source:
        for side in ("source", "target"):
            shutil.copytree(pictures, folder / side)
        data = ["--dataset", folder]
    size = ["--image-size", 16, "--features", 4, "--blocks", 1, "--batch-size", 8]
    return [*data, "--preset", "plain", *size]


@pytest.fixture
def few_drawn(monkeypatch):
    """The first 256 of the built-in flowers, each of which a run has to draw."""
    monkeypatch.setattr(described, "NUM_IMAGES", 256)
    described.held_out.cache_clear()
    yield
    described.held_out.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("encoder", "few_drawn", "two_maps")
@pytest.mark.parametrize("name", RECIPES)
def test_two_steps_on_tiny_data(tmp_path, pictures, name):
    recipe = importlib.import_module(f"experiments.{name}").CONFIG
    # one shows that a recipe's evaluation runs; it takes longer than all the rest
    if name != "fashion_mnist_dense":
        recipe = recipe.replace(evaluate_every=None)
    argv = [
        *tiny_data(recipe, pictures, tmp_path / "pairs"),
        "--run-dir",
        tmp_path / "run",
        "--max-steps",
        2,
        "--evaluate-num",
        16,
    ]
    if getattr(recipe.options, "attention", None):
        argv += ["--attention", 8]  # what there is at this size
    if getattr(recipe.options, "d_features", None):
        argv += ["--d-features", 4]
    main([str(arg) for arg in argv], recipe)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    own = ("dataset", "target", "split", "data_dir", "hours")
    own += ("image_size", "attention", "batch_size", "features", "d_features", "blocks")
    kept = {field: value for field, value in recipe.chosen().items() if field not in own}
    assert kept == {field: config[field] for field in kept}
    assert (tmp_path / "run" / "checkpoints" / "2").is_dir()


@pytest.mark.slow
def test_a_resumed_run_stays_what_it_was_made(tmp_path, pictures):
    recipe = importlib.import_module("experiments.own_images").CONFIG.replace(evaluate_every=None)
    argv = [
        "--dataset",
        pictures,
        "--run-dir",
        tmp_path,
        *TINY,
        "--augment",
        "color",
        "--learning-rate",
        0.001,
        "--max-steps",
        1,
    ]
    main([str(arg) for arg in argv], recipe)
    main(["--run-dir", str(tmp_path), "--max-steps", "2"], recipe)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["augment"], config["learning_rate"]) == ("color", 0.001)
    assert config["changes"] == [{"step": 1, "max_steps": 2}]


@pytest.mark.slow
def test_a_recipe_may_name_its_run(tmp_path, pictures, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = {
        "dataset": str(pictures),
        "image_size": 16,
        "features": 4,
        "latent_dim": 8,
        "batch_size": 8,
        "max_steps": 1,
    }
    for max_steps in (1, 2):  # the second start resumes it
        main(["--max-steps", str(max_steps)], Config.make(**tiny, run_dir="mine"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "checkpoints" / "2").is_dir()
    main(["--run-dir", "other"], Config.make(**tiny, run_dir="mine"))
    assert (tmp_path / "other" / "checkpoints" / "1").is_dir(), "a flag counts more than the recipe"
