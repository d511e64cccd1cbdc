"""A network as a list of operations: what ONNX files and the page in a browser are made of."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

OPSET = 18  # of ONNX, whose operators the nodes are
BATCH = "N"


class Unsupported(Exception):
    """Says what of a network has no form here: an operation, or code that takes a fixed batch."""


@contextlib.contextmanager
def of_any_batch() -> Iterator[None]:
    """Raise Unsupported where what is traced can't be traced for any number of pictures."""
    try:
        yield
    except (TypeError, ValueError, jax.errors.JAXTypeError) as error:
        raise Unsupported(
            f"code that takes a known number of pictures, as len(x), not x.shape[0]: {error}"
        ) from error


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Describe an input or output of a graph: a dtype of NumPy, and sizes, named where any fits."""

    dtype: str
    shape: tuple[int | str, ...]


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation: an operator of ONNX, the names of what goes in and out, its attributes."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)

    def renamed(self, names: dict[str, str]) -> "Node":
        """Return the operation with other names of what goes in and out."""
        inputs, outputs = (
            tuple(names.get(name, name) for name in before)
            for before in (self.inputs, self.outputs)
        )
        return dataclasses.replace(self, inputs=inputs, outputs=outputs)


@dataclasses.dataclass(frozen=True)
class Graph:
    """Operations in an order in which each finds its inputs: inputs, constants, or outputs before.

    Constants are float32, or int64 where they are sizes and numbers of classes.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    nodes: list[Node]
    constants: dict[str, np.ndarray]
