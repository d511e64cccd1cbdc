"""Arrays while a network is traced: as they are seen, and as they are stored.

JAX's pictures are (N, H, W, C), and ONNX convolves (N, C, H, W). So an array says in which order
its axes are stored: a transposition, or an axis of size 1 more or less, costs no operation until
one needs the array in another order. Hardly any does.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from flaxgan.formats.graph import Graph, Node, Tensor, Unsupported

Shape = tuple[Any, ...]  # of numbers, and symbols of JAX


@dataclasses.dataclass(frozen=True)
class Value:
    """An array of `shape`, stored as an output of the graph, or a constant.

    `axes` has for each axis the one of what is stored, or None: there it is one row, repeated.
    `rank` is how many axes are stored; any that `axes` leaves out are of size 1.
    """

    stored: str | np.ndarray
    shape: Shape
    axes: tuple[int | None, ...]
    rank: int

    @classmethod
    def plain(cls, stored: str | np.ndarray, shape: Shape) -> "Value":
        """Return an array that is stored as it is seen."""
        return cls(stored, tuple(shape), (*range(len(shape)),), len(shape))

    @property
    def is_constant(self) -> bool:
        """Tell whether it is known already."""
        return not isinstance(self.stored, str)

    @property
    def layout(self) -> tuple[int, ...]:
        """Return the axes in the order in which they are stored, without those that are not."""
        there = [i for i, axis in enumerate(self.axes) if axis is not None]
        return tuple(sorted(there, key=lambda i: self.axes[i] or 0))

    def array(self) -> np.ndarray:
        """Return a constant as it is seen."""
        return np.broadcast_to(self._spread(range(len(self.shape))), self.shape)

    def _spread(self, layout: Sequence[int]) -> np.ndarray:
        """Return a constant with these axes in this order, of size 1 where it is repeated."""
        assert isinstance(self.stored, np.ndarray)
        order = [axis for i in layout if (axis := self.axes[i]) is not None]
        order += [axis for axis in range(self.rank) if axis not in order]
        sizes = [1 if (axis := self.axes[i]) is None else self.stored.shape[axis] for i in layout]
        return self.stored.transpose(order).reshape(sizes)


class Builder:
    """Collect the operations of a graph."""

    def __init__(self) -> None:
        """Begin with none."""
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._reordered: dict[tuple[str, tuple[int | None, ...], Any], str] = {}

    def node(self, op: str, *inputs: str | np.ndarray, **attributes: Any) -> str:
        """Add an operation; return the name of its output. Arrays become constants."""
        names = tuple(x if isinstance(x, str) else self.constant(x) for x in inputs)
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(Node(op, names, (output,), attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def stored(self, value: Value, layout: Sequence[int]) -> str | np.ndarray:
        """Return what is stored of a value with these of its axes, in this order.

        Where it is repeated along an axis, the size is 1. The others have to be of size 1.
        """
        layout = tuple(layout)
        if not isinstance(value.stored, str):
            return value._spread(layout)
        axes = tuple(value.axes[i] for i in layout)
        if axes == (*range(value.rank),):
            return value.stored
        key = value.stored, axes, layout
        if key not in self._reordered:
            self._reordered[key] = self._reorder(value, layout)
        return self._reordered[key]

    def _reorder(self, value: Value, layout: tuple[int, ...]) -> str:
        assert isinstance(value.stored, str)
        order = [axis for i in layout if (axis := value.axes[i]) is not None]
        left = [axis for axis in range(value.rank) if axis not in order]
        name = value.stored
        if [*order, *left] != [*range(value.rank)]:
            name = self.node("Transpose", name, perm=[*order, *left])
        if left or len(order) < len(layout):
            sizes = [1 if value.axes[i] is None else value.shape[i] for i in layout]
            name = self.reshaped(name, sizes)
        return name

    def reshaped(self, name: str, shape: Sequence[Any]) -> str:
        """Add a Reshape; at most one size may be a symbol."""
        sizes = [size if isinstance(size, int) else -1 for size in shape]
        if sizes.count(-1) > 1:
            raise Unsupported(f"a reshape to {tuple(shape)}")
        return self.node("Reshape", name, np.array(sizes, np.int64))

    def whole(self, value: Value) -> str | np.ndarray:
        """Return what is stored of a value as it is seen."""
        return self.stored(solid(value), range(len(value.shape)))

    def pictures(self, value: Value) -> str | np.ndarray:
        """Return what is stored of (N, H, W, C) as ONNX has it: (N, C, H, W)."""
        return self.stored(solid(value), (0, 3, 1, 2))

    def graph(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], names: Sequence[str]
    ) -> Graph:
        """Return the graph of all operations, whose outputs have these names so far."""
        renamed = dict(zip(names, outputs, strict=True))
        nodes = [node.renamed(renamed) for node in self.nodes]
        return Graph(inputs, outputs, nodes, dict(self.constants))


def of_pictures(name: str, shape: Shape) -> Value:
    """Return the value (N, H, W, C) that is stored as (N, C, H, W)."""
    return Value(name, tuple(shape), (0, 2, 3, 1), 4)


def solid(value: Value) -> Value:
    """Return a value of which no row is repeated. Raises Unsupported for a result that is."""
    if all(axis is not None or n == 1 for axis, n in zip(value.axes, value.shape, strict=True)):
        return value
    if value.is_constant and all(isinstance(size, int) for size in value.shape):
        return Value.plain(value.array(), value.shape)
    raise Unsupported("broadcast_in_dim of a result")


def differ_in_ones(before: Shape, after: Shape) -> bool:
    """Tell whether two shapes differ in axes of size 1 alone."""
    return [n for n in before if n != 1] == [n for n in after if n != 1]


def reinterpreted(value: Value, shape: Shape) -> Value:
    """Return a value seen with other axes of size 1."""
    old = [*zip(value.shape, value.axes, strict=True)]
    axes: list[int | None] = []
    for size in shape:
        while size != 1 and old[0][0] == 1:
            old.pop(0)
        axes.append(old.pop(0)[1] if old and old[0][0] == size else None)
    return dataclasses.replace(value, shape=tuple(shape), axes=tuple(axes))
