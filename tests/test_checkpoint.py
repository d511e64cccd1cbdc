import argparse
import gc
import shutil
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.flags import checkpoint_name
from flaxgan.methods import state_shape, to_sample
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.errors import UserError
from flaxgan.trainer import Trainer
from tests.conftest import ROOT

CONFIG = Config.make(image_size=16, channels=3, features=4, latent_dim=8, batch_size=8, flip=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(CONFIG, jax.devices()[:1], Dataset.of(IMAGES))


@pytest.fixture
def run_dir(tmp_path, trainer):
    """Checkpoints of steps 1 to 4, of which the newest two are kept."""
    state = trainer.create_state()
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step in range(1, 5):
            state, _ = trainer.train_steps(state, trainer.dataset.rows(np.arange(8)[None]))
            checkpoints.save(state)
            np.savez(tmp_path / f"{step}.npz", *map(np.array, jax.tree.leaves(state)))
    return tmp_path


def leaves(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def saved_leaves(run_dir, step=4):
    with np.load(run_dir / f"{step}.npz") as file:
        return [file[name] for name in file]


@pytest.mark.slow
def test_restored_to_the_bit_and_only_the_newest_kept(run_dir, trainer):
    with Checkpoints(run_dir) as checkpoints:
        assert checkpoints.steps() == [3, 4]
        state = checkpoints.restore(trainer.state_shape)
        # its arrays were donated while it was being written
        older = checkpoints.restore(trainer.state_shape, step=3)
    for restored, step in ((state, 4), (older, 3)):
        for got, want in zip(leaves(restored), saved_leaves(run_dir, step), strict=True):
            assert got.dtype == want.dtype and (got == want).all()


@pytest.mark.slow
def test_written_and_trained_on_by_other_numbers_of_devices(run_dir, trainer, tmp_path):
    """1 -> 8 -> 2 -> 8 -> 1 devices, a step on each: the same training as on one device."""
    with Checkpoints(run_dir) as checkpoints:
        expected = checkpoints.restore(trainer.state_shape)
    folder, step = run_dir, np.arange(8)[None]
    for count, parallelism in ((8, "pmap"), (2, "jit"), (8, "jit"), (1, "jit")):
        config = CONFIG.replace(parallelism=parallelism)
        on_count = (
            trainer if count == 1 else Trainer(config, jax.devices()[:count], Dataset.of(IMAGES))
        )
        with Checkpoints(folder) as checkpoints:
            state = checkpoints.restore(on_count.state_shape)
        assert all(len(leaf.sharding.device_set) == count for leaf in jax.tree.leaves(state))
        state, metrics = on_count.train_steps(state, trainer.dataset.rows(step))
        folder = tmp_path / str(count)
        with Checkpoints(folder, keep=1) as checkpoints:
            checkpoints.save(state)
        expected, expected_metrics = trainer.train_steps(expected, trainer.dataset.rows(step))
        np.testing.assert_allclose(metrics["d_loss"], expected_metrics["d_loss"], rtol=0, atol=1e-5)
    for got, want in zip(
        leaves(state.discriminator.batch_stats),
        leaves(expected.discriminator.batch_stats),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_an_interrupted_checkpoint_is_never_chosen(run_dir, trainer):
    folder = run_dir / "checkpoints"
    shutil.copytree(folder / "4", folder / "5.orbax-checkpoint-tmp-1")
    with Checkpoints(run_dir) as checkpoints:
        assert checkpoints.steps() == [3, 4]
    with Checkpoints(run_dir, keep=2) as checkpoints:
        assert int(checkpoints.restore(trainer.state_shape).step) == 4


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_too(run_dir, trainer, damage):
    files = [
        file for file in (run_dir / "checkpoints" / "4").rglob("d/*") if file.stat().st_size > 100
    ]
    for file in files:
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-50])
    with Checkpoints(run_dir) as checkpoints:
        with pytest.raises(UserError, match=r"checkpoints/4 can't be read.*to go on from step 3"):
            checkpoints.restore(trainer.state_shape)
        assert int(checkpoints.restore(trainer.state_shape, step=3).step) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax's readers
def test_a_flipped_bit_is_noticed_or_does_nothing(run_dir, trainer, tmp_path_factory):
    """Wherever it is in a checkpoint's files, which are as they were after each trial."""
    rng = np.random.default_rng(0)
    want, noticed = saved_leaves(run_dir), 0
    files = [file for file in (run_dir / "checkpoints" / "4").rglob("*") if file.is_file()]
    sizes = np.array([file.stat().st_size for file in files], float)
    for trial in range(30):
        file = (
            files[rng.choice(len(files), p=sizes / sizes.sum())]
            if trial % 2
            else files[trial % len(files)]
        )
        whole = file.read_bytes()
        broken = bytearray(whole)
        broken[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        file.write_bytes(broken)
        try:
            with Checkpoints(run_dir) as checkpoints:
                state = checkpoints.restore(trainer.state_shape)
        except UserError as error:
            assert "go on from step 3" in str(error) or "another network" in str(error)
            noticed += 1
        else:
            if int(state.step) == 4:
                for got, right in zip(leaves(state), want, strict=True):
                    assert (got == right).all(), file
        file.write_bytes(whole)
    gc.collect()  # what Orbax's readers left is not to be another test's
    assert noticed > 10


def test_what_is_saved_beside_a_state(run_dir, trainer):
    state, _ = trainer.train_steps(trainer.create_state(), trainer.dataset.rows(np.arange(8)[None]))
    with Checkpoints(run_dir / "other", keep=1) as checkpoints:
        checkpoints.save(state, fd=3.5)
    with Checkpoints(run_dir / "other") as checkpoints:
        assert checkpoints.facts(1) == {"fd": 3.5}
    with Checkpoints(run_dir) as checkpoints:
        assert checkpoints.facts(4) == {}


def test_a_checkpoint_without_digests_is_said_to_have_none(run_dir, trainer, capsys):
    (run_dir / "checkpoints" / "4" / "_CHECKPOINT_METADATA").unlink()
    with Checkpoints(run_dir) as checkpoints:
        assert int(checkpoints.restore(trainer.state_shape).step) == 4
    assert "has no digests" in capsys.readouterr().out


def damage(run_dir, *steps):
    for step in steps:
        for file in (run_dir / "checkpoints" / str(step)).rglob("d/*"):
            file.write_bytes(file.read_bytes()[:-50])


@pytest.mark.slow
def test_nothing_is_to_be_removed_unless_an_older_one_can_be_read(run_dir, trainer, tmp_path):
    damage(run_dir, 3, 4)
    with (
        Checkpoints(run_dir) as checkpoints,
        pytest.raises(UserError, match="checkpoints/4 can't be read") as raised,
    ):
        checkpoints.restore(trainer.state_shape)
    assert "go on from" not in str(raised.value)
    state, folder = trainer.create_state(), tmp_path / "other"
    with Checkpoints(folder, keep=3) as checkpoints:
        for _ in range(3):
            state, _ = trainer.train_steps(state, trainer.dataset.rows(np.arange(8)[None]))
            checkpoints.save(state)
    damage(folder, 2, 3)
    both = r"remove \S*checkpoints/2, \S*checkpoints/3 to go on from step 1,"
    with Checkpoints(folder) as checkpoints, pytest.raises(UserError, match=both):
        checkpoints.restore(trainer.state_shape)


@pytest.mark.parametrize("name", ["a[1]", "a[", "*", "a?b", "a\\b", "caf\udce9"])
def test_where_orbax_would_lose_them_none_are_written(tmp_path, name):
    with pytest.raises(UserError, match=r"can't take . in a path"):
        Checkpoints(tmp_path / name / "run", keep=1)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["a]b", "a b", "a%20b", "é", "{a}", "a$b", "a#b", "'", '"', "a,b", "a~b"]
)
def test_other_names_are_no_trouble(tmp_path, trainer, name):
    with Checkpoints(tmp_path / name, keep=1) as checkpoints:
        checkpoints.save(trainer.create_state())
    with Checkpoints(tmp_path / name) as checkpoints:
        assert int(checkpoints.restore(trainer.state_shape).step) == 0


@pytest.mark.parametrize("lost", [".", "default/d"])
@pytest.mark.parametrize("step", [0, 1])
def test_what_was_written_and_cannot_be_read_ends_the_run(
    tmp_path, trainer, monkeypatch, lost, step
):
    """At once if it is the first; else when the next is due, or at the end."""
    finished = ocp.CheckpointManager.wait_until_finished

    def lose(manager):
        finished(manager)
        shutil.rmtree(tmp_path / "checkpoints" / str(step) / lost, ignore_errors=True)

    monkeypatch.setattr(ocp.CheckpointManager, "wait_until_finished", lose)
    state, saved = trainer.create_state(), []
    said = f"checkpoints/{step} was written, and can't be read"
    with pytest.raises(UserError, match=said), Checkpoints(tmp_path, keep=3) as checkpoints:
        for _ in range(step + 1):
            checkpoints.save(state)
            saved.append(int(state.step))
            state, _ = trainer.train_steps(state, trainer.dataset.rows(np.arange(8)[None]))
    assert saved == [*range(2 * step)]


@pytest.mark.slow
def test_importing_it_changes_nothing():
    code = (
        "import logging, sys, flaxgan.runs.checkpoint; "
        "print(sys.unraisablehook is sys.__unraisablehook__, logging.getLogger('asyncio').level)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "True 0\n"


def test_one_that_is_removed_as_it_is_read_makes_way_for_the_newest_there_is(run_dir, monkeypatch):
    """As by a run that goes on training; the other way round in time, for the test: an older one is
    left.
    """
    restore = Checkpoints.restore

    def removed_meanwhile(self, *asked):
        shutil.rmtree(run_dir / "checkpoints" / "4", ignore_errors=True)
        return restore(self, *asked)

    monkeypatch.setattr(Checkpoints, "restore", removed_meanwhile)
    run = TrainedRun(run_dir, CONFIG, {}, None, 8)
    assert int(load(run, None, jax.devices()[0]).step) == 3
    with pytest.raises(UserError, match="has no checkpoint of step 4"):
        load(run, CheckpointName("step", 4), jax.devices()[0])


@pytest.mark.parametrize("fields", [{"features": 8}, {"image_size": (32, 32)}, {"latent_dim": 9}])
def test_a_checkpoint_of_another_network(run_dir, fields):
    shape = state_shape(Config.make(**CONFIG.to_dict() | fields))
    with Checkpoints(run_dir) as checkpoints, pytest.raises(UserError, match="another"):
        checkpoints.restore(shape)


def test_sampling_asks_for_the_same_generator_alone(run_dir):
    """A newer version's discriminator may have layers that a run's lacks."""
    one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    judged, wider = (
        Config.make(**CONFIG.to_dict() | fields) for fields in ({"d_norm": "none"}, {"features": 8})
    )
    with Checkpoints(run_dir) as checkpoints:
        got = checkpoints.restore(state_shape(judged, one), part=to_sample(judged))
        assert "kernel" in got.ema_params["Dense_0"] and got.discriminator is None
        with pytest.raises(UserError, match="another network"):
            checkpoints.restore(state_shape(wider, one), part=to_sample(wider))


def test_a_checkpoint_whose_layers_have_other_names(run_dir, trainer):
    params = dict(trainer.state_shape.generator.params)
    params["Dense_7"] = params.pop("Dense_0")
    shape = trainer.state_shape.replace(
        generator=trainer.state_shape.generator.replace(params=params)
    )
    with Checkpoints(run_dir) as checkpoints, pytest.raises(UserError, match="another network"):
        checkpoints.restore(shape)


def test_no_checkpoint_and_no_such_checkpoint(run_dir, trainer, tmp_path):
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    with (
        Checkpoints(tmp_path / "new") as checkpoints,
        pytest.raises(UserError, match="no checkpoint in"),
    ):
        checkpoints.restore(trainer.state_shape)
    with (
        Checkpoints(run_dir) as checkpoints,
        pytest.raises(UserError, match="of step 1 .*there are 3, 4"),
    ):
        checkpoints.restore(trainer.state_shape, step=1)


@pytest.fixture
def trained(run_dir):
    """Two steps an epoch; kept are the best, step 3, and the newest, step 4."""
    best = run_dir / "best_checkpoint"
    shutil.copytree(run_dir / "checkpoints", best)
    shutil.rmtree(best / "4")
    shutil.rmtree(run_dir / "checkpoints" / "3")
    return TrainedRun(run_dir, CONFIG, {}, None, 17)


@pytest.mark.parametrize(
    ("text", "step"), [("4", 4), ("step:4", 4), ("epoch:2", 4), ("best", 3), ("3", 3)]
)
def test_a_checkpoint_by_its_step_its_epoch_or_as_the_best(trained, text, step):
    assert int(load(trained, checkpoint_name(text), jax.devices()[0]).step) == step


@pytest.mark.parametrize("text", ["epoch:1", "2"])
def test_which_checkpoints_are_kept_is_said_by_step_and_epoch(trained, text):
    with pytest.raises(UserError) as error:
        load(trained, checkpoint_name(text), jax.devices()[0])
    assert (
        "no checkpoint of step 2 (epoch 1); kept: step 3 (within epoch 2), step 4 (epoch 2); the"
        " run's" in str(error.value)
    )


def test_of_many_kept_checkpoints_the_nearest_are_named(tmp_path):
    for step in range(100, 3000, 100):
        (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
    run = TrainedRun(tmp_path, CONFIG, {}, None, None)
    with pytest.raises(
        UserError, match="of step 1010; kept: step 700, .*step 1000, .*step 1400, …; the run's"
    ):
        load(run, CheckpointName("step", 1010), jax.devices()[0])
    with pytest.raises(UserError, match="name a step"):
        load(run, CheckpointName("epoch", 1), jax.devices()[0])


@pytest.mark.parametrize(
    "text", ["newest", "epoch", "epoch:", "epoch:-1", ":5", "epochs:5", "best:5", "1.5", ""]
)
def test_what_names_no_checkpoint(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is neither a step"):
        checkpoint_name(text)
