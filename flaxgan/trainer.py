"""The training step, compiled for one or many devices and fed from the data."""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flaxgan.config import Config
from flaxgan.data.cache import expect_random_reads
from flaxgan.methods.gan import Metrics, train_step
from flaxgan.methods.state import GANState, create_state, with_axis
from flaxgan.system.errors import UserError

AXIS = "batch"
# On a GPU or TPU, where a step is shorter than the host takes to ask for it; a CPU does one, to stop promptly.
STEPS_PER_DISPATCH = 8
DISPATCHES_TIMED = 16
SHARE_FOR_IMAGES = 0.25  # of a device's memory
Data = dict[str, Any]  # arrays by name: "image" and, if there are classes, "label"
Step = Callable[..., tuple[GANState, Metrics]]  # of a state and a batch


def require_divisible(config: Config, devices: list[jax.Device]) -> None:
    """Raises UserError if the devices would get batches of different sizes."""
    if config.batch_size % (len(devices) * config.accumulate):
        parts = f" in {config.accumulate} parts (--accumulate)" if config.accumulate > 1 else ""
        raise UserError(f"--batch-size {config.batch_size} can't be split evenly among {len(devices)} devices{parts}")


def live_on_device(config: Config, devices: list[jax.Device], images: np.ndarray) -> bool:
    """Whether all pictures are to be kept in the memory of every device. See --data-home."""
    if config.data_home != "auto":
        return config.data_home == "device"
    stats = devices[0].memory_stats() if jax.process_count() == 1 else None  # None of a CPU, whose memory holds them anyway
    return bool(stats) and images.nbytes <= SHARE_FOR_IMAGES * stats.get("bytes_limit", 0)


def _scan(one_step: Step, state: GANState, data: Data, indices: Data | None) -> tuple[GANState, Metrics]:
    """A step on each data[indices[k]], or data[k] if these are the batches; metrics have a row each."""

    def body(state: GANState, own: Data) -> tuple[GANState, Metrics]:
        batch = own if indices is None else jax.tree.map(lambda x, i: x.at[i].get(mode="promise_in_bounds"), data, own)
        return one_step(state, batch)

    return lax.scan(body, state, data if indices is None else indices)


def _mapped(one_step: Step, state: GANState, batch: Data) -> tuple[GANState, Metrics]:
    """A step on a device's part of the batch, under pmap: the one place that knows its axis."""
    state, metrics = one_step(with_axis(state, AXIS), batch)
    return with_axis(state, None), metrics


