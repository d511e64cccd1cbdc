"""Training end to end (data, log, checkpoints, pictures, curves) beside the bare step: python -m benchmarks.loop [FLAGS]

FLAGS are those of flaxgan.main. A shared machine changes its speed within minutes, so the bare step is timed before, after and,
with the training's clock stopped, every now and then in between; the median of all counts.
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

BARE_DISPATCHES = 2
EVERY = 40  # dispatches of the training


class Timed(Compiled):
    """Notes how long training takes, and times the bare step in between."""

    last = None

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Timed.last = self
        self.bare, self.began, self.dispatches, self.steps = [], None, 0, 0
        self.spare = self.create_state()  # of the bare steps

    def time_bare(self, state) -> float:
        """Waits for `state`, the training's. -> seconds that this took, without that wait."""
        jax.block_until_ready(state)
        paused = time.perf_counter()
        indices = np.arange(self.batch_size)[None].repeat(self.most_steps, 0)
        for counts in (False, *(True,) * BARE_DISPATCHES):
            began = time.perf_counter()
            self.spare, _ = jax.block_until_ready(super().train_steps(self.spare, indices))
            if counts:
                self.bare.append((time.perf_counter() - began) / self.most_steps)
        return time.perf_counter() - paused

    def train_steps(self, state, indices):
        paused = self.time_bare(state) if self.dispatches % EVERY == 0 else 0
        self.began = time.perf_counter() if self.began is None else self.began + paused
        self.dispatches += 1
        self.steps += len(indices)
        return super().train_steps(state, indices)


def main() -> None:
    flags = sys.argv[1:] or ["--image-size", "64", "--epochs", "1"]
    flaxgan.train.Compiled = Timed
    with tempfile.TemporaryDirectory() as folder:
        run = seconds(lambda: train([*flags, "--run-dir", str(Path(folder) / "run")]))
    timed = Timed.last
    ended = time.perf_counter()
    timed.time_bare(None)
    whole = timed.batch_size * timed.steps / (ended - timed.began)
    speeds = [timed.batch_size / value for value in timed.bare]
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
