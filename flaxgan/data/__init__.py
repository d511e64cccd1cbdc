"""Pictures: any named data set, folder or the built-in flowers -> one uint8 array on disk, and its
batches.
"""

from flaxgan.data.cache import prepare
from flaxgan.data.dataset import Dataset
from flaxgan.data.forms import open_data, prepare_data
from flaxgan.data.open import open_source
from flaxgan.data.order import batch_indices, epoch_of, indices, steps_per_epoch
from flaxgan.data.source import Source

__all__ = [
    "Dataset",
    "Source",
    "batch_indices",
    "epoch_of",
    "indices",
    "open_data",
    "open_source",
    "prepare",
    "prepare_data",
    "steps_per_epoch",
]
