"""The inception score (Salimans et al. 2016): is each image of one class, and are all there?"""

from itertools import pairwise

import numpy as np

SPLITS = 10


def _score(logits: np.ndarray) -> float:
    """Return exp of the mean KL divergence from the classes of all images to those of one."""
    logits = logits - logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(0, keepdims=True)))).sum(1).mean()))


def inception_score(logits: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """Return mean and standard deviation of the score over equal parts of logits (N, classes).

    There are `splits` parts, in the order given. float64 throughout. Raises ValueError if there are
    fewer images than parts.
    """
    if len(logits) < splits:
        raise ValueError(f"{len(logits)} pictures can't be split into {splits} parts")
    bounds = [i * len(logits) // splits for i in range(splits + 1)]
    scores = [_score(logits[start:stop].astype(np.float64)) for start, stop in pairwise(bounds)]
    return float(np.mean(scores)), float(np.std(scores))
