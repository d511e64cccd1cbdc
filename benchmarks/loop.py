"""Training end to end (data, log, checkpoints, pictures, curves) beside the bare step: python -m
benchmarks.loop [FLAGS]

FLAGS are those of flaxgan.main. A shared machine changes its speed within minutes, so the two take
turns, with the training's clock stopped while the bare step is timed: the share is that of the time
that as many bare steps would have taken at the pace measured just before and just after.
"""

import itertools
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

import flaxgan.training
from benchmarks.timing import finish, seconds, spread
from flaxgan.main import main as train
from flaxgan.trainer import Trainer

# seconds of each: beside them what it takes to fill an emptied queue of the device's is nothing
TURN = 4


class Timed(Trainer):
    """Notes how long training takes, and times the bare step in between."""

    last = None

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Timed.last = self
        self.began = None
        # of each turn: the training's steps; and before it, seconds of a bare one
        self.steps, self.bare = [], []
        self.spare = self.create_state()  # of the bare steps

    def time_bare(self, state) -> float:
        """Waits for `state`, the training's. -> seconds that this took, without that wait."""
        jax.block_until_ready(state)
        paused = time.perf_counter()
        running = self.bare_steps()
        jax.block_until_ready(running)  # the first finds the caches as the training left them
        began, dispatches = time.perf_counter(), 0
        running = self.bare_steps()
        while time.perf_counter() - began < TURN:
            waiting, running = running, self.bare_steps()  # one ahead, as in the training
            jax.block_until_ready(waiting)
            dispatches += 1
        self.bare.append((time.perf_counter() - began) / (dispatches * self.steps_per_dispatch))
        jax.block_until_ready(running)
        self.turn_ends = time.perf_counter() + TURN
        return time.perf_counter() - paused

    def bare_steps(self):
        indices = np.arange(self.images_per_step)[None].repeat(self.steps_per_dispatch, 0)
        self.spare, metrics = super().train_steps(self.spare, self.dataset.rows(indices))
        return metrics

    def train_steps(self, state, indices, stage=0):
        if self.began is None or time.perf_counter() > self.turn_ends:
            paused = self.time_bare(state)
            self.began = time.perf_counter() if self.began is None else self.began + paused
            self.steps.append(0)
        self.steps[-1] += len(indices["image"])
        return super().train_steps(state, indices, stage)

    def expected(self) -> float:
        """Seconds that the training's steps would have taken as bare ones."""
        return sum(
            steps * (before + after) / 2
            for steps, (before, after) in zip(
                self.steps, itertools.pairwise(self.bare), strict=True
            )
        )


def main() -> None:
    flags = sys.argv[1:] or ["--image-size", "64", "--epochs", "1"]
    flaxgan.training.Trainer = Timed
    with tempfile.TemporaryDirectory() as folder:
        run = seconds(lambda: train([*flags, "--run-dir", str(Path(folder) / "run")]))
    timed = Timed.last
    took = time.perf_counter() - timed.began
    timed.time_bare(None)
    steps = sum(timed.steps)
    row = {
        "flags": " ".join(flags),
        "steps": steps,
        "bare step (images/s)": spread([timed.images_per_step / pace for pace in timed.bare]),
        "training, all included (images/s)": f"{timed.images_per_step * steps / took:.3g}",
        "share": f"{timed.expected() / took:.3f}",
        "command (s)": f"{run:.1f}",
    }
    finish("loop", [row])


if __name__ == "__main__":
    main()
