"""What an ability costs: the training step with its flag beside the plain one, in turns: python -m benchmarks.abilities [FLAGS]

FLAGS are those of flaxgan.main, and hold for all steps, over --image-size 64 --features 32 --batch-size 16.
"""

import dataclasses
import shlex
import statistics
import sys

from benchmarks.timing import ROUNDS, alternate, finish, spread, training_step
from flaxgan.config import Config, Parser, add_flags

ABILITIES = [
    "--ema 0",
    "--dtype bfloat16",
    "--conditional",
    "--attention {half}",
    "--loss hinge",
    "--loss relativistic",
    "--r1 1",
    "--gradient-penalty 10",
    "--spectral-norm",
    "--label-smoothing 0.1",
    "--instance-noise 0.1",
    "--feature-matching 1",
    "--dropout 0.3",
    "--augment color",
    "--augment translation",
    "--augment cutout",
    "--d-steps 2",
    "--accumulate 2",
    "--architecture dense",
    "--architecture resnet",
]


def resolved(flags: list[str]) -> Config:
    parser = Parser(prog="python -m benchmarks.abilities")
    add_flags(parser, Config())
    config = Config(**{"channels": 3} | vars(parser.parse_args(flags)))
    return dataclasses.replace(config, num_classes=10 if config.conditional else None)


def main() -> None:
    shared = ["--image-size", "64", "--features", "32", "--batch-size", "16", *sys.argv[1:]]
    config = resolved(shared)
    plain = training_step(config)
    rows = []
    for ability in ABILITIES:
        flags = ability.format(half=min(config.image_size) // 2)
        own = training_step(resolved([*shared, *shlex.split(flags)]))
        times = alternate({"plain": plain, "own": own}, ROUNDS)
        ratios = [with_it / without for with_it, without in zip(times["own"], times["plain"], strict=True)]
        rows.append(
            {
                "flags": flags,
                "plain step (ms)": f"{statistics.median(times['plain']) * 1e3:.4g}",
                "with the flags (ms)": f"{statistics.median(times['own']) * 1e3:.4g}",
                "ratio": spread(ratios),
            }
        )
        print(rows[-1], flush=True)
    finish("abilities", rows, flags=" ".join(shared))


if __name__ == "__main__":
    main()
