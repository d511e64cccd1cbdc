"""What is wrong with a run, in words: from its pictures, its log and its last evaluation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

LEAST_SHARE = 0.4  # of what real images have: less contrast or variety than this is an illness
MOST_ROUGHNESS = 3.0  # times that of real images: more is noise
WINNING = 0.995  # accuracy of a discriminator that has nothing left to learn
FEWEST_ROWS = 20  # of the log, to judge a discriminator by
MOST_MEMORISED = 5.0  # times the share that real pictures have
WORSE = 1.25  # times the lowest distance, over two evaluations at least
DISTANCES = ("fd_", "fid", "kid_")  # of which metrics the best checkpoint is chosen by
FEW = ("covariance is singular", "instead of", "fewer than")  # in caveats: too small a sample


class Evidence(NamedTuple):
    """What a run is judged by."""

    real: np.ndarray  # uint8 (N, H, W, C)
    generated: np.ndarray  # uint8 (M, H, W, C)
    rows: Sequence[Mapping[str, Any]]  # of metrics.jsonl
    references: Mapping[str, float]  # of the last evaluation: what real images have
    caveats: Sequence[str] = ()  # of that evaluation


def _shown(e: Evidence) -> bool:
    return len(e.generated) > 0 and len(e.real) > 0


def _logged(e: Evidence, name: str) -> list[float]:
    return [row[name] for row in e.rows if name in row]


def _contrast(images: np.ndarray) -> float:
    """Return the mean standard deviation of pixels within an image."""
    return float(images.std((1, 2), dtype=np.float64).mean())


def _variety(images: np.ndarray) -> float:
    """Return the mean standard deviation of a pixel from image to image."""
    return float(images.std(0, dtype=np.float64).mean())


def _roughness(images: np.ndarray) -> float:
    """Return the mean difference of neighbouring pixels over the contrast: 1.1 for white noise."""
    across, down = (np.abs(np.diff(images.astype(np.float64), axis=axis)).mean() for axis in (2, 1))
    return float((across + down) / 2 / max(_contrast(images), 1e-6))


def _flat(e: Evidence) -> bool:
    return _shown(e) and _contrast(e.generated) < LEAST_SHARE * _contrast(e.real)


def _noisy(e: Evidence) -> bool:
    return _shown(e) and _roughness(e.generated) > MOST_ROUGHNESS * _roughness(e.real)


def _collapsed(e: Evidence) -> bool:
    if _shown(e) and _variety(e.generated) < LEAST_SHARE * _variety(e.real):
        return True
    distances = _logged(e, "feature_distance")
    return bool(distances) and distances[-1] < LEAST_SHARE * e.references.get("feature_distance", 0)


def _discriminator_wins(e: Evidence) -> bool:
    names = ("d_real_accuracy", "d_fake_accuracy")
    accuracies = [
        min(row[name] for name in names) for row in e.rows if all(name in row for name in names)
    ]
    late = accuracies[len(accuracies) // 2 :]
    return len(accuracies) >= FEWEST_ROWS and float(np.mean(late)) >= WINNING


def _memorised(e: Evidence) -> bool:
    shares = _logged(e, "memorised")
    return bool(shares) and shares[-1] > MOST_MEMORISED * e.references.get("memorised", 0.01)


def _worse(e: Evidence) -> bool:
    named = (name for row in e.rows for name in row if name.startswith(DISTANCES))
    first = next(named, "")  # of the first extractor, which chooses the best
    measured = [row for row in e.rows if first in row]
    # of a run that grows: enlarged pictures of before tell nothing
    measured = [x for x in measured if x.get("resolution") == measured[-1].get("resolution")]
    distances = _logged(e._replace(rows=measured), first)
    late = distances[-2:]
    return len(late) == 2 and min(late) > max(0.0, WORSE * min(distances))


LONGER = "train longer (--images, --epochs or --hours), with small batches (--batch-size 8)"
ILLNESSES: tuple[tuple[Callable[[Evidence], bool], str], ...] = (
    (
        _flat,
        f"the pictures are flat or grey, with less than half the contrast of real ones: {LONGER}",
    ),
    (
        _noisy,
        f"the pictures are noise, far rougher than real ones: {LONGER}; if they were better"
        " before, the training has diverged: a lower --learning-rate",
    ),
    (
        _collapsed,
        "the pictures look alike (mode collapse): --batch-size 8, another --seed, or a lower"
        " --d-learning-rate; --checkpoint best may be better",
    ),
    (
        _discriminator_wins,
        "the discriminator was right about every picture throughout, so there was nothing left"
        " to learn from: --augment translation, or more pictures",
    ),
    (
        _memorised,
        "many generated pictures are copies of training pictures (overfitting): more pictures,"
        " --augment translation, or an earlier checkpoint (--checkpoint best, epoch:N)",
    ),
    (
        _worse,
        "the distance to the real pictures has risen again since its lowest value (overfitting, or"
        " collapse): --checkpoint best is better than the newest; --augment translation or a lower"
        " --learning-rate for more",
    ),
)


def diagnoses(evidence: Evidence) -> list[str]:
    """Return a line on each illness, the worst first: what is wrong, and which flags help."""
    found = [words for has, words in ILLNESSES if has(evidence)]
    few = [caveat for caveat in evidence.caveats if any(words in caveat for words in FEW)]
    if few:
        found.append(
            f"too few pictures for some metrics: {'; '.join(dict.fromkeys(few))}. More of them:"
            " --num of flaxgan.evaluate, --evaluate-num in a new run, or more data"
        )
    return found


def diagnose(
    real: np.ndarray,
    generated: np.ndarray,
    rows: Sequence[Mapping[str, Any]],
    references: Mapping[str, float] | None = None,
) -> str | None:
    """Return a line on the worst illness of a run and which flags help; None for a healthy one.

    `real` and `generated`: uint8 (N, H, W, C), a few dozen of each. `rows`: of metrics.jsonl.
    `references`: the metrics of real images among themselves, if an evaluation has measured them.
    """
    if not len(generated):  # drawing them failed
        return None
    return next(iter(diagnoses(Evidence(real, generated, rows, references or {}))), None)
