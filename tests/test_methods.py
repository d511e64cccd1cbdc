"""A second method, made here: two generators that map images of two sets of different length to
each other.

The loop, trainer, checkpoints, log and snapshots know nothing of it.
"""

import dataclasses
import json
import types
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.data import Dataset, indices
from flaxgan.data.pixels import preprocess, to_uint8
from flaxgan.fields import WIDTH, option
from flaxgan.methods import METHODS
from flaxgan.methods.state import FrozenNetwork, Network, adam, create_network
from flaxgan.methods.updates import Metrics, Sometimes, accumulate_gradients
from flaxgan.models.batch_norm import BatchNorm
from flaxgan.options import OPTIONS
from flaxgan.rng import INITIALISING, TRAINING, Rng, random_key
from flaxgan.runs.checkpoint import Checkpoints
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import load_run
from tests.conftest import use_devices

SIZE = (16, 16, 3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    DATA: ClassVar[str] = "images"
    width: int = option(4, "of the hidden layer", rule=WIDTH, fixed=True)


class Mapper(nn.Module):
    width: int
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array, labels: None = None, *, train: bool) -> Array:
        x = nn.relu(
            BatchNorm(train, jnp.float32, self.axis)(nn.Dense(self.width, use_bias=False)(x))
        )
        return nn.tanh(nn.Dense(3)(x))


class TwoState(struct.PyTreeNode):
    step: Array
    seed: Array
    there: Network
    back: Network
    grey: FrozenNetwork | None = None  # what both keep of an image: neither optimised nor saved


class Grey(nn.Module):
    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.Dense(1, use_bias=False)(x)


def create_state(config: Config, total_steps: int = 1) -> TwoState:
    x = jnp.zeros((1, *SIZE))
    keys = jax.random.split(random_key(config.seed, INITIALISING))
    make = lambda key: create_network(  # noqa: E731
        Mapper(config.options.width), key, x, None, adam(config, config.learning_rate, total_steps)
    )
    return TwoState(jnp.zeros((), jnp.int32), jnp.uint32(config.seed), make(keys[0]), make(keys[1]))


def frozen(config: Config) -> dict[str, FrozenNetwork]:
    variables = Grey().init(jax.random.key(0), jnp.zeros((1, *SIZE)))
    return {"grey": FrozenNetwork(variables, Grey().apply)}


def train_step(
    state: TwoState, batch: dict[str, Array], *, config: Config, stage: int = 0
) -> tuple[TwoState, Metrics]:
    """Map there and back and keep the grey values; the cycle counts in stage 1 only, the metric of
    it on even steps.
    """
    rng = Rng(random_key(state.seed, TRAINING), state.there.module.axis).fold(state.step)
    batch = {name: preprocess(images) for name, images in batch.items()}

    def of(batch: dict[str, Array], rng: Rng) -> tuple:
        noise = 0.1 * rng.normal(batch["image"].shape)

        def loss_fn(params: tuple) -> tuple:
            there, back = (
                network.replace(params=p)
                for network, p in zip((state.there, state.back), params, strict=True)
            )
            fake, there_stats, _ = there.train_mode(batch["image"] + noise)
            again, back_stats, _ = back.train_mode(jnp.concatenate([fake, batch["other"]]))
            kept = (
                jnp.square(state.grey(fake) - state.grey(batch["image"])).mean()
                + 0.1 * jnp.square(fake - batch["other"]).mean()
            )
            cycle = jnp.square(again[: len(fake)] - batch["image"]).mean()
            return kept + stage * cycle, (
                there_stats,
                back_stats,
                {"kept_loss": kept, "cycle_loss": cycle},
            )

        grads, (there_stats, back_stats, metrics) = jax.grad(loss_fn, has_aux=True)(
            (state.there.params, state.back.params)
        )
        return grads, there_stats, back_stats, metrics

    grads, there_stats, back_stats, metrics = accumulate_gradients(
        of, batch, rng, config.accumulate, rng.axis
    )
    metrics["cycle_loss"] = Sometimes(
        jnp.where(state.step % 2 == 0, metrics["cycle_loss"], jnp.nan), state.step % 2 == 0
    )
    there, back = state.there.update(grads[0], there_stats), state.back.update(grads[1], back_stats)
    return state.replace(step=state.step + 1, there=there, back=back), metrics


def inputs(
    config: Config, class_counts: dict[str, int], seed: int, num: int, **asked: object
) -> dict[str, np.ndarray]:
    return {"source": np.random.default_rng(seed).integers(0, 256, (num, *SIZE), np.uint8)}


def sampler(state: TwoState, config: Config, class_counts: dict[str, int]):
    return lambda batch: np.asarray(
        to_uint8(jax.jit(state.there.eval_mode)(preprocess(batch["source"])))
    )


