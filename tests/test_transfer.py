"""A run that begins with the networks of another one."""

import json
import shutil

import jax
import numpy as np
import pytest

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.methods.state import networks
from flaxgan.runs.loading import load
from flaxgan.runs.trained import load_run
from flaxgan.runs.transfer import begun, inherited
from flaxgan.trainer import Trainer
from tests.conftest import TINY

pytestmark = pytest.mark.slow  # the runs that they look at are trained first


@pytest.fixture(scope="module")
def others(tmp_path_factory, pictures):
    """Runs without classes and with two, after three steps."""
    folder = tmp_path_factory.mktemp("others")
    fields = {"dataset": str(pictures), "image_size": 16, "preset": "plain", "features": 4}
    fields |= {"latent_dim": 8, "batch_size": 8, "max_steps": 3}
    for name in ("none", "class"):
        flaxgan.train(run_dir=folder / name, condition=name, **fields)
    return folder


def start_of(other, num_classes=None, **fields):
    """(the other run's networks, those that a run with these fields begins with)."""
    asked = inherited({"init_from": str(other), "preset": "plain", "batch_size": 8} | fields)
    config = Config.make(**asked, num_classes=num_classes)
    images = np.zeros((8, *config.image_size, 3), np.uint8)
    labels = np.arange(8) % num_classes if num_classes else None
    device = jax.devices()[0]
    trainer = Trainer(
        config, [device], Dataset.of(images, labels, tuple("abc"[: num_classes or 0]))
    )
    state = begun(trainer.create_state(), config, device)
    return networks(load(load_run(other), None, device)), state


def leaves(network):
    tree = network.params, network.batch_stats
    return {jax.tree_util.keystr(path): x for path, x in jax.tree.leaves_with_path(tree)}


@pytest.mark.parametrize("ema", [0, 1000])
def test_it_begins_with_the_weights_and_statistics_of_the_other(others, ema):
    before, state = start_of(others / "none", ema=ema, seed=1)
    for name, network in networks(state).items():
        found = leaves(network)
        assert len(found) > 5 and found.keys() == leaves(before[name]).keys()
        for key, value in leaves(before[name]).items():
            np.testing.assert_array_equal(found[key], value)
        moments = jax.tree.leaves(network.opt_state)
        assert not any(np.any(x) for x in moments), "the optimiser begins anew"
    assert int(state.step) == 0 and (state.ema_params is None) == (not ema)
    if ema:
        jax.tree.map(np.testing.assert_array_equal, state.ema_params, state.generator.params)


def test_batch_norm_of_classes_gives_its_mean_to_one_without_them(others):
    before, state = start_of(others / "class")
    old, new = before["generator"].params, state.generator.params
    scales = old["BatchNormOfClass_0"]["scale"]["embedding"]
    assert np.std(scales, 0).max() > 0, "classes differ"
    np.testing.assert_allclose(new["BatchNorm_0"]["scale"], scales.mean(0), rtol=1e-6)
    statistics = before["generator"].batch_stats["BatchNormOfClass_1"]["BatchNorm_0"]
    found = state.generator.batch_stats["BatchNorm_1"]
    for name, values in statistics.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("other", ["none", "class"])
def test_each_of_other_classes_begins_with_the_mean(others, other, capsys):
    before, state = start_of(others / other, condition="class", num_classes=3)
    new = state.generator.params["BatchNormOfClass_0"]["scale"]["embedding"]
    old = before["generator"].params
    mean = (
        old["BatchNorm_0"]["scale"]
        if other == "none"
        else old["BatchNormOfClass_0"]["scale"]["embedding"].mean(0)
    )
    np.testing.assert_allclose(new, np.broadcast_to(mean, new.shape), rtol=1e-6)
    said = capsys.readouterr().out
    assert "step 3; of other shapes, and so new: discriminator's Embedding_0" in said


def test_a_run_begins_so_and_is_resumed_without_the_other(
    others, pictures, tmp_path, train, refused
):
    other, run = tmp_path / "other", tmp_path / "run"
    shutil.copytree(others / "none", other)
    flags = ("--preset", "plain", "--dataset", pictures, "--batch-size", 8, "--run-dir", run)
    train(*flags, "--init-from", other, "--max-steps", 2)
    saved = json.loads((run / "config.json").read_text())
    assert saved["init_from"] == str(other) and saved["init_checkpoint"] == "3"
    shaping = ("image_size", "features", "latent_dim")
    assert [saved[name] for name in shaping] == [[16, 16], 4, 8]
    shutil.rmtree(other)
    train("--run-dir", run, "--max-steps", 4)
    assert flaxgan.load(run).step == 4
    assert "can't be resumed" in refused("--run-dir", run, "--init-from", others / "class")


def test_what_can_not_be_begun_with_is_refused(others, pictures, tmp_path, refused):
    def error(*flags):
        return refused("--dataset", pictures, "--run-dir", tmp_path / "run", *flags)

    assert "is no run of flaxgan" in error("--init-from", tmp_path)
    assert "give that too" in error("--init-checkpoint", "best")
    other = ("--init-from", others / "none")
    assert "no best checkpoint" in error(*other, "--init-checkpoint", "best")
    assert "neither a step" in error(*other, "--init-checkpoint", "newest")
    assert "no checkpoint of step 7" in error(*other, "--init-checkpoint", 7)
    assert "is of --method gan" in error(*other, "--method", "cut", "--target", pictures)
    assert "nothing of its generator fits" in error(*other, *TINY, "--features", 5)
    assert not (tmp_path / "run").exists()
