"""Generators as files of jax.export: StableHLO, which JAX alone loads and runs on any device."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from flaxgan.config import Config
from flaxgan.convolutions.plain import plain_convolutions
from flaxgan.formats.graph import BATCH, Tensor, of_any_batch
from flaxgan.formats.networks import Function
from flaxgan.methods import translates
from flaxgan.methods.filled import unit_of
from flaxgan.system.extras import imported

PLATFORMS = ("cpu", "cuda", "tpu")
LEAST = 8  # pixels, where edges are mirrored


def write(path: Path, function: Function, inputs: dict[str, Tensor], config: Config) -> None:
    """Write a function of any number of rows and, if it translates, of any size of picture."""
    imported("flatbuffers", "export", "--format jax")
    from jax import export

    if translates(config):
        unit = unit_of(config)
        sides = [f"{unit}*{side}" if unit > 1 else side for side in ("H", "W")]
        least = [f"{side} >= {max(1, LEAST // unit) if unit > 1 else 1}" for side in ("H", "W")]
        batch, *sizes = export.symbolic_shape(", ".join([BATCH, *sides]), constraints=least)
    else:
        batch, *sizes = export.symbolic_shape(BATCH)
    shapes = [
        jax.ShapeDtypeStruct((batch, *sizes, *tensor.shape[1 + len(sizes) :]), tensor.dtype)
        for tensor in inputs.values()
    ]
    # in float32 on a GPU and a TPU, too, whose default is coarser
    with of_any_batch(), plain_convolutions(), jax.default_matmul_precision("highest"):
        exported = export.export(jax.jit(function), platforms=PLATFORMS)(*shapes)
    path.write_bytes(exported.serialize())


def run(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Return what a file makes of arrays, on JAX's own device."""
    from jax import export

    call: Any = export.deserialize(bytearray(path.read_bytes())).call
    return np.asarray(call(*inputs.values()))
