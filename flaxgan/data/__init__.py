"""Pictures: any named data set, folder or the built-in flowers -> one uint8 array on disk, and its batches."""

from flaxgan.data.cache import ImageDataset, prepare
from flaxgan.data.open import open_source
from flaxgan.data.order import batch_indices, epoch_of, steps_per_epoch
from flaxgan.data.source import Source

__all__ = ["ImageDataset", "Source", "batch_indices", "epoch_of", "open_source", "prepare", "steps_per_epoch"]
