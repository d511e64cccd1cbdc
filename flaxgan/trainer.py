"""The training step, compiled for one or many devices and fed from the data."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flaxgan.config import Config
from flaxgan.data.cache import expect_random_reads
from flaxgan.data.dataset import Dataset
from flaxgan.data.order import steps_per_epoch
from flaxgan.methods import frozen, method_of
from flaxgan.methods.state import with_axis, with_frozen
from flaxgan.methods.updates import Metrics
from flaxgan.models.growth import last_stage
from flaxgan.system.errors import UserError

AXIS = "batch"
# On a GPU or TPU, where a step is shorter than the host takes to ask for it; a CPU does one, to
# stop promptly.
STEPS_PER_DISPATCH = 8
SHARE_FOR_IMAGES = 0.25  # of a device's memory
State = Any  # of a method
Data = dict[str, Any]  # arrays by name: "image" and, if there are classes, "label"
Step = Callable[..., tuple[State, Metrics]]  # of a state and a batch


def require_divisible(config: Config, devices: list[jax.Device]) -> None:
    """Raise UserError if the devices would get batches of different sizes."""
    if config.batch_size % (len(devices) * config.accumulate):
        parts = f" in {config.accumulate} parts (--accumulate)" if config.accumulate > 1 else ""
        raise UserError(
            f"--batch-size {config.batch_size} can't be split evenly among {len(devices)}"
            f" devices{parts}"
        )


def live_on_device(config: Config, devices: list[jax.Device], *arrays: np.ndarray) -> bool:
    """Tell whether all images are to be kept in the memory of every device (--data-home)."""
    if config.data_home != "auto":
        return config.data_home == "device"
    # None for a CPU, whose memory holds them anyway
    stats = devices[0].memory_stats() if jax.process_count() == 1 else None
    limit = (stats or {}).get("bytes_limit", 0)
    return limit > 0 and sum(array.nbytes for array in arrays) <= SHARE_FOR_IMAGES * limit


def _scan(one_step: Step, state: State, data: Data, indices: Data | None) -> tuple[State, Metrics]:
    """Do a step on each data[indices[k]], or data[k] if these are the batches, in order.

    Metrics have a row for each step.
    """

    def body(state: State, row: Data) -> tuple[State, Metrics]:
        if indices is None:
            return one_step(state, row)
        batch = jax.tree.map(lambda x, i: x.at[i].get(mode="promise_in_bounds"), data, row)
        return one_step(state, batch)

    return lax.scan(body, state, data if indices is None else indices)


def _mapped(one_step: Step, state: State, batch: Data) -> tuple[State, Metrics]:
    """Do a step on a device's rows of the batch, under pmap: the one place that knows its axis."""
    state, metrics = one_step(with_axis(state, AXIS), batch)
    return with_axis(state, None), metrics


