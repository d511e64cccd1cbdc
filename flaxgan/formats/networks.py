"""What is exported of a run: its generator as a function of arrays, in float32."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from flaxgan.config import Config
from flaxgan.data.forms import source_channels
from flaxgan.formats.graph import BATCH, Graph, Tensor
from flaxgan.formats.tracing import traced_graph
from flaxgan.methods import translates
from flaxgan.methods.filled import unit_of
from flaxgan.methods.state import Network
from flaxgan.pretrained import minilm

Function = Callable[..., Any]


def function_of(network: Network) -> Function:
    """Return a generator as a function of z float32 (N, D) and, if it has a condition, of that.

    Of a translating network it takes pictures, float32 (N, H, W, C) in [-1, 1]. It returns pictures
    of that form. All is computed in float32, whatever the run computed in.
    """
    exact = network.replace(module=network.module.clone(dtype=jnp.float32))
    return lambda *inputs: exact.eval_mode(*inputs)


def inputs_of(config: Config, name: str = "result") -> dict[str, Tensor]:
    """Describe what the generator of this name takes, in the order in which it does.

    Sources have the size that was trained.
    """
    if translates(config):
        channels = config.channels if name == "back" else source_channels(config)
        scale = getattr(config.options, "scale", 1)
        sides = (side // scale for side in config.image_size)
        return {"source": Tensor("float32", (BATCH, *sides, channels))}
    inputs = {"z": Tensor("float32", (BATCH, config.options.latent_dim))}
    if config.num_classes:
        inputs["label"] = Tensor("int32", (BATCH,))
    if config.condition == "text":
        inputs["text"] = Tensor("float32", (BATCH, minilm.DIM))
    return inputs


def graph_of(network: Network, config: Config, name: str = "result") -> Graph:
    """Return the graph of a generator of a run: Model.generators has them by name.

    Inputs are "z" and "label" or "text", or "source"; the output is "images", float32 (N, H, W, C)
    in [-1, 1]. Sizes of sources are named "H" and "W" if the graph is the same for others, too.
    Raises Unsupported for a network of one's own that computes what there is no operator for.
    """
    function, inputs = function_of(network), inputs_of(config, name)
    graph = traced_graph(function, inputs)
    if not translates(config):
        return graph
    (source,), (images,) = inputs.values(), graph.outputs.values()
    batch, height, width, channels = source.shape
    assert isinstance(height, int) and isinstance(width, int)
    unit = unit_of(config)
    other = Tensor("float32", (batch, height + unit, width + 2 * unit, channels))
    if not _equal(graph, traced_graph(function, {"source": other})):
        return graph
    times = images.shape[1] // height if isinstance(images.shape[1], int) else 1
    sides = [f"{times}*{side}" if times > 1 else side for side in ("H", "W")]
    return dataclasses.replace(
        graph,
        inputs={"source": Tensor("float32", (batch, "H", "W", channels))},
        outputs={"images": Tensor("float32", (batch, *sides, images.shape[3]))},
    )


def _equal(a: Graph, b: Graph) -> bool:
    """Tell whether two graphs are the same operations and constants."""
    return (
        a.nodes == b.nodes
        and a.constants.keys() == b.constants.keys()
        and all(np.array_equal(array, b.constants[name]) for name, array in a.constants.items())
    )