class Trainer:
    """The state is replicated on all devices, batches are split among them, and batch norm sees the whole batch.

    `images`: uint8 (N, H, W, C), all pictures, usually memory-mapped; `labels`: int32 (N,), if conditional. Either they live on
    every device, and a step gathers its batch there, or each is gathered on the host and sent while the step before is computed.
    """

    def __init__(
        self,
        config: Config,
        devices: list[jax.Device],
        images: np.ndarray,
        labels: np.ndarray | None = None,
        steps_per_dispatch: int | None = None,
        total_steps: int = 1,
    ):
        mesh = Mesh(devices, (AXIS,))
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self.batch_sharding = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self.data: Data = {"image": images} | ({"label": labels} if config.options.conditional else {})
        self.images_per_step = config.images_per_step
        self.steps_per_dispatch = steps_per_dispatch or (1 if devices[0].platform == "cpu" else STEPS_PER_DISPATCH)
        # A program that runs once: most of what the CPU's compiler does for its speed would take longer than it saves.
        options = {"xla_backend_optimization_level": 1} if devices[0].platform == "cpu" else None
        self.create_state = jax.jit(
            functools.partial(create_state, config, total_steps), out_shardings=self.replicated, compiler_options=options
        )
        # Of this very function: programs compare the optimisers of their states, which are new each time they are made.
        self.state_shape: GANState = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated),
            jax.eval_shape(self.create_state),
        )
        self._any = jax.jit(jnp.any, out_shardings=self.replicated)
        self._resident = None
        if live_on_device(config, devices, images):
            self._resident = jax.device_put(self.data, self.replicated)
        else:
            expect_random_reads(images)

        one_step = functools.partial(train_step, config=config)
        if config.parallelism == "jit":
            self._batch_shape = (self.images_per_step,)
            steps = functools.partial(_scan, one_step)
            self._steps = jax.jit(steps, donate_argnums=0, out_shardings=self.replicated)
        else:
            self._batch_shape = (len(devices), self.images_per_step // len(devices))
            steps = functools.partial(_scan, functools.partial(_mapped, one_step))
            data_axis = 1 if self._resident is None else None
            self._steps = jax.pmap(steps, AXIS, in_axes=(None, data_axis, 1), out_axes=None, donate_argnums=0, devices=devices)
        self._programs: dict[int, jax.stages.Compiled] = {}

    def _feed(self, indices: np.ndarray) -> tuple[Data, Data | None]:
        """indices (count, images_per_step) -> what _scan takes besides the state. Each process reads its own rows only."""
        indices = indices.reshape(len(indices), *self._batch_shape)
        if self._resident is not None:
            own = jax.make_array_from_callback(indices.shape, self.batch_sharding, lambda rows: indices[rows].astype(np.int32))
            return self._resident, dict.fromkeys(self.data, own)

        def gathered(x: np.ndarray) -> Array:
            shape = (*indices.shape, *x.shape[1:])
            return jax.make_array_from_callback(shape, self.batch_sharding, lambda rows: x[indices[rows[: indices.ndim]]])

        return jax.tree.map(gathered, self.data), None

    def compile(self, *counts: int) -> None:
        """The programs of so many steps, instead of each when it is first called.

        One after the other: on a GPU XLA times candidates, in which programs compiled side by side block each other until they
        time out (openxla/xla pull request 42415), and the second finds what the first has chosen.
        """
        for count in dict.fromkeys(counts):
            self._program(count)

    def _program(self, count: int) -> jax.stages.Compiled:
        """`count` steps, which XLA is to know: else a GPU waits for the host after each, to learn whether it was the last."""
        if count not in self._programs:
            feed = self._feed(np.zeros((count, self.images_per_step), np.int64))
            self._programs[count] = self._steps.lower(self.state_shape, *feed).compile()
        return self._programs[count]

    def train_steps(self, state: GANState, indices: np.ndarray) -> tuple[GANState, Metrics]:
        """A step for each row of int64 indices (count, images_per_step), at most steps_per_dispatch -> the state, metrics (count,).

        Doesn't wait for the device. The state is donated: use the one returned.
        """
        if len(indices) == self.steps_per_dispatch:
            return self._program(self.steps_per_dispatch)(state, *self._feed(indices))
        rows = []
        for own in indices:  # before a checkpoint, one by one: a program for every count would be compiled for long
            state, metrics = self._program(1)(state, *self._feed(own[None]))
            rows.append(metrics)
        return state, jax.tree.map(lambda *values: jnp.concatenate(values), *rows)

    @property
    def program(self) -> jax.stages.Compiled:
        """Of `steps_per_dispatch` steps: for as_text(), cost_analysis() and memory_analysis()."""
        return self._program(self.steps_per_dispatch)

    def of_any_process(self, asked: Any) -> Any:
        """Whether `asked` holds in any process, the same answer in all, computed before the next step.

        Of several processes it is an array: its bool waits for the device.
        """
        if jax.process_count() == 1:
            return asked
        rows = NamedSharding(self.replicated.mesh, PartitionSpec(AXIS))
        flag = np.full(1, bool(asked))
        return self._any(jax.make_array_from_callback((rows.mesh.size,), rows, lambda _: flag))


def measured_speed(trainer: Trainer) -> float:
    """Return images per second, the median of a few steps on a state that is then thrown away. Waits for the device."""
    state = trainer.create_state()
    indices = np.zeros((trainer.steps_per_dispatch, trainer.images_per_step), np.int64)
    seconds = []
    for _ in range(DISPATCHES_TIMED):
        began = time.perf_counter()
        state, metrics = trainer.train_steps(state, indices)
        jax.block_until_ready(metrics)
        seconds.append(time.perf_counter() - began)
    return indices.size / statistics.median(seconds[1:])  # the first may compile