class Trainer:
    """Compile a method's step and run it on the devices.

    The state is replicated on all devices, batches are split among them, and batch norm sees the
    whole batch. The data set's arrays live on every device, and a step gathers its batch there, or
    each batch is gathered on the host and sent while the step before is computed (--data-home).
    """

    def __init__(
        self,
        config: Config,
        devices: list[jax.Device],
        dataset: Dataset,
        steps_per_dispatch: int | None = None,
        total_steps: int = 1,
    ):
        self.dataset, self.data = dataset, dataset.all_arrays
        self.config, self.devices, method = config, devices, method_of(config)
        mesh = Mesh(devices, (AXIS,))
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self.batch_sharding = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self.images_per_step, self.total_steps = config.images_per_step, total_steps
        on_cpu = devices[0].platform == "cpu"
        self.steps_per_dispatch = steps_per_dispatch or (1 if on_cpu else STEPS_PER_DISPATCH)
        # A program that runs once: most of what the CPU's compiler does for its speed would take
        # longer than it saves.
        options = {"xla_backend_optimization_level": 1} if on_cpu else None
        self._frozen = frozen(config)
        self._create = jax.jit(
            functools.partial(method.create_state, config, total_steps),
            out_shardings=self.replicated,
            compiler_options=options,
        )
        # Use the same function for eval_shape: the state's treedef holds optax closures, which
        # compare by identity.
        self.state_shape: State = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated),
            with_frozen(jax.eval_shape(self._create), self._frozen),
        )
        self._any = jax.jit(jnp.any, out_shardings=self.replicated)
        self._resident = None
        if live_on_device(config, devices, *self.data.values()):
            self._resident = jax.device_put(self.data, self.replicated)
        else:
            for array in self.data.values():
                expect_random_reads(array)

        # The collectives of a CPU's virtual devices wait in threads of one pool, and for ever if
        # later steps fill it.
        self._is_stuck_ahead = on_cpu and len(devices) > 1
        rows, mapped = self.images_per_step, config.parallelism == "pmap"
        self._batch_shape = (len(devices), rows // len(devices)) if mapped else (rows,)
        self._programs: dict[tuple[int, int], jax.stages.Compiled] = {}

    def create_state(self) -> State:
        """Return the state before the first step, on all devices."""
        return self.completed(self._create())

    def completed(self, state: State) -> State:
        """Return a state, new or from a checkpoint, with the method's frozen networks."""
        return with_frozen(state, jax.device_put(self._frozen, self.replicated))

    @property
    def per_epoch(self) -> int:
        """Return the steps of an epoch."""
        return steps_per_epoch(len(self.dataset), self.images_per_step)

    def _steps(self, stage: int) -> Any:
        """Return the jitted or mapped function of a stage: some steps, one after the other."""
        train_step = method_of(self.config).train_step
        one_step = functools.partial(train_step, config=self.config, stage=stage)
        if self.config.parallelism == "jit":
            steps = functools.partial(_scan, one_step)
            return jax.jit(steps, donate_argnums=0, out_shardings=self.replicated)
        steps = functools.partial(_scan, functools.partial(_mapped, one_step))
        data_axis = 1 if self._resident is None else None
        return jax.pmap(
            steps,
            AXIS,
            in_axes=(None, data_axis, 1),
            out_axes=None,
            donate_argnums=0,
            devices=self.devices,
        )

    def _feed(self, indices: dict[str, np.ndarray]) -> tuple[Data, Data | None]:
        """Return what _scan takes besides the state, for rows (count, images_per_step).

        Each process reads its own only.
        """

        def sharded(rows: np.ndarray) -> Array:
            rows = rows.reshape(len(rows), *self._batch_shape).astype(np.int32)
            return jax.make_array_from_callback(rows.shape, self.batch_sharding, rows.__getitem__)

        def gathered(x: np.ndarray, rows: np.ndarray) -> Array:
            rows = rows.reshape(len(rows), *self._batch_shape)
            shape = (*rows.shape, *x.shape[1:])

            def read(part: Any) -> np.ndarray:
                return x[rows[part[: rows.ndim]]]

            return jax.make_array_from_callback(shape, self.batch_sharding, read)

        if self._resident is not None:
            return self._resident, jax.tree.map(sharded, indices)
        return jax.tree.map(gathered, self.data, indices), None

    def stage(self, step: int) -> int:
        """Return the static number that train_step is told in a step (from 0): its stage, or 0."""
        return getattr(method_of(self.config), "stage", lambda *_: 0)(self.config, step)

    def compile(self, *counts: int, stage: int = 0) -> None:
        """Compile the programs of so many steps, instead of each when it is first called.

        One after the other: on a GPU XLA times candidates, in which programs compiled side by side
        block each other until they time out (openxla/xla pull request 42415), and the second finds
        what the first has chosen.
        """
        for count in dict.fromkeys(counts):
            self._program(count, stage)

    def _program(self, count: int, stage: int = 0) -> jax.stages.Compiled:
        """Return the program of `count` steps, compiled when it is first asked for.

        XLA is to know the count: else a GPU waits for the host after each step, to learn whether
        it was the last.
        """
        if (count, stage) not in self._programs:
            zeros = np.zeros((count, self.images_per_step), np.int64)
            feed = self._feed(self.dataset.rows(zeros, zeros))
            lowered = self._steps(stage).lower(self.state_shape, *feed)
            self._programs[count, stage] = lowered.compile()
        return self._programs[count, stage]

    def train_steps(
        self, state: State, indices: dict[str, np.ndarray], stage: int = 0
    ) -> tuple[State, Metrics]:
        """Do a step for each row of indices, int64 (count, images_per_step) for each array.

        Returns the state, and metrics (count,). Doesn't wait for the device. The state is donated:
        use the one returned. `count` is at most steps_per_dispatch.
        """
        if self._is_stuck_ahead:
            jax.block_until_ready(state)
        count = len(next(iter(indices.values())))
        if count == self.steps_per_dispatch:
            return self._program(count, stage)(state, *self._feed(indices))
        rows = []
        # before a checkpoint, one by one: a program for every count would be compiled for long
        for k in range(count):
            row = {name: x[k : k + 1] for name, x in indices.items()}
            state, metrics = self._program(1, stage)(state, *self._feed(row))
            rows.append(metrics)
        return state, jax.tree.map(lambda *values: jnp.concatenate(values), *rows)

    @property
    def program(self) -> jax.stages.Compiled:
        """Return the compiled program of `steps_per_dispatch` steps, for cost_analysis() say.

        Of a run that grows it is the last phase's.
        """
        return self._program(self.steps_per_dispatch, last_stage(self.config))

    def of_any_process(self, asked: Any) -> Any:
        """Tell all processes whether `asked` holds in any, computed before the next step.

        With several processes the answer is an array: its bool waits for the device.
        """
        if jax.process_count() == 1:
            return asked
        rows = NamedSharding(self.replicated.mesh, PartitionSpec(AXIS))
        flag = np.full(1, bool(asked))
        return self._any(jax.make_array_from_callback((rows.mesh.size,), rows, lambda _: flag))
