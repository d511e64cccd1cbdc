"""flaxgan's training step beside PyTorch's, the same DCGAN from the same weights: python -m benchmarks.vs_pytorch

Needs the extra `bench` (PyTorch). They take turns within one process. What is compiled is compiled before, and reported apart.
"""

import argparse
import dataclasses
import statistics
import time

import jax
import numpy as np
import torch

from benchmarks.pytorch_dcgan import Trainer
from benchmarks.timing import ROUNDS, alternate, finish, spread
from flaxgan.config import Config
from flaxgan.parallel import Compiled, set_up_devices
from flaxgan.state import TRAINING, random_key

TOLERANCE = 1e-4  # relative; of the first step, whose g_loss already sees one update of the discriminator


def first_losses(config: Config, images: np.ndarray, steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(ours, PyTorch's): d_loss and g_loss of the first steps, from the same weights, pictures and z; (steps, 2) each."""
    compiled = Compiled(config, jax.devices()[:1], images)
    state = compiled.create_state()
    trainer = Trainer(config, state)
    ours, theirs = [], []
    for step in range(steps):
        z_key, _ = jax.random.split(jax.random.fold_in(random_key(config.seed, TRAINING), step))
        z = np.asarray(jax.random.normal(z_key, (config.batch_size, config.latent_dim)))
        state, metrics = compiled.train_steps(state, np.arange(config.batch_size)[None])
        ours.append([float(metrics[name][0]) for name in ("d_loss", "g_loss")])
        theirs.append(trainer.step(images[: config.batch_size], z))
    return np.array(ours), np.array(theirs)


class Ours:
    def __init__(self, config: Config, images: np.ndarray):
        self.compiled = Compiled(config, jax.devices()[:1], images)
        self.state = self.compiled.create_state()
        self.indices = np.arange(config.batch_size)[None].repeat(self.compiled.most_steps, 0)

    def step(self):
        self.state, metrics = self.compiled.train_steps(self.state, self.indices)
        return metrics


def compare(config: Config, rounds: int, compile: bool, precisions: list[str]) -> list[dict]:
    images = np.random.default_rng(0).integers(0, 256, (config.batch_size, *config.image_size, config.channels), np.uint8)
    z = np.random.default_rng(1).normal(size=(config.batch_size, config.latent_dim)).astype(np.float32)
    contenders, built = {}, {}

    def add(name, build, run):
        began = time.perf_counter()
        contender = build()
        contenders[name] = lambda: run(contender)
        contenders[name]()
        built[name] = time.perf_counter() - began
        return contender

    per_call = {}
    for dtype in precisions:
        ours = add(f"flaxgan {dtype}", lambda dtype=dtype: Ours(dataclasses.replace(config, dtype=dtype), images), Ours.step)
        per_call[f"flaxgan {dtype}"] = ours.compiled.most_steps
        state = ours.state
        for channels_last in (False, True):
            for compiled in (False, True) if compile else (False,):
                layout = "channels_last" if channels_last else "NCHW"
                name = f"PyTorch {dtype} {layout}" + (" compiled" if compiled else "")
                build = lambda *options: Trainer(config, state, *options)  # noqa: B023, E731  # called at once
                options = (channels_last, compiled, dtype == "bfloat16")
                try:
                    add(name, lambda build=build, options=options: build(*options), lambda trainer: trainer.step(images, z))
                except Exception as error:  # torch.compile does not work everywhere
                    print(f"{name} does not run here: {type(error).__name__}: {str(error)[:200]}")
                    contenders.pop(name, None)

    times = alternate(contenders, rounds)
    times = {name: [value / per_call.get(name, 1) for value in values] for name, values in times.items()}
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
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="torch.compile, too")
    args = parser.parse_args()

    platform = set_up_devices("auto")[0].platform
    config = Config(image_size=64, channels=3, flip=False)
    images = np.random.default_rng(0).integers(0, 256, (config.batch_size, 64, 64, 3), np.uint8)
    ours, theirs = first_losses(config, images)
    print(f"d_loss and g_loss of the first step: flaxgan {ours.tolist()}, PyTorch {theirs.tolist()}", flush=True)
    if not np.allclose(ours, theirs, rtol=TOLERANCE, atol=0):
        raise SystemExit("the two do not compute the same: their losses differ")
    rows = []
    for batch_size in args.batch_sizes or ([64, 128] if platform == "cpu" else [64, 128, 512]):
        rows += compare(dataclasses.replace(config, batch_size=batch_size), args.rounds, args.compile, args.precisions)
        for row in rows[-12:]:
            print(row, flush=True)
    finish("vs_pytorch", rows, torch=torch.__version__, torch_threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
