"""What a conditional generator is asked for where nobody asks: classes or sentences, as frequent as
in the training data.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.data import Dataset
from flaxgan.data.captions import Prompts, prompts_of
from flaxgan.rng import SAMPLING, random_key

NOT_A_ROW = 2**32 - 1
# what a run can be asked for: how many images each class had, or sentences
Conditions = dict[str, int] | Prompts


def _shares(seed: int, num: int, stream: int) -> Array:
    """Draw float32 (num,) from [0, 1); number i depends on seed, stream and i alone."""
    # of z, which are drawn from the same stream
    key = jax.random.fold_in(random_key(seed, stream), NOT_A_ROW)
    return jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i)))(jnp.arange(num))


def random_classes(
    class_counts: dict[str, int], seed: int, num: int, stream: int = SAMPLING
) -> np.ndarray:
    """Draw classes as frequent as `class_counts` says: int32 (num,).

    Class i depends on counts, seed, stream and i alone.
    """
    counts = np.array([*class_counts.values()], np.float32)
    shares = jnp.asarray(counts.cumsum() / counts.sum())
    drawn = _shares(seed, num, stream)
    return np.asarray(jnp.searchsorted(shares, drawn, side="right").astype(jnp.int32))


def trained_classes(class_counts: dict[str, int]) -> list[int]:
    """Return the classes of which there was an image."""
    return [id for id, count in enumerate(class_counts.values()) if count]


def spread_classes(class_counts: dict[str, int], num: int) -> np.ndarray:
    """Return classes for a square grid of `num` images, one a row: int32 (num,).

    They are spread evenly over all that were trained.
    """
    classes = np.array(trained_classes(class_counts), np.int32)
    columns = math.isqrt(num)
    rows = min(-(-num // columns), len(classes))
    shown = classes[np.linspace(0, len(classes) - 1, rows).round().astype(int)]
    return np.resize(np.repeat(shown, columns), num)


def random_conditions(
    conditions: Conditions, seed: int, num: int, stream: int = SAMPLING, spread: bool = False
) -> dict[str, np.ndarray]:
    """Return "label" int32 (num,), or "text" float32 (num, D), as frequent as in the data.

    Beside sentences that name classes, "class" is int32 (num,), the classes that they name. With
    `spread` there is one label or sentence for each row of a square grid.
    """
    if isinstance(conditions, Prompts):
        frequent = (np.asarray(_shares(seed, num, stream)) * _pool(conditions)).astype(np.int64)
        rows = conditions.spread(num) if spread else conditions.shown + frequent
        classes = {} if conditions.labels is None else {"class": conditions.labels[rows]}
        return {"text": conditions.vectors[rows]} | classes
    if spread:
        return {"label": spread_classes(conditions, num)}
    return {"label": random_classes(conditions, seed, num, stream)}


def conditions_of(dataset: Dataset) -> Conditions:
    """Return what a run on a data set can be asked for."""
    return dataset.class_counts if dataset.captions is None else prompts_of(dataset)


def _pool(prompts: Prompts) -> int:
    return len(prompts.texts) - prompts.shown
