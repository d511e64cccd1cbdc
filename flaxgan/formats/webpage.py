"""A folder with a page in which a browser runs a network: flaxgan/site, and the network."""

import base64
import importlib.resources
import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flaxgan.formats.graph import Graph

from flaxgan.system.errors import UserError
from flaxgan.system.files import TEMPORARY

MODEL = "model.js"
SLIDERS = 16
SMALL = 1024  # numbers of a constant that is never rounded: it would hardly be smaller
# The operators of flaxgan/site/runner.js and convolutions.js.
OPERATORS = frozenset(
    (
        *("Abs", "Add", "Concat", "Conv", "ConvTranspose", "Cos", "DepthToSpace", "Div", "Exp"),
        *("Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "InstanceNormalization"),
        *("LeakyRelu", "Less", "LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul"),
        *("Neg", "Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceSum", "Relu", "Reshape", "Resize"),
        *("Sigmoid", "Sin", "Softmax", "Sqrt", "Sub", "Tanh", "Transpose", "Where"),
    )
)


def rounded(array: np.ndarray) -> np.ndarray:
    """Return a large array as float16, which a page stores; a small one as it is."""
    return array.astype(np.float16) if array.size > SMALL and array.dtype == np.float32 else array


def strongest_directions(graph: Graph, latent_dim: int) -> np.ndarray:
    """Return the directions of z that change what comes next the most: (at most 16, latent_dim).

    They are of length 1, and eigenvectors of W W^T where W is the first dense layer's kernel (Shen
    & Zhou 2021, arXiv:2007.06600, section 3.2). There are none if z goes elsewhere first.
    """
    kernels = [graph.constants.get(node.inputs[1]) for node in graph.nodes if node.op == "MatMul"]
    kernel = kernels[0] if kernels else None
    if kernel is None or kernel.ndim != 2 or len(kernel) < latent_dim:
        return np.zeros((0, latent_dim), np.float32)
    kernel = kernel[:latent_dim].astype(np.float64)  # below it is what an embedding is times
    vectors = np.linalg.eigh(kernel @ kernel.T)[1].T[::-1][:SLIDERS]
    largest = np.abs(vectors).argmax(1)[:, None]  # else a sign would be the library's choice
    return (vectors * np.sign(np.take_along_axis(vectors, largest, 1))).astype(np.float32)


def script(graph: Graph, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return the JavaScript that holds a network: its operations, and its weights in base64.

    Large weights are stored as `rounded` has them if those of the `graph` are so. `facts` and
    `arrays` are added as they are. Raises UserError if the page's runner lacks an operator.
    """
    if unknown := sorted({node.op for node in graph.nodes} - OPERATORS):
        raise UserError(f"a page can't run this network: it has no {', '.join(unknown)}")
    data = bytearray()

    def stored(array: np.ndarray) -> dict[str, Any]:
        array = array.astype(np.int32) if array.dtype == np.int64 else array
        data.extend(bytes(-len(data) % 4))
        at = len(data)
        data.extend(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return {"shape": array.shape, "type": array.dtype.name, "at": at}

    model = {
        **facts,
        "nodes": [
            {"op": x.op, "inputs": x.inputs, "outputs": x.outputs, "attributes": x.attributes}
            for x in graph.nodes
        ],
        "output": next(iter(graph.outputs)),
        "constants": {name: stored(array) for name, array in graph.constants.items()},
        **{name: stored(array) for name, array in arrays.items()},
    }
    weights = base64.b64encode(data).decode()
    return f"const MODEL = {json.dumps({**model, 'weights': weights})};\n"


def require_new(folder: Path) -> None:
    """Raise UserError unless a page can be written there: nothing is there, or an empty folder."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise UserError(
                f"--output {folder} is there already; name another folder, or remove it"
            )
        trial = _beside(folder)
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise UserError(f"--output {folder} can't be written: {error.strerror}") from error


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name[:200]}.{secrets.token_hex(8)}{TEMPORARY}")


def write_site(folder: Path, model: str) -> None:
    """Write the page's folder, whole or not at all: its files, and the network's script.

    Raises UserError if it can't be.
    """
    require_new(folder)
    temporary = _beside(folder)
    try:
        temporary.mkdir()
        for file in importlib.resources.files("flaxgan").joinpath("site").iterdir():
            (temporary / file.name).write_bytes(file.read_bytes())
        (temporary / MODEL).write_text(model, encoding="ascii")
        temporary.rename(folder)
    except OSError as error:
        raise UserError(f"--output {folder} can't be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
