"""Speed and memory as the work grows: python -m benchmarks.scaling [batch] [image_size] [features]
[accumulate] [pictures]

Memory is what XLA plans for the step on one device: arguments, results and everything between. The
data sets of the last table are sparse memory-mapped files: what is measured is the order of the
data and the gathering, not a disk.
"""

import argparse
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks.timing import ROUNDS, alternate, finish, spread
from flaxgan.config import Config
from flaxgan.data import Dataset, batch_indices
from flaxgan.system.devices import set_up_devices
from flaxgan.trainer import Trainer

BASE = Config.make(image_size=64, channels=3, features=32, batch_size=32, flip=True)
SERIES = {
    "batch": [{"batch_size": n} for n in (16, 32, 64, 128)],
    "image_size": [
        {"image_size": (n, n), "batch_size": 16, "features": 16} for n in (32, 64, 128, 256)
    ],
    "features": [{"features": n} for n in (16, 32, 64)],
    "accumulate": [{"batch_size": 64, "accumulate": n} for n in (1, 2, 4, 8)],
    "pictures": [
        {"image_size": (32, 32), "features": 8, "num": n} for n in (10**4, 10**5, 10**6, 10**7)
    ],
}


def measure(fields: dict, rounds: int) -> dict:
    num = fields.get("num", 256)
    config = BASE.replace(**{name: value for name, value in fields.items() if name != "num"})
    with tempfile.TemporaryDirectory() as folder:
        shape = (num, *config.image_size, config.channels)
        np.lib.format.open_memmap(Path(folder) / "images.npy", "w+", np.uint8, shape)
        images = np.load(Path(folder) / "images.npy", mmap_mode="r")
        began = time.perf_counter()
        trainer = Trainer(config, jax.devices()[:1], Dataset.of(images))
        trainer.compile(trainer.steps_per_dispatch)
        compile_seconds = time.perf_counter() - began
        state, step, feed_seconds = trainer.create_state(), 0, []

        def run():
            nonlocal state, step
            began = time.perf_counter()
            steps = range(step, step + trainer.steps_per_dispatch)
            indices = np.stack([batch_indices(0, k, num, config.batch_size) for k in steps])
            feed_seconds.append((time.perf_counter() - began) / trainer.steps_per_dispatch)
            # into other epochs, too
            step += 7 * num // config.batch_size // 3 + trainer.steps_per_dispatch
            state, metrics = trainer.train_steps(state, trainer.dataset.rows(indices))
            return metrics

        times = [
            value / trainer.steps_per_dispatch for value in alternate({"step": run}, rounds)["step"]
        ]
    plan = trainer.program.memory_analysis()
    planned = (
        plan.argument_size_in_bytes
        + plan.output_size_in_bytes
        - plan.alias_size_in_bytes
        + plan.temp_size_in_bytes
    )
    return {
        **{name: value[0] if isinstance(value, tuple) else value for name, value in fields.items()},
        "images/s": spread([config.batch_size / value for value in times]),
        "ms a step": f"{np.median(times) * 1e3:.4g}",
        "ms to order a batch": spread([value * 1e3 for value in feed_seconds]),
        "memory (MB)": f"{planned / 1e6:.0f}",
        "compiling (s)": f"{compile_seconds:.0f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description="Speed and memory as the work grows."
    )
    parser.add_argument(
        "series", nargs="*", metavar="SERIES", help=f"some of {', '.join(SERIES)} (default: all)"
    )
    series = parser.parse_args().series or [*SERIES]
    if unknown := set(series) - set(SERIES):
        parser.error(f"there is no series {', '.join(unknown)}; there are {', '.join(SERIES)}")
    set_up_devices("auto")
    for name in series:
        finish(
            f"scaling_{name}",
            [
                measure(fields, 5 * ROUNDS if name == "pictures" else ROUNDS)
                for fields in SERIES[name]
            ],
        )


if __name__ == "__main__":
    main()
