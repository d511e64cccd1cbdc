"""Random numbers for a batch, the same whatever the devices that share it."""

from typing import TypeVar

import jax
from flax import struct
from jax import Array, lax

Tree = TypeVar("Tree")  # of arrays

# What the random numbers of a seed are for.
INITIALISING, TRAINING, SAMPLING, SELECTING, CALIBRATING, JUDGING, PROJECTING = range(7)


def random_key(seed: int | Array, stream: int) -> Array:
    """Return the key of one of the streams of a seed."""
    return jax.random.fold_in(jax.random.key(seed), stream)


class Rng(struct.PyTreeNode):
    """A key whose draws have the batch as their first axis.

    Under jit an array spans all devices, and a draw does, too. Under pmap (`axis` is the mapped
    axis) a device sees its own rows of the batch alone: the draw is made for the whole batch, and
    the device's rows of it are returned.
    """

    key: Array
    axis: str | None = struct.field(pytree_node=False, default=None)

    def fold(self, number: int | Array) -> "Rng":
        """Return another generator, for what `number` stands for."""
        return self.replace(key=jax.random.fold_in(self.key, number))

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Draw float32 of this shape, (rows, ...), from [0, 1)."""
        return self.rows(jax.random.uniform(self.key, self._whole(shape)))

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Draw float32 of this shape, (rows, ...), from N(0, 1)."""
        return self.rows(jax.random.normal(self.key, self._whole(shape)))

    def bernoulli(self, probability: float, shape: tuple[int, ...]) -> Array:
        """Draw booleans of this shape, (rows, ...), True with this probability."""
        return self.rows(jax.random.bernoulli(self.key, probability, self._whole(shape)))

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        """Draw int32 of this shape, (rows, ...), from low to high - 1."""
        return self.rows(jax.random.randint(self.key, self._whole(shape), low, high))

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.axis is None else (shape[0] * lax.axis_size(self.axis), *shape[1:])

    def rows(self, whole: Array) -> Array:
        """Return the rows that a device has of an array of the whole batch."""
        if self.axis is None:
            return whole
        rows = len(whole) // lax.axis_size(self.axis)
        return lax.dynamic_slice_in_dim(whole, lax.axis_index(self.axis) * rows, rows)


class RowRng(struct.PyTreeNode):
    """Random numbers of which each row depends on a number of its own, whatever rows are beside it.

    So what is drawn for a picture is the same in any batch, on any devices.
    """

    keys: Array  # of each row: (N,)

    @classmethod
    def of(cls, numbers: Array) -> "RowRng":
        """Return the generator of rows with these numbers, int32 (N,)."""
        return cls(jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), numbers))

    def fold(self, number: int) -> "RowRng":
        """Return another generator, for what `number` stands for."""
        return type(self)(jax.vmap(jax.random.fold_in, (0, None))(self.keys, number))

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Draw float32 (N, *shape) from [0, 1)."""
        return jax.vmap(lambda key: jax.random.uniform(key, shape))(self.keys)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Draw float32 (N, *shape) from N(0, 1)."""
        return jax.vmap(lambda key: jax.random.normal(key, shape))(self.keys)


def average(tree: Tree, axis: str | None) -> Tree:
    """Average gradients, statistics or metrics over the devices of pmap's axis.

    Under jit (None) they are averages already.
    """
    return tree if axis is None else lax.pmean(tree, axis)