TWO = types.SimpleNamespace(
    Options=Options,
    create_state=create_state,
    train_step=train_step,
    inputs=inputs,
    sampler=sampler,
    stage=lambda config, step: int(step >= 7),
    frozen=frozen,
)
IMAGES, OTHERS = (
    np.random.default_rng(seed).integers(0, 256, (num, *SIZE), np.uint8)
    for seed, num in ((0, 40), (1, 25))
)
UNPAIRED = Dataset({"image": IMAGES}, sha256="a" * 64, second=Dataset({"other": OTHERS}))


@pytest.fixture(autouse=True)
def two(monkeypatch):
    monkeypatch.setitem(METHODS, "two", TWO)
    monkeypatch.setitem(OPTIONS, "two", Options)
    monkeypatch.setattr("flaxgan.training.prepare_data", lambda *_: UNPAIRED)


@pytest.fixture
def train_two(train, pictures, tmp_path):
    def call(name, *argv):
        plain = ("--preset", "plain", "--image-size", 16, "--batch-size", 8, "--log-every", 1)
        train("--method", "two", "--dataset", pictures, "--run-dir", tmp_path / name, *plain, *argv)
        return tmp_path / name

    return call


def leaves(run_dir, step=None):
    run = load_run(run_dir)
    state = load(run, None if step is None else CheckpointName("step", step), jax.devices()[0])
    return jax.tree.map(np.asarray, jax.tree.leaves(state))


def rows(run_dir):
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in row.items() if name not in ("images_per_second", "time")}
        for row in rows
    ]


@pytest.mark.slow
def test_it_trains_and_resumes_to_the_bit_through_its_stages(train_two):
    """Ten steps, the second stage from the eighth on; or four, and then the rest."""
    unbroken = train_two("unbroken", "--width", 5, "--max-steps", 10)
    assert json.loads((unbroken / "config.json").read_text())["width"] == 5
    broken = train_two("broken", "--width", 5, "--max-steps", 4)
    train_two("broken", "--max-steps", 10)
    assert all((a == b).all() for a, b in zip(leaves(unbroken), leaves(broken), strict=True))
    assert rows(unbroken) == rows(broken)
    assert [row["step"] for row in rows(unbroken) if "cycle_loss" in row] == [1, 3, 5, 7, 9]
    pictures = [
        (run / "generated_images" / "epoch_0002.png").read_bytes() for run in (unbroken, broken)
    ]
    assert pictures[0] == pictures[1] and (unbroken / "losses.png").exists()


@pytest.mark.slow
def test_a_frozen_network_is_not_in_its_checkpoints(train_two):
    run_dir = train_two("run", "--max-steps", 1)
    with Checkpoints(run_dir) as checkpoints:
        names = str(checkpoints._tree(1))
    assert (
        "there" in names and "Dense_1" in names and "grey" not in names.replace("'grey': None", "")
    )


@pytest.mark.slow
@pytest.mark.parametrize("parallelism", ["jit", "pmap"])
def test_eight_devices_agree_with_one(train_two, monkeypatch, parallelism):
    use_devices(monkeypatch, 8)
    eight = train_two("eight", "--max-steps", 3, "--parallelism", parallelism)
    assert json.loads((eight / "config.json").read_text())["method"] == "two"
    use_devices(monkeypatch, 1)
    one = train_two("one", "--max-steps", 3, "--data-home", "device")
    assert len(rows(eight)) == 3
    for got, want in zip(rows(eight), rows(one), strict=True):
        assert got.keys() == want.keys() and got == pytest.approx(want, abs=1e-5)


@pytest.mark.slow
def test_its_flags_are_its_own(train_two, refused, pictures, tmp_path):
    run_dir = train_two("run", "--max-steps", 1)
    assert "--width 6 (the run has --width 4)" in refused("--run-dir", run_dir, "--width", 6)
    assert "--loss" in refused("--method", "two", "--dataset", pictures, "--loss", "hinge")
    assert "--width" in refused("--dataset", pictures, "--width", 3)
    assert "srgan, two" in refused("--method", "three", "--dataset", pictures)


def test_each_set_has_an_order_of_its_own():
    seen = [indices(UNPAIRED, 0, step, 5) for step in range(8)]
    for name, size in (("image", 40), ("other", 25)):
        first_epoch = np.concatenate([rows[name] for rows in seen[: size // 5]])
        assert sorted(first_epoch) == list(range(size))
    paired = Dataset({"image": IMAGES, "source": IMAGES})
    assert (indices(paired, 0, 3, 5)["image"] == indices(paired, 0, 3, 5)["source"]).all()
