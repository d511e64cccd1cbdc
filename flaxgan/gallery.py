"""The pictures and curves of a run, drawn in the background: matplotlib takes a second, for which no device should wait."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from flaxgan.plots import grid, save_losses, save_picture, save_side_by_side
from flaxgan.run import Run
from flaxgan.sampling import sample, sampler, spread_classes
from flaxgan.state import GANState

NUM_PICTURES = 64  # in the grids of a run
SHARE_OF_TIME = 0.02  # at most, for the figures that each epoch replaces


class Gallery:
    def __init__(self, run: Run, reals: np.ndarray):
        """`reals`: uint8 (N, H, W, C), what it should look like; saved now."""
        self.run, self.reals = run, reals
        save_picture(run.folder / "real_images.png", grid(reals))
        self._folder = run.folder / "generated_images"
        self._folder.mkdir(exist_ok=True)
        self._pool = ThreadPoolExecutor(1)
        self._drawn: Future[None] | None = None
        self._next_figures = 0.0

    def add(self, state: GANState, rows: list[dict[str, Any]], epoch: int, step: int, last: bool) -> None:
        """After an epoch, or where the run stops within one. The state may be donated as soon as this returns."""
        if self._drawn:
            self._drawn.result()  # at most one is waiting; raises what drawing raised
        kept = jax.tree.map(
            jnp.copy, (state.generator, state.ema_params)
        )  # so that even compiling the sampler is left to the background
        self._drawn = self._pool.submit(self._draw, kept, list(rows), epoch, step, last)

    def _draw(self, kept: Any, rows: list[dict[str, Any]], epoch: int, step: int, last: bool) -> None:
        config = self.run.config
        labels = spread_classes(config.num_classes, NUM_PICTURES) if config.conditional else None
        generated = sample(sampler(*kept), config.seed, NUM_PICTURES, labels)
        save_picture(self._folder / f"epoch_{epoch:04d}.png", grid(generated))
        began = time.monotonic()
        if last or began >= self._next_figures:
            title = f"{self.run.source.name}, epoch {epoch}, step {step}"
            grids = {"real": self.reals, "generated": generated}
            save_side_by_side(self.run.folder / "real_vs_generated.png", grids, title)
            save_losses(self.run.folder / "losses.png", rows, title)
            now = time.monotonic()
            self._next_figures = now + (now - began) / SHARE_OF_TIME

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown()
        if self._drawn:
            self._drawn.result()
