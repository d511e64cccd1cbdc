"""What is exported of a run: its generator as a function of arrays, in float32."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from flaxgan.config import Config
from flaxgan.data.forms import source_channels
from flaxgan.formats.graph import BATCH, Graph, Tensor
from flaxgan.formats.tracing import traced_graph
from flaxgan.methods import translates
from flaxgan.methods.state import Network

Function = Callable[..., Any]


def function_of(network: Network) -> Function:
    """Return a generator as a function of z float32 (N, D) and, if it has classes, of labels.

    Of a translating network it takes pictures, float32 (N, H, W, C) in [-1, 1]. It returns pictures
    of that form. All is computed in float32, whatever the run computed in.
    """
    exact = network.replace(module=network.module.clone(dtype=jnp.float32))
    return lambda *inputs: exact.eval_mode(*inputs)


def inputs_of(config: Config, name: str = "result") -> dict[str, Tensor]:
    """Describe what the generator of this name takes, in the order in which it does."""
    if translates(config):
        channels = config.channels if name == "back" else source_channels(config)
        scale = getattr(config.options, "scale", 1)
        sides = (side // scale for side in config.image_size)
        return {"source": Tensor("float32", (BATCH, *sides, channels))}
    inputs = {"z": Tensor("float32", (BATCH, config.options.latent_dim))}
    if config.num_classes:
        inputs["label"] = Tensor("int32", (BATCH,))
    return inputs


def graph_of(network: Network, config: Config, name: str = "result") -> Graph:
    """Return the graph of a generator of a run: Model.generators has them by name.

    Inputs "z" and "label", or "source"; output "images", float32 (N, H, W, C) in [-1, 1].
    """
    return traced_graph(function_of(network), inputs_of(config, name))
