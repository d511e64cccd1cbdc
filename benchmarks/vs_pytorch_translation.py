"""The training steps of the methods that translate, beside PyTorch's, from the same weights: python
-m benchmarks.vs_pytorch_translation

Needs the extra `bench` (PyTorch). Each has a process of its own, and they take turns.
"""

import argparse
import functools
import statistics
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch

from benchmarks.pytorch_translation import TorchTrainer
from benchmarks.timing import ROUNDS, alternate, elsewhere, finish, once_elsewhere, spread
from flaxgan.config import Config
from flaxgan.data.dataset import Dataset
from flaxgan.methods import method_of
from flaxgan.system.devices import set_up_devices
from flaxgan.trainer import Trainer

TOLERANCE = 1e-4  # relative, of the losses of the first step
STEPS = {"pix2pix": 4, "cyclegan": 1, "cut": 1, "srgan": 1}  # in a call that is timed
METHODS: dict[str, dict[str, Any]] = {
    "pix2pix": {"source": "edges", "dropout": 0.0, "batch_size": 1},
    "cyclegan": {"target": "x", "batch_size": 1},
    "cut": {"target": "x", "batch_size": 1},
    "srgan": {"scale": 4, "batch_size": 16, "pixel_images": 2**40},
}


def config_of(method: str, size: int = 64, features: int = 64, **fields: Any) -> Config:
    """Return a configuration of a method without jitter, mirroring and averaged weights."""
    plain = {
        "image_size": (size, size),
        "channels": 3,
        "flip": False,
        "ema": 0,
        "jitter": 1.0,
        "features": features,
        "images": 2**40,
    }
    return Config.make(method=method, **plain | METHODS[method] | fields)


def random_batch(config: Config) -> Dataset:
    """Return random pictures, as many as a step takes."""
    rng, n, scale = np.random.default_rng(0), config.batch_size, getattr(config.options, "scale", 1)
    channels = 1 if getattr(config.options, "source", None) == "edges" else 3
    small = (n, *(side // scale for side in config.image_size), channels)
    source = rng.integers(0, 256, small, np.uint8)
    image = rng.integers(0, 256, (n, *config.image_size, 3), np.uint8)
    if config.options.DATA == "unpaired":
        return Dataset({"source": source}, second=Dataset({"image": image}))
    return Dataset({"image": image, "source": source})


def ours(config: Config) -> Callable[[], Any]:
    """Return what does some steps of flaxgan's."""
    dataset = random_batch(config)
    trainer = Trainer(config, set_up_devices("auto")[:1], dataset)
    state = trainer.create_state()
    row = np.arange(config.batch_size)[None]

    def run() -> Any:
        nonlocal state
        for _ in range(STEPS[config.method]):
            state, metrics = trainer.train_steps(state, dataset.rows(row, row))
        return metrics

    return run


def theirs(config: Config, channels_last: bool, mode: str | None) -> Callable[[], Any]:
    """Return what does some steps of PyTorch's."""
    trainer = TorchTrainer(config, method_of(config).create_state(config), channels_last, mode)
    arrays = random_batch(config).all_arrays
    batch = [trainer.put(arrays[name]) for name in ("source", "image")]

    def run() -> None:
        for _ in range(STEPS[config.method]):
            trainer.step(*batch)

    return run


def first_losses(config: Config) -> tuple[dict[str, float], dict[str, float]]:
    """Return the losses of the first step: flaxgan's, PyTorch's."""
    # cut's places are drawn at random: all of them are the same in both
    config = config.replace(patches=2**20) if config.method == "cut" else config
    dataset, state = random_batch(config), method_of(config).create_state(config)
    step = jax.jit(functools.partial(method_of(config).train_step, config=config))
    metrics = step(state, dataset.all_arrays)[1]
    trainer = TorchTrainer(config, state, False)
    losses = trainer.step(*(trainer.put(dataset.all_arrays[k]) for k in ("source", "image")))
    return {name: float(metrics[name]) for name in losses}, losses


def compare(config: Config, rounds: int, modes: list[str]) -> dict[str, Any]:
    """Return a row: the speed of both, and the ratio to PyTorch's best."""
    contenders = {"flaxgan": elsewhere(functools.partial(ours, config))}
    for channels_last in (False, True):
        for mode in (None, *modes):
            name = "channels_last" if channels_last else "NCHW"
            name += f", compiled ({mode})" if mode else ""
            try:
                contenders[name] = elsewhere(functools.partial(theirs, config, channels_last, mode))
            except RuntimeError as error:
                print(f"{name} does not run here: {error}", flush=True)
    if len(contenders) < 2:
        raise SystemExit("nothing to compare: PyTorch does not run here")
    times = alternate(contenders, rounds)
    own = times.pop("flaxgan")
    best = min(times, key=lambda name: statistics.median(times[name]))
    done = config.batch_size * STEPS[config.method]
    return {
        "method": config.method,
        "size": config.image_size[0],
        "width": config.options.features,
        "batch": config.batch_size,
        "flaxgan images/s": spread([done / value for value in own]),
        "PyTorch images/s": spread([done / value for value in times[best]]),
        "PyTorch's best": best,
        "ratio": spread([a / b for a, b in zip(times[best], own, strict=True)]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vs_pytorch_translation", description=__doc__
    )
    parser.add_argument("--methods", nargs="+", default=[*METHODS])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64])
    parser.add_argument("--features", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--batch-size", type=int, help="(default: as the papers)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--modes", nargs="*", default=[], help="of torch.compile (default: none)")
    args = parser.parse_args()
    rows = []
    for method in args.methods:
        for size in args.sizes:
            for features in args.features:
                config = config_of(method, size, features)
                if args.batch_size:
                    config = config.replace(batch_size=args.batch_size)
                pairs = once_elsewhere(first_losses, config)
                print(f"losses of the first step: {pairs[0]}, PyTorch {pairs[1]}", flush=True)
                if not all(
                    np.isclose(pairs[0][name], pairs[1][name], rtol=TOLERANCE) for name in pairs[1]
                ):
                    raise SystemExit("the two do not compute the same: their losses differ")
                rows.append(compare(config, args.rounds, args.modes))
                finish("vs_pytorch_translation", rows, torch=torch.__version__)


if __name__ == "__main__":
    main()
