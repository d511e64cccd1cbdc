"""What is measured of translations: results beside held-out targets, beside doing nothing."""

import dataclasses
import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from flaxgan.metrics.classes import fit
from flaxgan.metrics.comparison import Comparison, Measured, NotApplicable, NotMeasured
from flaxgan.metrics.frechet import frechet_distance, gaussian
from flaxgan.metrics.kernel import SUBSET_SIZE, kernel_distance
from flaxgan.metrics.ms_ssim import WINDOW, ssim

LUMA = np.array([65.481, 128.553, 24.966]) / 255  # of RGB 0..255, plus 16 (ITU-R BT.601)
BLOCK = 64  # pairs at a time


@dataclasses.dataclass
class Translation(Comparison):
    """Hold results beside held-out targets, and what they were made from.

    All are in the same order: result i is made of source i. If they are `paired`, it ought to be
    target i.
    """

    sources: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint8))
    # what doing nothing gives, of the results' shape: the sources, or enlarged by a bicubic filter
    nothing: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint8))
    again: np.ndarray | None = None  # sources made of the results, if the method does that
    paired: bool = False
    border: int = 0  # pixels that are left out at each side, as is usual with --scale
    source_labels: np.ndarray | None = None

    @functools.cached_property
    def nothing_features(self) -> np.ndarray:
        """Return the features of what doing nothing gives: float32 (N, D)."""
        return self.extractor(self.nothing, "features of doing nothing")

    def inner(self, images: np.ndarray) -> np.ndarray:
        """Return images without the border."""
        b = self.border
        return images[:, b : images.shape[1] - b, b : images.shape[2] - b]


def _translation(c: Comparison) -> Translation:
    if not isinstance(c, Translation):
        raise NotApplicable("it is measured of translations")
    return c


def nothing(c: Translation) -> dict[str, float]:
    """Return the distances of doing nothing to the targets, by the names that results have."""
    size = min(SUBSET_SIZE, c.count)
    kid = kernel_distance(c.real.features, c.nothing_features, size, c.seed, c.real.kernel_within)
    distance = frechet_distance(c.real.gaussian, gaussian(c.nothing_features))
    return {f"kid_{c.extractor.name}": kid[0], c.extractor.network.FRECHET: distance}


def _of_pairs(
    name: str, measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Callable[[Comparison], dict[str, Measured]]:
    """Return a metric: the mean of `measure` over pairs of result and target."""

    def metric(c: Comparison) -> dict[str, Measured]:
        t = _translation(c)
        if not t.paired:
            raise NotApplicable(f"{name} takes pairs")
        targets = t.inner(t.real.image_set.images)
        if name.startswith("ssim") and min(targets.shape[1:3]) < WINDOW:
            raise NotMeasured(f"it takes pictures of at least {WINDOW}x{WINDOW}")
        value, of_nothing = (
            float(
                np.mean(
                    np.concatenate(
                        [
                            measure(t.inner(x)[i : i + BLOCK], targets[i : i + BLOCK])
                            for i in range(0, len(x), BLOCK)
                        ]
                    )
                )
            )
            for x in (t.generated.images, t.nothing)
        )
        return {name: {"value": value, "nothing": of_nothing, "border": t.border}}

    return metric


def l1(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference (N,) of uint8 pictures, as a share of 255."""
    return np.abs(a.astype(np.float64) - b).mean((1, 2, 3)) / 255


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio (N,) in dB of pictures (N, H, W, C) in 0..255.

    100 dB at most: what is the same has none.
    """
    mse = np.square(a.astype(np.float64) - b).mean((1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(mse, 255**2 * 1e-10))


def luma(images: np.ndarray) -> np.ndarray:
    """Return Y of YCbCr as broadcast video has it, 16 to 235: float64 (N, H, W, 1)."""
    if images.shape[-1] == 1:
        return images.astype(np.float64)
    return images.astype(np.float64) @ LUMA[:, None] + 16


def _ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(ssim(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)))


def _target_distance(c: Comparison) -> dict[str, Measured]:
    """Measure how far results are from their own targets, in feature space."""
    t = _translation(c)
    if not t.paired:
        raise NotApplicable("it takes pairs")
    value, of_nothing = (
        float(np.linalg.norm(x - t.real.features, axis=1).mean())
        for x in (t.features, t.nothing_features)
    )
    return {"target_distance": {"value": value, "nothing": of_nothing}}


def _source_distance(c: Comparison) -> dict[str, Measured]:
    """Measure how much of a source is kept: its distance to its result, in feature space.

    The reference is the distance of any two sources: a result that keeps nothing.
    """
    t = _translation(c)
    if t.paired:
        raise NotApplicable("sources and targets are pairs")
    own = np.linalg.norm(t.features - t.nothing_features, axis=1).mean()
    others = np.linalg.norm(t.nothing_features - np.roll(t.nothing_features, 1, 0), axis=1).mean()
    return {"source_distance": {"value": float(own), "nothing": 0.0, "reference": float(others)}}


def _cycle_distance(c: Comparison) -> dict[str, Measured]:
    t = _translation(c)
    if t.again is None:
        raise NotApplicable("the method does not translate back")
    return {"cycle_distance": {"value": float(l1(t.again, t.nothing).mean()), "nothing": 0.0}}


def _kept_classes(c: Comparison) -> dict[str, Measured]:
    """Measure the share of results that are still taken for their source's class.

    By a classifier of the features of one half of the sources, asked about the other half.
    """
    t = _translation(c)
    if t.source_labels is None or len(np.unique(t.source_labels)) < 2:
        raise NotApplicable("the sources have no classes")
    known = np.arange(0, len(t.source_labels), 2)
    classes, labels = np.unique(t.source_labels[known], return_inverse=True)
    classify = fit(t.nothing_features[known], labels)
    asked = np.arange(1, len(t.source_labels), 2)
    value, of_nothing = (
        float((classes[classify(x[asked])] == t.source_labels[asked]).mean())
        for x in (t.features, t.nothing_features)
    )
    return {"kept_classes": {"value": value, "nothing": of_nothing}}


def _luma_of(measure: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda a, b: measure(luma(a), luma(b))


TRANSLATION_METRICS: dict[str, Callable[[Comparison], dict[str, Measured]]] = {
    "l1": _of_pairs("l1", l1),
    "psnr": _of_pairs("psnr", psnr),
    "psnr_luma": _of_pairs("psnr_luma", _luma_of(psnr)),
    "ssim": _of_pairs("ssim", _ssim),
    "ssim_luma": _of_pairs("ssim_luma", _luma_of(_ssim)),
    "target_distance": _target_distance,
    "source_distance": _source_distance,
    "cycle_distance": _cycle_distance,
    "kept_classes": _kept_classes,
}
# of all metrics, the ones that are measured of translations unless others are named
OF_TRANSLATIONS = ("fd", "kid", *TRANSLATION_METRICS)
