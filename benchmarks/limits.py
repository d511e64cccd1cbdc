"""How near the training step is to what the device can do, and where its time goes: python -m
benchmarks.limits

The 64x64 DCGAN, width 64. Limits are measured: a large matrix product, and a large array read and
written. The step's operations are counted by XLA in the program that the CPU would run for a GPU's
convolutions, since on a GPU it leaves out cuDNN's; its bytes in the device's own program, those of
every kernel's arguments and results. The profile is of a GPU only.
"""

import argparse
import collections
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.timing import alternate, finish, random_images, spread, trainer_and_step
from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.system.devices import set_up_devices
from flaxgan.trainer import Trainer

CALLS = 5  # between two waits for the device
KERNELS = {  # by name, the first that fits
    "convolutions": "fprop|dgrad|wgrad|cudnn|cask",
    "products": "gemm|cublas|cutlass|nvjet",
    "reductions": "reduce",
    "moves": "concatenate|transpose|pad|slice|copy|memcpy|memset|reverse|gather",
    "elementwise": "",
}


def times(run: Callable[[], Any]) -> list[float]:
    """Seconds a call."""
    return [
        value / CALLS
        for value in alternate({"calls": lambda: [run() for _ in range(CALLS)][-1]})["calls"]
    ]


def most_operations(dtype: str, size: int) -> float:
    """A second, in a matrix product, as the layers round it (TF32 on a GPU that has it, for
    float32).
    """
    a = jax.random.normal(jax.random.key(0), (size, size), dtype)
    product = jax.jit(jnp.matmul)
    return 2 * size**3 / statistics.median(times(lambda: product(a, a)))


def most_bytes(size: int) -> float:
    """A second, read and written."""
    x = jnp.ones(size, jnp.float32)
    plus_one = jax.jit(lambda x: x + 1)
    return 2 * x.nbytes / statistics.median(times(lambda: plus_one(x)))


def profile(run: Callable[[], Any]) -> dict[str, float]:
    """Shares of the time from the first kernel to the last; empty where there is no GPU."""
    spent, ends = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready([run() for _ in range(CALLS)])
        (path,) = Path(folder).rglob("*.xplane.pb")
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            for line in plane.lines if "GPU" in plane.name else ():
                for event in line.events if line.name.startswith("Stream") else ():
                    kind = next(
                        kind
                        for kind, names in KERNELS.items()
                        if re.search(names, event.name, re.IGNORECASE)
                    )
                    spent[kind] += event.duration_ns
                    ends += [event.start_ns, event.start_ns + event.duration_ns]
    span = max(ends, default=0) - min(ends, default=0)
    shares = {kind: spent[kind] / span for kind in KERNELS} if span else {}
    return shares | {"waiting": 1 - sum(shares.values())} if shares else {}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.limits",
        description="How near the training step is to what the device can do.",
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    args = parser.parse_args()

    on_gpu = set_up_devices("auto")[0].platform == "gpu"
    bandwidth = most_bytes(2**29 if on_gpu else 2**26)
    rows, profiles = [], []
    for dtype in args.precisions:
        limit = most_operations(dtype, 8192 if on_gpu else 2048)
        for batch_size in args.batch_sizes:
            config = Config.make(
                image_size=64, channels=3, flip=False, batch_size=batch_size, dtype=dtype
            )
            trainer, run = trainer_and_step(config)
            measured = [value / trainer.steps_per_dispatch for value in times(run)]
            plain = config.replace(dtype="float32")  # the CPU would count its conversions, too
            operations = Trainer(
                plain, jax.devices("cpu")[:1], Dataset.of(random_images(plain))
            ).program.cost_analysis()["flops"]
            took, moved = (
                statistics.median(measured),
                trainer.program.cost_analysis()["bytes accessed"],
            )
            rows.append(
                {
                    "precision": dtype,
                    "batch": batch_size,
                    "ms a step": spread([value * 1e3 for value in measured]),
                    "images/s": f"{batch_size / took:.3g}",
                    "TFLOP a step": f"{operations / 1e12:.3g}",
                    "TFLOP/s": f"{operations / took / 1e12:.3g}",
                    "of a product's": f"{operations / took / limit:.2f} of {limit / 1e12:.3g}",
                    "GB a step": f"{moved / 1e9:.3g}",
                    "TB/s": f"{moved / took / 1e12:.3g}",
                    "of the memory's": f"{moved / took / bandwidth:.2f} of {bandwidth / 1e12:.3g}",
                }
            )
            if shares := profile(run):
                shown = {kind: f"{share:.3f}" for kind, share in shares.items()}
                profiles.append({"precision": dtype, "batch": batch_size, **shown})
            del trainer, run
    finish("limits", rows)
    if profiles:
        finish("limits_profile", profiles)


if __name__ == "__main__":
    main()
