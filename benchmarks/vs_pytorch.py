"""flaxgan's training step of a GAN beside PyTorch's, from the same weights: python -m
benchmarks.vs_pytorch

Needs the extra `bench` (PyTorch). Each has a process of its own, and they take turns. What is
compiled is compiled before, and reported apart.
"""

import argparse
import functools
import itertools
import os
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch

from benchmarks.pytorch_dcgan import NETWORKS, TorchTrainer
from benchmarks.timing import (
    ROUNDS,
    alternate,
    elsewhere,
    finish,
    once_elsewhere,
    random_images,
    spread,
    training_step,
)
from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.methods.gan import create_state
from flaxgan.rng import TRAINING, Rng, random_key
from flaxgan.system.devices import set_up_devices
from flaxgan.trainer import STEPS_PER_DISPATCH, Trainer

# relative; of the first step, whose g_loss already sees one update of the discriminator
TOLERANCE = 1e-4


def first_losses(
    config: Config, images: np.ndarray, steps: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(ours, PyTorch's): d_loss and g_loss of the first steps, from the same weights, pictures and
    z; (steps, 2) each.

    In full float32: by default both round what goes into a GPU's matrix products to TF32.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    with jax.default_matmul_precision("highest"):
        return _first_losses(config, images, steps)


def _first_losses(config: Config, images: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    trainer = Trainer(config, jax.devices()[:1], Dataset.of(images))
    state = trainer.create_state()
    torch_trainer = TorchTrainer(config, state)
    ours, theirs = [], []
    for step in range(steps):
        z = np.asarray(
            Rng(random_key(config.seed, TRAINING))
            .fold(step)
            .fold(0)
            .normal((config.batch_size, config.options.latent_dim))
        )
        state, metrics = trainer.train_steps(
            state, trainer.dataset.rows(np.arange(config.batch_size)[None])
        )
        ours.append([float(metrics[name][0]) for name in ("d_loss", "g_loss")])
        losses = torch_trainer.step(
            torch_trainer.put(images[: config.batch_size]), torch_trainer.put(z)
        )
        theirs.append([loss.item() for loss in losses])
    return np.array(ours), np.array(theirs)


def theirs(config: Config, steps: int, channels_last: bool, mode: str | None) -> Callable[[], Any]:
    """PyTorch, which waits for the device after the last of its steps; with the memory settings
    that help on the CPU, too.
    """
    set_up_devices("auto")
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as is JAX's default
    torch.backends.cudnn.allow_tf32 = True
    torch_trainer = TorchTrainer(
        config, create_state(config), channels_last, mode, config.dtype == "bfloat16"
    )
    images = torch_trainer.put(random_images(config))
    return lambda: torch_trainer.steps(steps, images)


def compare(
    config: Config, steps: int, rounds: int, modes: list[str], only: str
) -> list[dict[str, Any]]:
    """A row for each contender, with steps of one batch size and dtype."""
    builds = {"flaxgan": functools.partial(training_step, config)}
    for channels_last, mode in itertools.product((False, True), (None, *modes)):
        name = f"PyTorch {'channels_last' if channels_last else 'NCHW'}"
        name += f", compiled ({mode})" if mode else ""
        builds[name] = functools.partial(theirs, config, steps, channels_last, mode)
    contenders, built = {}, {}
    # one by one: each tries a GPU's convolutions, and chooses badly if another is at work
    for name, build in builds.items():
        if not re.search(only, name):
            continue
        began = time.perf_counter()
        try:
            contenders[name] = elsewhere(build)
        except RuntimeError as error:  # torch.compile does not work everywhere
            print(f"{name} does not run here: {error}", flush=True)
        built[name] = time.perf_counter() - began
    if "flaxgan" not in contenders or len(contenders) < 2:
        raise SystemExit(f"nothing to compare: of flaxgan and PyTorch there is {[*contenders]}")
    times = alternate(contenders, rounds)
    times = {name: [value / steps for value in values] for name, values in times.items()}
    rivals = [name for name in times if name != "flaxgan"]
    best = min(rivals, key=lambda name: statistics.median(times[name]))
    ratios = [theirs / own for theirs, own in zip(times[best], times["flaxgan"], strict=True)]
    notes = {"flaxgan": spread(ratios), best: "best"}
    return [
        {
            "batch": config.batch_size,
            "dtype": config.dtype,
            "step": name,
            "images/s": spread([config.batch_size / value for value in values]),
            "steps/s": f"{1 / statistics.median(values):.3g}",
            "ratio to PyTorch's best": notes.get(name, ""),
            "to start, build and compile (s)": f"{built[name]:.0f}",
        }
        for name, values in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vs_pytorch", description=__doc__)
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", help="(default: 64 128, and 512 on a GPU)"
    )
    parser.add_argument("--architecture", default="dcgan", choices=("dcgan", *NETWORKS))
    parser.add_argument("--r1", type=float, default=0.0, help="of resnet and style: in each step")
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--modes",
        nargs="*",
        help="of torch.compile (default: default, and reduce-overhead on a GPU)",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="REGEX",
        help="leave out contenders whose names don't match, as slower ones",
    )
    args = parser.parse_args()
    if args.r1 and args.architecture not in ("resnet", "style"):
        parser.error("--r1 is for architectures whose discriminator has no batch norm")

    # this process and those of all contenders share a GPU
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    platform = set_up_devices("auto")[0].platform
    batch_sizes = args.batch_sizes or ([64, 128] if platform == "cpu" else [64, 128, 512])
    config = Config.make(
        batch_size=min(batch_sizes),
        image_size=args.image_size,
        channels=3,
        flip=False,
        features=args.features,
        architecture=args.architecture,
        r1=args.r1,
        **({"style_mixing": 0.0} if args.architecture == "style" else {}),
    )
    flaxgan, pytorch = once_elsewhere(first_losses, config, random_images(config))
    print(
        f"d_loss and g_loss of the first step: flaxgan {flaxgan.tolist()}, PyTorch"
        f" {pytorch.tolist()}",
        flush=True,
    )
    if not np.allclose(flaxgan, pytorch, rtol=TOLERANCE, atol=0):
        raise SystemExit("the two do not compute the same: their losses differ")
    modes = (
        args.modes
        if args.modes is not None
        else ["default"]
        if platform == "cpu"
        else ["default", "reduce-overhead"]
    )
    steps, rows = 1 if platform == "cpu" else STEPS_PER_DISPATCH, []
    versions = {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}
    for batch_size, dtype in itertools.product(batch_sizes, args.precisions):
        sized = config.replace(batch_size=batch_size, dtype=dtype)
        rows += compare(sized, steps, args.rounds, modes, args.only)
        finish("vs_pytorch", rows, **versions)


if __name__ == "__main__":
    main()
