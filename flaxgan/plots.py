"""Pictures of a run: grids, real beside generated, and curves. Each file is replaced whole."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from flaxgan.files import replacing

GAP = 2  # pixels between the pictures of a grid


def grid(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> one picture (rows * (H + GAP) + GAP, ..., C) on white; as square as it gets."""
    n, h, w, c = images.shape
    columns = min(n, math.ceil(math.sqrt(n * h / w)))
    rows = -(-n // columns)
    sheet = np.full((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = (GAP + (i // columns) * (h + GAP), GAP + (i % columns) * (w + GAP))
        sheet[y : y + h, x : x + w] = image
    return sheet


def save_picture(path: Path, pixels: np.ndarray) -> None:
    """uint8 (H, W, 1 or 3) -> PNG."""
    with replacing(path) as temporary:
        Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(temporary, "PNG")


def _save_figure(path: Path, figure: Figure) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def save_real_vs_generated(path: Path, real: np.ndarray, generated: np.ndarray, title: str) -> None:
    """Two grids of as many pictures, side by side at the same scale."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    figure.suptitle(title)
    for axes, images, name in zip(figure.subplots(1, 2), (real, generated), ("real", "generated"), strict=True):
        axes.imshow(grid(images).squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(name)
        axes.axis("off")
    _save_figure(path, figure)


def _smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over a centred window, shorter at the ends."""
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def save_losses(path: Path, rows: Sequence[dict[str, Any]], title: str) -> None:
    """Losses above, accuracies below, over steps and epochs: faint as logged, bold as a moving average."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    figure.suptitle(title)
    losses, accuracies = figure.subplots(2, 1, sharex=True)
    steps = np.array([row["step"] for row in rows])
    window = max(1, len(rows) // 40)
    names = {losses: ("d_loss", "g_loss"), accuracies: ("d_real_accuracy", "d_fake_accuracy")}
    for axes, pair in names.items():
        for name, colour in zip(pair, ("tab:blue", "tab:orange"), strict=True):
            values = np.array([row[name] for row in rows])
            axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(steps, _smoothed(values, window) if rows else [], color=colour, label=name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    losses.set_ylabel("loss (nats)")
    losses.set_ylim(bottom=0)
    accuracies.set_ylabel("share judged right")
    accuracies.set_ylim(-0.02, 1.02)
    accuracies.axhline(0.5, color="gray", linestyle=":", linewidth=1)
    accuracies.set_xlabel("step")
    if rows:
        steps_per_epoch = rows[-1]["step"] / rows[-1]["epoch"]
        top = losses.secondary_xaxis("top", functions=(lambda s: s / steps_per_epoch, lambda e: e * steps_per_epoch))
        top.set_xlabel("epoch")
    _save_figure(path, figure)
