"""What an ability costs: the training step with its flag beside the plain one, in turns: python -m
benchmarks.abilities [FLAGS]

FLAGS are those of flaxgan.main, and hold for all steps, over --image-size 64 --features 32
--batch-size 16. With --d-steps 2 a step sees twice as many pictures. A penalty brings layer norm
with it.
"""

import shlex
import sys

from benchmarks.timing import ROUNDS, alternate, finish, spread, training_step
from flaxgan.config import Config
from flaxgan.flags import Parser, add_flags
from flaxgan.system.errors import exit_on_user_error

SHARED = "--image-size 64 --features 32 --batch-size 16"
ABILITIES = [
    "--ema 0",
    "--dtype bfloat16",
    "--condition class",
    "--attention {half}",
    "--loss hinge",
    "--loss lsgan",
    "--loss wgan",
    "--loss relativistic",
    "--d-norm layer",
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
    "--augment translation --augment-target 0.8",
    "--d-steps 2",
    "--accumulate 2",
    "--architecture dense",
    "--architecture resnet",
]


def resolved(flags: list[str]) -> Config:
    parser = Parser(
        prog="python -m benchmarks.abilities",
        description="What each ability costs, over these flags.",
    )
    add_flags(parser, Config())
    config = Config.make(**{"channels": 3} | vars(parser.parse_args(flags)))
    return config.replace(num_classes=10 if config.condition == "class" else None)


def compare(shared: list[str]) -> list[dict]:
    config = resolved(shared)
    plain = training_step(config)
    rows = []
    for ability in ABILITIES:
        flags = ability.format(half=min(config.image_size) // 2)
        with_it = training_step(resolved([*shared, *shlex.split(flags)]))
        times = alternate({"plain": plain, "with it": with_it}, ROUNDS)
        ratios = [
            own / without for own, without in zip(times["with it"], times["plain"], strict=True)
        ]
        rows.append({"flags": flags, "times a plain step": spread(ratios)})
        print(*rows[-1].values(), flush=True)
        del with_it  # its memory, before the next is compiled
    return rows


def main() -> None:
    with exit_on_user_error():
        shared = [*SHARED.split(), *sys.argv[1:]]
        finish("abilities", compare(shared), flags=" ".join(shared))


if __name__ == "__main__":
    main()
