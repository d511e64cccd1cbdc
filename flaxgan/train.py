"""The training loop: the one place that knows about files, clocks and progress bars."""

import contextlib
import math
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

from flaxgan.checkpoint import Checkpoints
from flaxgan.config import Config
from flaxgan.data import ImageDataset, batch_indices, prepare, steps_per_epoch
from flaxgan.errors import UserError
from flaxgan.files import locked
from flaxgan.parallel import Compiled, require_divisible, set_up_devices
from flaxgan.plots import grid, save_losses, save_picture, save_side_by_side
from flaxgan.run import MetricsLog, Run
from flaxgan.sampling import sample
from flaxgan.selection import Selection
from flaxgan.state import NETWORKS, GANState, create_state
from flaxgan.steps import Metrics

NUM_PICTURES = 64  # in the grids of a run
SECONDS_BETWEEN_LINES = 20  # of progress, where there is no terminal for a bar


class Interrupt:
    """Whether Ctrl-C or SIGTERM came. The first ends the run after the current step; a second Ctrl-C ends it at once."""

    name = ""  # of the signal that came

    def __bool__(self) -> bool:
        return bool(self.name)

    def _handle(self, number: int, _frame: Any) -> None:
        self.name = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)

    @classmethod
    @contextlib.contextmanager
    def watch(cls) -> Iterator["Interrupt"]:
        interrupt = cls()
        before = {number: signal.signal(number, interrupt._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield interrupt
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Reporter:
    """Takes in every step's metrics as they come from the device, and reports them: log, progress, divergence."""

    def __init__(self, config: Config, log: MetricsLog, bar: tqdm, step: int, per_epoch: int):
        self.config, self.log, self.bar, self.per_epoch = config, log, bar, per_epoch
        self.step = self.logged = step
        self.waiting: list[Metrics] = []
        self.clock = self.printed = time.monotonic()

    def take(self, metrics: Metrics) -> None:
        self.step += 1
        self.waiting.append(metrics)
        if len(self.waiting) > 1:
            jax.block_until_ready(self.waiting[-2])  # one step in flight keeps the device busy, and Ctrl-C prompt
        self.bar.update()
        if self.step == 1 or self.step % self.config.log_every == 0:
            self._log(self.check())

    def restart_clock(self) -> None:
        """Leave what was done between two steps out of images_per_second."""
        self.clock, self.logged = time.monotonic(), self.step

    def check(self) -> dict[str, float]:
        """The last step's metrics. Waits for the device. Raises UserError if a step has since lost its numbers."""
        first = self.step - len(self.waiting) + 1
        rows = [{name: float(value) for name, value in row.items()} for row in jax.device_get(self.waiting)]
        self.waiting = []
        for step, row in enumerate(rows, first):
            if not all(map(math.isfinite, row.values())):
                raise diverged(step)
        return rows[-1] if rows else {}

    def _log(self, metrics: dict[str, float]) -> None:
        now = time.monotonic()
        speed = (self.step - self.logged) * self.config.batch_size / (now - self.clock)
        self.clock, self.logged = now, self.step
        epoch = -(-self.step // self.per_epoch)
        counts = {"step": self.step, "epoch": epoch, "images_seen": self.step * self.config.batch_size}
        self.log.append(counts | metrics | {"images_per_second": round(speed, 2)})

        where = f"epoch {epoch}/{-(-self.bar.total // self.per_epoch)}"
        numbers = f"d_loss {metrics['d_loss']:.3f}  g_loss {metrics['g_loss']:.3f}  {speed:.1f} images/s"
        self.bar.set_description(where, refresh=False)
        self.bar.set_postfix_str(numbers)
        if self.bar.disable and (self.step == self.bar.total or now - self.printed >= SECONDS_BETWEEN_LINES):
            print(f"{where}  step {self.step}/{self.bar.total}  {numbers}", flush=True)
            self.printed = now


def diverged(step: int) -> UserError:
    return UserError(
        f"the training diverged: at step {step} the losses or weights are no longer numbers. The last checkpoint, if there is one, "
        "is kept; try a lower --learning-rate (--d-learning-rate, --g-learning-rate), or a larger --batch-size in a new run"
    )


@jax.jit
def _all_finite(params: Any) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()


def save(checkpoints: Checkpoints, state: GANState) -> None:
    """Save, unless the weights are lost, so that the last checkpoint is always a good one. Waits for the device."""
    if not _all_finite((state.generator.params, state.discriminator.params)):
        raise diverged(int(state.step))
    checkpoints.save(state)


def draw(run: Run, rows: list[dict[str, Any]], state: GANState, reals: np.ndarray, epoch: int) -> None:
    """The run's pictures after an epoch, or where it stopped within one. Waits for the device."""
    fakes = sample(state.generator, run.config.seed, NUM_PICTURES)
    pictures = run.folder / "generated_images"
    pictures.mkdir(exist_ok=True)
    save_picture(pictures / f"epoch_{epoch:04d}.png", grid(fakes))
    title = f"{run.source.name}, epoch {epoch}, step {int(state.step)}"
    save_side_by_side(run.folder / "real_vs_generated.png", {"real": reals, "generated": fakes}, title)
    save_losses(run.folder / "losses.png", rows, title)


def describe(config: Config, dataset: ImageDataset, devices: list[jax.Device]) -> str:
    """Two lines on what is trained, for the person who started it."""
    shape = jax.eval_shape(lambda: create_state(config))
    sizes = {name: sum(leaf.size for leaf in jax.tree.leaves(getattr(shape, name).params)) for name in NETWORKS}
    height, width = config.image_size
    classes = f", {len(dataset.class_names)} classes" if dataset.class_names else ""
    return (
        f"{config.dataset}: {len(dataset.images)} pictures, {height}x{width}x{config.channels}{classes}\n"
        + ", ".join(f"{name} {size:,} parameters" for name, size in sizes.items())
        + f", on {len(devices)} {devices[0].device_kind}"
    )


def train(run: Run) -> None:
    """Train to the end, or until interrupted, from the run's newest checkpoint if it has one.

    Raises UserError if the data are too few, the folder can't be written, or a loss is no longer a number.
    """
    config = run.config
    devices = set_up_devices(config.device)
    require_divisible(config.batch_size, devices)
    dataset = prepare(run.source, config.image_size, config.channels)
    images, size = dataset.images, len(dataset.images)
    per_epoch = steps_per_epoch(size, config.batch_size)
    total = min(config.epochs * per_epoch, config.max_steps or sys.maxsize)
    if not run.resumed:
        run.write_config(dataset, 0)

    with locked(run.folder), Interrupt.watch() as interrupt, Checkpoints(run.folder, config.keep_checkpoints) as checkpoints:
        done = max(checkpoints.steps(), default=0)
        if done >= total:
            print(f"{run.folder} is finished: {done} of {total} steps done; for more, raise --epochs or --max-steps")
            return
        print(f"{describe(config, dataset, devices)}\n{run.folder}: steps {done + 1} to {total}; compiling ...", flush=True)
        compiled = Compiled(config, devices)
        state = checkpoints.restore(compiled.state_shape) if done else compiled.create_state()
        if run.resumed:
            run.write_config(dataset, done)
        reals = np.asarray(images[batch_indices(config.seed, 0, size, min(size, NUM_PICTURES))])
        save_picture(run.folder / "real_images.png", grid(reals))

        bar = tqdm(initial=done, total=total, unit="step", disable=None, dynamic_ncols=True)
        with MetricsLog(run.folder / "metrics.jsonl", done) as log, bar, contextlib.ExitStack() as stack:
            reporter = Reporter(config, log, bar, done, per_epoch)
            selection = stack.enter_context(Selection(run, dataset, devices, log, done)) if config.evaluate_every else None

            def evaluate() -> None:
                """If that is due after this step, and not done yet: a run may have been stopped while it was."""
                if selection and done and (done == total or done % (per_epoch * config.evaluate_every) == 0):
                    selection(state, -(-done // per_epoch))
                    reporter.restart_clock()

            evaluate()
            stopping = False
            while not stopping:
                batch = images[batch_indices(config.seed, done, size, config.batch_size)]
                state, metrics = compiled.train_step(state, batch)
                done += 1
                reporter.take(metrics)
                stopping = done == total or interrupt
                if stopping or done % (per_epoch * config.checkpoint_every) == 0:
                    reporter.check()
                    save(checkpoints, state)  # in the background, while the state is evaluated and the pictures are drawn
                evaluate()
                if stopping or done % per_epoch == 0:
                    reporter.check()
                    draw(run, log.rows, state, reals, -(-done // per_epoch))

    if interrupt:
        print(f"stopped by {interrupt.name} after step {done} of {total}, all saved; to resume:")
        print(f"python -m flaxgan.main --run-dir {shlex.quote(str(run.folder))}")
    else:
        print(f"finished {done} steps; to sample: python -m flaxgan.sample {shlex.quote(str(run.folder))}")
