"""Factors and summands behind a layer, of batch norm or a bias, taken into its weights."""

import dataclasses
from collections import Counter

import numpy as np

from flaxgan.formats.graph import Graph, Node

OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1}  # of the weights


def folded(graph: Graph) -> Graph:
    """Return a graph without what multiplies a layer's outputs by constants, or adds some to them.

    The layer's weights and bias are changed instead.
    """
    constants, kept = dict(graph.constants), dict[str, Node]()  # nodes by their output
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update([*graph.outputs])
    renamed: dict[str, str] = {}  # what is gone
    for node in graph.nodes:
        node, output = node.renamed(renamed), node.outputs[0]
        numbers = [name for name in node.inputs if name in constants]
        if node.op in ("Add", "Mul") and len(numbers) == 1 and output not in graph.outputs:
            before = node.inputs[1 - node.inputs.index(numbers[0])]
            layer, shape = _layer(before, kept, uses, constants)
            vector = _spread(constants[numbers[0]], shape)
            if layer is not None and vector is not None:
                kept[layer.outputs[0]] = _changed(layer, node.op, vector, constants)
                renamed[output], uses[before] = before, uses[output]
                continue
        kept[output] = node
    used = {*graph.outputs}  # by what is made of them in the end
    for output, node in reversed([*kept.items()]):
        if output in used:
            used.update(node.inputs)
    nodes = [node for output, node in kept.items() if output in used]
    constants = {name: array for name, array in constants.items() if name in used}
    return dataclasses.replace(graph, nodes=nodes, constants=constants)


def _layer(
    name: str, kept: dict[str, Node], uses: Counter[str], constants: dict[str, np.ndarray]
) -> tuple[Node | None, tuple[int, ...]]:
    """Return the layer that makes an array, if it makes it for one use, and a row's shape."""
    node, shape = kept.get(name), None
    if node and node.op == "Reshape" and uses[name] == 1:
        shape, name = tuple(constants[node.inputs[1]][1:]), node.inputs[0]
        node = kept.get(name)
    if node is None or node.op not in OUTPUT_AXIS or uses[name] > 1:
        return None, ()
    if node.op == "Gemm":
        return node, shape or constants[node.inputs[1]].shape[1:]
    width = constants[node.inputs[1]].shape[OUTPUT_AXIS[node.op]]
    return (None if shape else node), (width, 1, 1)


def _spread(number: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return an array repeated to the outputs of a layer for a row; None if it is another shape."""
    try:
        return np.broadcast_to(number, shape).ravel()
    except ValueError:
        return None


def _changed(layer: Node, op: str, vector: np.ndarray, constants: dict[str, np.ndarray]) -> Node:
    """Return a layer whose outputs are multiplied by a vector, or have it added."""
    x, weights, *biases = layer.inputs
    if op == "Mul":
        sides = [1] * constants[weights].ndim
        sides[OUTPUT_AXIS[layer.op]] = -1
        constants[weights] = constants[weights] * vector.reshape(sides)
    bias = biases[0] if biases else f"{layer.outputs[0]}_bias"
    if biases or op == "Add":
        before = constants.get(bias, np.zeros_like(vector))
        constants[bias] = before * vector if op == "Mul" else before + vector
        return dataclasses.replace(layer, inputs=(x, weights, bias))
    return layer
