"""Training end to end (data, log, checkpoints, pictures, curves) beside the bare step: python -m benchmarks.loop [FLAGS]

FLAGS are those of flaxgan.main; the bare step runs before and after, and the median of all counts.
"""

import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

import flaxgan.train
from benchmarks.timing import finish, seconds, spread
from flaxgan.main import main as train
from flaxgan.parallel import Compiled

BARE_DISPATCHES = 9


class Timed(Compiled):
    """Notes when training began, and times the bare step before that."""

    last = None

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Timed.last = self
        self.bare, self.began, self.steps = self.time_bare(), None, 0

    def time_bare(self) -> list[float]:
        state = self.create_state()
        indices = np.arange(self.batch_size)[None].repeat(self.most_steps, 0)
        times = []
        for _ in range(BARE_DISPATCHES + 1):

            def run(state=state):
                return Compiled.train_steps(self, state, indices)

            began = time.perf_counter()
            state, _ = jax.block_until_ready(run())
            times.append((time.perf_counter() - began) / self.most_steps)
        return times[1:]

    def train_steps(self, state, indices):
        self.began = self.began or time.perf_counter()
        self.steps += len(indices)
        return super().train_steps(state, indices)


def main() -> None:
    flags = sys.argv[1:] or ["--image-size", "64", "--epochs", "1"]
    flaxgan.train.Compiled = Timed
    with tempfile.TemporaryDirectory() as folder:
        run = seconds(lambda: train([*flags, "--run-dir", str(Path(folder) / "run")]))
    timed = Timed.last
    ended = time.perf_counter()
    bare = timed.bare + timed.time_bare()
    whole = timed.batch_size * timed.steps / (ended - timed.began)
    speeds = [timed.batch_size / value for value in bare]
    row = {
        "flags": " ".join(flags),
        "steps": timed.steps,
        "bare step (images/s)": spread(speeds),
        "training, all included (images/s)": f"{whole:.3g}",
        "share": f"{whole / float(np.median(speeds)):.3f}",
        "command (s)": f"{run:.1f}",
    }
    finish("loop", [row])


if __name__ == "__main__":
    main()
