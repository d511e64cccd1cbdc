"""Graphs as files of ONNX."""

from typing import Any

import numpy as np

from flaxgan.formats.graph import OPSET, Graph, Tensor


def model_of(graph: Graph) -> Any:
    """Return the onnx.ModelProto of a graph."""
    from onnx import helper, numpy_helper

    def described(tensors: dict[str, Tensor]) -> list[Any]:
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
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = helper.make_graph(
        nodes, "flaxgan", described(graph.inputs), described(graph.outputs), constants
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
