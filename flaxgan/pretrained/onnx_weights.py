"""The convolutions of a published ONNX file, read without running anything of it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flaxgan.pretrained.weights import read_bytes

# Numbers of fields in ONNX's protobuf messages: of a model, a graph, a node, a tensor.
GRAPH, NODE, INITIALIZER = 7, 1, 5
INPUT, OP_TYPE = 1, 4
DIMS, RAW_DATA, NAME = 1, 9, 8
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf's ways to write a field


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the numbers and values of a message's fields."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
        else:
            size, at = _varint(data, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
            yield number, data[at : at + size]
            at += size


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    """Return the name and the float32 values of a tensor; empty, if it is of another type."""
    shape, name, raw = [], "", b""
    for number, value in _fields(data):
        if number == DIMS and isinstance(value, int):
            shape.append(value)
        elif number == NAME and not isinstance(value, int):
            name = bytes(value).decode()
        elif number == RAW_DATA and not isinstance(value, int):
            raw = bytes(value)
    count = int(np.prod(shape))
    return name, np.frombuffer(raw, "<f4").reshape(shape) if len(raw) == 4 * count else np.zeros(0)


def read_convolutions(path: Path, sha256: str) -> list[dict[str, np.ndarray]]:
    """Read kernels (H, W, I, O) and biases (O,) of an ONNX file's convolutions, in its order.

    Raises UserError if it can't be read or is not the published one.
    """
    model = memoryview(read_bytes(path, sha256).getvalue())
    (graph,) = (value for number, value in _fields(model) if number == GRAPH)
    assert not isinstance(graph, int)
    tensors, convolutions = {}, []
    for number, value in _fields(graph):
        if number == INITIALIZER and not isinstance(value, int):
            name, array = _tensor(value)
            tensors[name] = array
        elif number == NODE and not isinstance(value, int):
            words: dict[int, list[str]] = {INPUT: [], OP_TYPE: []}
            for field, word in _fields(value):
                if field in words and not isinstance(word, int):
                    words[field].append(bytes(word).decode())
            if words[OP_TYPE] == ["Conv"]:
                convolutions.append(words[INPUT])
    return [
        {"kernel": tensors[kernel].transpose(2, 3, 1, 0), "bias": tensors[bias]}
        for _, kernel, bias in convolutions
    ]
