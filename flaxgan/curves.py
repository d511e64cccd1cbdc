"""The curves of a run: what metrics.jsonl has, drawn over steps and epochs."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flaxgan.plots import new_figure, save_figure
from flaxgan.shared import EXTRACTORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean over a centred window, shorter at the ends."""
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


PANELS = {  # y axis -> what is drawn over it
    "loss": ("d_loss", "g_loss", "d_back_loss", "g_back_loss", "feature_d_loss", "feature_g_loss"),
    "share judged right": (
        *("d_real_accuracy", "d_fake_accuracy"),
        *("d_back_real_accuracy", "d_back_fake_accuracy"),
        *("feature_d_real_accuracy", "feature_d_fake_accuracy"),
    ),
    "difference": ("l1_loss", "mse_loss", "cycle_loss", "identity_loss", "perceptual_loss"),
    "PatchNCE": ("nce_loss", "identity_nce_loss"),
    "share augmented": ("augment_probability",),
    "pixels": ("resolution",),
    "share faded in": ("fade",),
    "Fréchet distance": ("fid", *(f"fd_{name}" for name in EXTRACTORS)),
    "share": ("precision", "recall", "density", "coverage"),
    "feature distance": ("feature_distance", "target_distance", "source_distance"),
    "kernel distance": tuple(f"kid_{name}" for name in EXTRACTORS),
    "dB": ("psnr", "psnr_luma"),
    "similarity": ("ssim", "ssim_luma"),
}
ALWAYS = 2  # the first panels; the others where there is something to draw


def _draw_curve(axes: "Axes", rows: Sequence[dict[str, Any]], name: str) -> None:
    """Draw a curve faint as logged and bold as a moving average; few values as dots."""
    steps = np.array([row["step"] for row in rows if name in row])
    values = np.array([row[name] for row in rows if name in row])
    window = max(1, len(values) // 40)
    (line,) = axes.plot(
        steps,
        _smoothed(values, window) if len(values) else [],
        "-" if window > 1 else ".-",
        label=name,
    )
    if window > 1:
        axes.plot(steps, values, color=line.get_color(), alpha=0.25, linewidth=0.8)


def curves(rows: Sequence[dict[str, Any]], title: str, per_epoch: int) -> "Figure":
    """Draw losses, accuracies and, if there are any, evaluations over steps and epochs."""
    drawn = [
        [name for name in names if any(name in row for row in rows)] for names in PANELS.values()
    ]
    panels = [
        (label, names)
        for i, (label, names) in enumerate(zip(PANELS, drawn, strict=True))
        if names or i < ALWAYS
    ]
    figure = new_figure(10, 1 + 3 * len(panels), title)
    all_axes = figure.subplots(len(panels), 1, sharex=True)
    for axes, (label, names) in zip(all_axes, panels, strict=True):
        for name in names:
            _draw_curve(axes, rows, name)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if names:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        if label.startswith("share"):
            axes.set_ylim(-0.02, max(1.02, axes.get_ylim()[1]))
        else:
            low, high = axes.get_ylim()
            axes.set_ylim(min(0, low), max(0, 1.03 * high))
    all_axes[1].axhline(0.5, color="gray", linestyle=":", linewidth=1)
    all_axes[-1].set_xlabel("step")
    top = all_axes[0].secondary_xaxis(
        "top", functions=(lambda step: step / per_epoch, lambda epoch: epoch * per_epoch)
    )
    top.set_xlabel("epoch")
    return figure


def save_losses(path: Path, rows: Sequence[dict[str, Any]], title: str, per_epoch: int) -> None:
    """Write the curves of a log as PNG."""
    save_figure(path, curves(rows, title, per_epoch))


def png(figure: "Figure") -> bytes:
    """Return a figure as the bytes of a PNG, of a size for a notebook."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72)
    return buffer.getvalue()
