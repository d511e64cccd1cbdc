"""Try faults of each kind, and count those that held: python -m tests.faults --trials 100"""

import argparse
import csv
import os
import tempfile
import traceback
from pathlib import Path

import numpy as np


def main() -> None:
    os.environ["JAX_PLATFORMS"] = "cpu"
    from tests.faults.house import build
    from tests.faults.kinds import KINDS

    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="of each kind")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--output", type=Path, help="a .csv for the counts")
    args = parser.parse_args()
    counts = [("kind", "what_holds", "tried", "held")]
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["FLAXGAN_CACHE"] = str(Path(temporary, "cache"))
        house = build(Path(temporary))
        for name in args.kinds:
            held = 0
            for trial in range(args.seed, args.seed + args.trials):
                folder = Path(tempfile.mkdtemp(dir=temporary))
                try:
                    KINDS[name](np.random.default_rng(trial), house, folder)
                    held += 1
                except Exception:
                    print(f"{name}, trial {trial}, did not hold:", flush=True)
                    traceback.print_exc()
            holds = (KINDS[name].__doc__ or "").strip()
            counts.append((name, holds, str(args.trials), str(held)))
            print(f"{name}: {held} of {args.trials} held", flush=True)
    if args.output:
        with args.output.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(counts)


if __name__ == "__main__":
    main()
