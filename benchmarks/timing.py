"""Honest timing: contenders take turns, so that a busy machine slows all of them alike; medians,
and their spread.
"""

import datetime
import json
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax
import numpy as np

import flaxgan
from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.system.devices import set_up_devices
from flaxgan.trainer import Trainer

ROUNDS = 9  # at least 7
WARM_UP = 3
TURN = 1.0  # seconds


def seconds(run: Callable[[], Any]) -> float:
    """Return the seconds that one call takes, with all that it leaves to the device."""
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began


def random_images(config: Config) -> np.ndarray:
    """uint8 (batch_size, H, W, C)."""
    return np.random.default_rng(0).integers(
        0, 256, (config.batch_size, *config.image_size, config.channels), np.uint8
    )


def trainer_and_step(config: Config) -> tuple[Trainer, Callable[[], Any]]:
    """A call makes as many steps of flaxgan's as a dispatch does on this device, on random pictures
    (and classes).
    """
    images = random_images(config)
    classes = tuple(map(str, range(config.num_classes or 0)))
    dataset = Dataset.of(
        images, np.arange(len(images), dtype=np.int32) % max(1, len(classes)), classes
    )
    trainer = Trainer(config, set_up_devices(config.device)[:1], dataset)
    state = trainer.create_state()
    indices = np.arange(config.images_per_step)[None].repeat(trainer.steps_per_dispatch, 0) % len(
        images
    )

    def run() -> Any:
        nonlocal state
        state, metrics = trainer.train_steps(state, trainer.dataset.rows(indices))
        return metrics

    return trainer, run


def training_step(config: Config) -> Callable[[], Any]:
    return trainer_and_step(config)[1]


def once_elsewhere(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns, computed in a process of its own, which then ends: one that stays
    keeps its memory (see keep_freed_memory).
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, set_up_devices, ("auto",)) as pool:
        return pool.submit(function, *args).result()


def elsewhere(build: Callable[[], Callable[[], Any]]) -> Callable[[], None]:
    """The call that build() gives, in a process of its own: with memory and threads of its own, as
    when it trains by itself.

    It is built and called once before this returns. Raises RuntimeError with what was raised there.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_serve, args=(there, build), daemon=True).start()
    there.close()  # else nobody would learn here that the process is dead

    def run() -> None:
        try:
            here.send(None)
            error = here.recv()
        except (EOFError, OSError):
            error = "its process died"
        if error:
            raise RuntimeError(error)

    run()
    return run


def _serve(connection: Connection, build: Callable[[], Callable[[], Any]]) -> None:
    run = None
    while True:
        try:
            connection.recv()
        except EOFError:  # the benchmark has ended
            return
        try:
            run = run or build()
            jax.block_until_ready(run())
            connection.send(None)
        except Exception as error:
            connection.send(f"{type(error).__name__}: {str(error)[:200]}")


def alternate(
    contenders: dict[str, Callable[[], Any]], rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Seconds of a call, a mean in each turn, of as many calls as take TURN, at least one.

    Before the rounds WARM_UP calls aren't counted, which compile and take memory from the system,
    and in each turn one, which finds the caches and the threads as another contender left them:
    while training no step does. A lone short call may still find its threads on one core.
    """
    for run in contenders.values():
        for _ in range(WARM_UP):
            seconds(run)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds(run)
            turn = [seconds(run)]
            while sum(turn) < TURN:
                turn.append(seconds(run))
            times[name].append(statistics.mean(turn))
    return times


def spread(values: list[float], digits: int = 3) -> str:
    """'median (lowest to highest)'."""
    return (
        f"{statistics.median(values):.{digits}g} ({min(values):.{digits}g} to"
        f" {max(values):.{digits}g})"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([str(value) for value in row.values()] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def finish(name: str, rows: list[dict[str, Any]], output: Path | None = None, **more: Any) -> None:
    """Print the table, and write it to NAME.json (or `output`) with what it was measured on."""
    device = jax.devices()[0]
    about = {
        "device": f"{len(jax.devices())} {device.device_kind}",
        "host": f"{_processor()}, {len(jax.local_devices())} devices, {platform.platform()}",
        "date": datetime.date.today().isoformat(),
        "versions": (
            {
                "flaxgan": flaxgan.__version__,
                "jax": jax.__version__,
                "python": platform.python_version(),
            }
            | more
        ),
    }
    print(
        f"\n{table(rows)}\n\n{about['device']}; {about['host']}; {about['date']};"
        f" {about['versions']}"
    )
    path = output or Path(f"{name}.json")
    path.write_text(json.dumps({"benchmark": name, **about, "rows": rows}, indent=2) + "\n")
    print(f"written to {path}")
