"""Generators as ONNX files, which run in nearly everything."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flaxgan.formats.graph import OPSET, Graph, Node, Tensor
from flaxgan.system.errors import UserError
from flaxgan.system.extras import imported

IR_VERSION = 9  # of the file; the first that has this opset
FLOAT, UINT8 = 1, 2  # as ONNX counts its types
Steps = Sequence[tuple[str, float | None]]  # operators, each with the number that it takes


def write(path: Path, graph: Graph, metadata: dict[str, str]) -> None:
    """Write a graph as an ONNX file that passes onnx's own checker.

    Raises UserError if onnx is not installed.
    """
    onnx = imported("onnx", "export", "--format onnx")
    model = _model(onnx, graph)
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _model(onnx: Any, graph: Graph) -> Any:
    helper = onnx.helper

    def typed(tensors: dict[str, Tensor]) -> list[Any]:
        return [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), tensor.shape
            )
            for name, tensor in tensors.items()
        ]

    nodes = [
        helper.make_node(
            node.op, node.inputs, node.outputs, name=node.outputs[0], **node.attributes
        )
        for node in graph.nodes
    ]
    constants = [
        onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()
    ]
    made = helper.make_graph(
        nodes, "generator", typed(graph.inputs), typed(graph.outputs), constants
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="flaxgan"
    )


def with_uint8(graph: Graph) -> Graph:
    """Return a graph that makes uint8 of what it makes in [-1, 1], and takes sources as uint8.

    Values are rounded as flaxgan.sample does.
    """
    signed = {name: f"{name}_signed" for name in ("source", "images")}
    nodes = [node.renamed(signed) for node in graph.nodes]
    constants, inputs = dict(graph.constants), dict(graph.inputs)

    def chain(name: str, steps: Steps, result: str, to: int) -> list[Node]:
        """Return operations one after the other."""
        chained = []
        for i, (op, number) in enumerate(steps):
            output = result if i + 1 == len(steps) else f"{result}_{i}"
            if number is not None:
                constants[f"{output}_number"] = np.array(number, np.float32)
            numbers = () if number is None else (f"{output}_number",)
            chained.append(
                Node(op, (name, *numbers), (output,), {"to": to} if op == "Cast" else {})
            )
            name = output
        return chained

    if "source" in inputs:
        inputs["source"] = dataclasses.replace(inputs["source"], dtype="uint8")
        steps: Steps = [("Cast", None), ("Div", 127.5), ("Sub", 1)]
        nodes = [*chain("source", steps, signed["source"], FLOAT), *nodes]
    steps = [("Add", 1), ("Mul", 127.5), ("Round", None), ("Max", 0), ("Min", 255), ("Cast", None)]
    nodes += chain(signed["images"], steps, "images", UINT8)
    outputs = {"images": dataclasses.replace(graph.outputs["images"], dtype="uint8")}
    return Graph(inputs, outputs, nodes, constants)


def described(class_names: list[str], step: int, graph: Graph) -> dict[str, str]:
    """Return what a file says of itself, beside names and shapes of what goes in and out."""
    of = "0 to 255" if graph.outputs["images"].dtype == "uint8" else "-1 to 1"
    metadata = {"layout": "NHWC", "range": of, "step": str(step)}
    return metadata | ({"class_names": json.dumps(class_names)} if class_names else {})


def run(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return what a file makes of arrays, on a CPU; None where onnxruntime is not installed."""
    try:
        runtime = imported("onnxruntime", "export", "the check of an ONNX file")
    except UserError:
        return None
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (images,) = session.run(None, inputs)
    return images
