"""A folder with a page in which a browser runs a network: flaxgan/site, and the network."""

import base64
import dataclasses
import importlib.resources
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from flaxgan.config import Config
from flaxgan.formats.graph import Graph, Unsupported
from flaxgan.formats.networks import graph_of, inputs_of
from flaxgan.methods import translates
from flaxgan.methods.filled import unit_of
from flaxgan.methods.latent_space import directions_of_z
from flaxgan.methods.sampling import draw, first_latents
from flaxgan.methods.state import Network
from flaxgan.methods.translation import translate
from flaxgan.pretrained import minilm
from flaxgan.system.errors import UserError
from flaxgan.system.files import TEMPORARY

SITE = importlib.resources.files("flaxgan").joinpath("site")
MODEL = "model.js"
SLIDERS = 16
TRIED = 64  # pictures that float16 is tried with
SMALL = 256  # numbers of a constant that is never rounded: it would hardly be smaller
# The operators of flaxgan/site/runner.js and convolutions.js.
OPERATORS = {
    *("Abs", "Add", "Concat", "Conv", "ConvTranspose", "Cos", "DepthToSpace", "Div", "Exp"),
    *("Floor", "Gather", "Gemm", "Greater", "GreaterOrEqual", "Identity", "LeakyRelu", "Less"),
    *("InstanceNormalization", "LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul"),
    *("Neg", "Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceSum", "Relu", "Reshape", "Resize"),
    *("Sigmoid", "Sin", "Softmax", "Sqrt", "Sub", "Tanh", "Transpose", "Where"),
}


def _half(array: Any) -> Any:
    """Return a large array as float16, which a page stores; a small one as it is."""
    return array.astype(np.float16) if array.size > SMALL and array.dtype == np.float32 else array


def _pictures(network: Network, config: Config, name: str) -> np.ndarray:
    """Return pictures that a generator makes, to compare with: uint8 (N, H, W, C)."""
    if translates(config):
        shape = inputs_of(config, name)["source"].shape
        count = 8 * math.prod(int(side) for side in shape[1:])
        noise = np.random.default_rng(0).integers(256, size=count).astype(np.uint8)
        return translate(network, noise.reshape(8, *shape[1:]))
    asked: Any = (
        np.arange(TRIED, dtype=np.int32) % config.num_classes if config.num_classes else None
    )
    if config.condition == "text":
        text = np.random.default_rng(0).standard_normal((TRIED, minilm.DIM))
        asked = (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32)
    return draw(network, first_latents(0, TRIED, config.options.latent_dim), asked)


def _holds_in_half(network: Network, config: Config, name: str) -> bool:
    """Tell whether pictures stay as they are, to a grey level, if weights are stored as float16.

    Batch norm is folded into a page's weights only afterwards, which leaves each error as large.
    """
    halved = jax.tree.map(lambda x: _half(x).astype(x.dtype), network.params)
    exact, near = (
        _pictures(generator, config, name).astype(np.int16)
        for generator in (network, network.replace(params=halved))
    )
    return int(np.abs(exact - near).max()) <= 1


def script(graph: Graph, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return the JavaScript that holds a network: its operations, and its weights in base64.

    `facts` and `arrays` are added as they are. Raises UserError if the page's runner lacks an
    operator.
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


def write_page(
    folder: Path,
    network: Network,
    config: Config,
    name: str,
    facts: Mapping[str, Any],
    given_arrays: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a folder with a page that runs a generator of a run, whole or not at all.

    `name`: of the generator, "result" or "back". `facts`: what the page knows beside: "title",
    "facts" for its last line, and of a conditional run "classNames" and "classCounts".
    `given_arrays`: "prompts", float32 (N, D), of a run that learnt words. Raises UserError if
    something is there already, or if a page can't run the network.
    """
    folder = Path(os.path.realpath(folder))
    require_new(folder)
    try:
        graph = graph_of(network, config, name)
    except Unsupported as error:
        raise UserError(f"a page can't run this network, which computes {error}") from error
    ((taken, given), *_), arrays = inputs_of(config, name).items(), {**(given_arrays or {})}
    about = {**facts, "input": taken, "size": config.image_size}
    if translates(config):
        about |= {"size": given.shape[1:3], "channelsIn": given.shape[3], "unit": unit_of(config)}
    else:
        about["latentSize"] = given.shape[1]
        arrays["directions"] = directions_of_z(network)[:SLIDERS]
    if _holds_in_half(network, config, name):
        halved = {name: _half(array) for name, array in graph.constants.items()}
        graph = dataclasses.replace(graph, constants=halved)
    _write_site(folder, script(graph, about, arrays))


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


def _write_site(folder: Path, model: str) -> None:
    """Write the page's folder, whole or not at all: its files, and the network's script.

    Raises UserError if it can't be.
    """
    temporary = _beside(folder)
    try:
        temporary.mkdir()
        for file in SITE.iterdir():
            (temporary / file.name).write_bytes(file.read_bytes())
        (temporary / MODEL).write_text(model, encoding="ascii")
        if folder.exists():  # empty: Windows renames onto nothing that is there
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        raise UserError(f"--output {folder} can't be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
