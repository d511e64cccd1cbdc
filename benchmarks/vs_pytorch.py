"""flaxgan's training step beside PyTorch's, the same DCGAN from the same weights: python -m benchmarks.vs_pytorch

Needs the extra `bench` (PyTorch). They take turns within one process. What is compiled is compiled before, and reported apart.
"""

import argparse
import dataclasses
import functools
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch

from benchmarks.pytorch_dcgan import Trainer
from benchmarks.timing import ROUNDS, alternate, finish, spread, table
from flaxgan.config import Config
from flaxgan.parallel import Compiled, set_up_devices
from flaxgan.state import TRAINING, random_key

TOLERANCE = 1e-4  # relative; of the first step, whose g_loss already sees one update of the discriminator


def first_losses(config: Config, images: np.ndarray, steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(ours, PyTorch's): d_loss and g_loss of the first steps, from the same weights, pictures and z; (steps, 2) each.

    In full float32: by default both round what goes into a GPU's matrix products to TF32.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    with jax.default_matmul_precision("highest"):
        return _first_losses(config, images, steps)


def _first_losses(config: Config, images: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    compiled = Compiled(config, jax.devices()[:1], images)
    state = compiled.create_state()
    trainer = Trainer(config, state)
    ours, theirs = [], []
    for step in range(steps):
        z_key, _ = jax.random.split(jax.random.fold_in(random_key(config.seed, TRAINING), step))
        z = np.asarray(jax.random.normal(z_key, (config.batch_size, config.latent_dim)))
        state, metrics = compiled.train_steps(state, np.arange(config.batch_size)[None])
        ours.append([float(metrics[name][0]) for name in ("d_loss", "g_loss")])
        losses = trainer.step(trainer.put(images[: config.batch_size]), trainer.put(z))
        theirs.append([loss.item() for loss in losses])
    return np.array(ours), np.array(theirs)


class Ours:
    def __init__(self, config: Config, images: np.ndarray):
        self.compiled = Compiled(config, jax.devices()[:1], images)
        self.state = self.compiled.create_state()
        self.indices = np.arange(config.batch_size)[None].repeat(self.compiled.most_steps, 0)

    def step(self):
        self.state, metrics = self.compiled.train_steps(self.state, self.indices)
        return metrics


def compare(config: Config, rounds: int, modes: list[str], precisions: list[str]) -> list[dict]:
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as is JAX's default
    torch.backends.cudnn.allow_tf32 = True
    images = np.random.default_rng(0).integers(0, 256, (config.batch_size, *config.image_size, config.channels), np.uint8)
    contenders, built = {}, {}

    def add(name: str, build: Callable[[], Any], run: Callable[[Any], Any]) -> Any:
        began = time.perf_counter()
        contender = build()
        jax.block_until_ready(run(contender))
        contenders[name] = lambda: run(contender)
        built[name] = time.perf_counter() - began
        return contender

    for dtype in precisions:
        ours = add(f"flaxgan {dtype}", functools.partial(Ours, dataclasses.replace(config, dtype=dtype), images), Ours.step)
        num = ours.compiled.most_steps  # a call; as many in PyTorch, which waits for the device after the last of them, too
        for channels_last, mode in itertools.product((False, True), (None, *modes)):
            name = f"PyTorch {dtype} {'channels_last' if channels_last else 'NCHW'}" + (f", compiled ({mode})" if mode else "")
            build = functools.partial(Trainer, config, ours.state, channels_last, mode, dtype == "bfloat16")
            try:
                add(name, build, lambda trainer: trainer.steps(num, trainer.put(images)))  # noqa: B023  # same for all
            except Exception as error:  # torch.compile does not work everywhere
                print(f"{name} does not run here: {type(error).__name__}: {str(error)[:200]}", flush=True)

    times = alternate(contenders, rounds)
    times = {name: [value / num for value in values] for name, values in times.items()}
    rows = []
    for name, values in times.items():
        dtype = name.split()[1]
        rivals = [other for other in times if other.startswith(f"PyTorch {dtype}")]
        best = min(rivals, key=lambda other: statistics.median(times[other]))
        ratios = [theirs / own for theirs, own in zip(times[best], values, strict=True)]
        rows.append(
            {
                "batch": config.batch_size,
                "step": name,
                "images/s": spread([config.batch_size / value for value in values]),
                "steps/s": f"{1 / statistics.median(values):.3g}",
                "ratio to PyTorch's best": spread(ratios) if name.startswith("flaxgan") else "best" if name == best else "",
                "to build and compile (s)": f"{built[name]:.0f}",
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vs_pytorch", description=__doc__)
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="(default: 64 128, and 512 on a GPU)")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--modes", nargs="*", help="of torch.compile (default: default, and reduce-overhead on a GPU)")
    args = parser.parse_args()

    platform = set_up_devices("auto")[0].platform
    config = Config(image_size=64, channels=3, flip=False)
    images = np.random.default_rng(0).integers(0, 256, (config.batch_size, 64, 64, 3), np.uint8)
    ours, theirs = first_losses(config, images)
    print(f"d_loss and g_loss of the first step: flaxgan {ours.tolist()}, PyTorch {theirs.tolist()}", flush=True)
    if not np.allclose(ours, theirs, rtol=TOLERANCE, atol=0):
        raise SystemExit("the two do not compute the same: their losses differ")
    modes = args.modes if args.modes is not None else ["default"] if platform == "cpu" else ["default", "reduce-overhead"]
    rows = []
    for batch_size in args.batch_sizes or ([64, 128] if platform == "cpu" else [64, 128, 512]):
        new = compare(dataclasses.replace(config, batch_size=batch_size), args.rounds, modes, args.precisions)
        print(table(new), flush=True)
        rows += new
    finish("vs_pytorch", rows, torch=torch.__version__, torch_threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
