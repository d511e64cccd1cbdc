"""A generator in the forms that others read, each file checked against JAX before it is there."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from flaxgan.data.pixels import preprocess
from flaxgan.formats import onnx, safetensors, stablehlo
from flaxgan.formats.graph import OPSET, Unsupported
from flaxgan.formats.networks import function_of, graph_of, inputs_of
from flaxgan.methods import translates
from flaxgan.methods.state import Network
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing

TOLERANCE = 1e-4  # of values from -1 to 1
LEVEL = 1 / 127.5  # of uint8, in such values
ROWS, SOURCES = 64, 2  # that a file is checked on: z, or pictures to translate
NAMES = {"result": "generator", "back": "generator_back"}
Arrays = dict[str, np.ndarray]


class File:
    """A file that was written: its path, and what is to be said of it in a line."""

    def __init__(self, path: Path, note: str):
        self.path, self.note = path, note


@jax.jit
def _pictures(network: Network, *inputs: Array) -> Any:
    return function_of(network)(*inputs)


def _made(network: Network, inputs: Arrays) -> np.ndarray:
    """Return what a network makes of inputs, of z all at once, of pictures one by one."""
    size = 1 if "source" in inputs else ROWS  # programs for many pictures are large
    starts = range(0, len(next(iter(inputs.values()))), size)
    with jax.default_matmul_precision("highest"):
        return np.concatenate(
            [
                _pictures(network, *(x[start : start + size] for x in inputs.values()))
                for start in starts
            ]
        )


@dataclasses.dataclass(frozen=True)
class Export:
    """The generators of a run at one of its steps, to be written into a folder."""

    generators: dict[str, Network]
    run: TrainedRun
    step: int
    folder: Path
    device: jax.Device
    uint8: bool = False

    def names(self, format: str) -> list[str]:
        """Return the names of the files of a format."""
        each = ["generator"] if format == "safetensors" else map(NAMES.get, self.generators)
        return [f"{name}.{format}" for name in each]

    def onnx(self) -> Iterator[File]:
        """Write an ONNX file for each generator."""
        for name, network in self.generators.items():
            try:
                graph = graph_of(network, self.run.config, name)
            except Unsupported as error:
                raise UserError(
                    f"--format onnx has no operator for what this network computes"
                    f" ({_line(error)}); --format jax may take it"
                ) from error
            graph = onnx.with_uint8(graph) if self.uint8 else graph
            names = [*self.run.class_counts] if self.run.config.num_classes else []
            path = self.folder / f"{NAMES[name]}.onnx"
            with replacing(path) as temporary:
                onnx.write(temporary, graph, onnx.described(names, self.step, graph))
                found = self._checked(name, partial(onnx.run, temporary), path)
            yield File(path, f"opset {OPSET}, {graph.outputs['images'].dtype}; {found}")

    def safetensors(self) -> Iterator[File]:
        """Write one file with all generators."""
        path = self.folder / "generator.safetensors"
        with replacing(path) as temporary:
            safetensors.write(temporary, self.generators, self.run, self.step)
            networks = safetensors.read(temporary, self.device)[2]
            notes = [
                self._checked(name, partial(_made, network), path)
                for name, network in networks.items()
            ]
        yield File(path, notes[0])

    def jax(self) -> Iterator[File]:
        """Write a file of jax.export for each generator."""
        config = self.run.config
        for name, network in self.generators.items():
            path = self.folder / f"{NAMES[name]}.jax"
            with replacing(path) as temporary:
                inputs = inputs_of(config, name)
                try:
                    stablehlo.write(temporary, function_of(network), inputs, config)
                except Unsupported as error:
                    raise UserError(
                        f"--format jax can't be made of this network ({_line(error)})"
                    ) from error
                found = self._checked(name, partial(stablehlo.run, temporary), path)
            yield File(path, f"for {', '.join(stablehlo.PLATFORMS)}; {found}")

    @cached_property
    def _examples(self) -> dict[str, tuple[Arrays, np.ndarray]]:
        """Return what each generator makes in JAX, and what of: z, conditions, or uint8 sources."""
        rng, examples = np.random.default_rng(0), {}
        for name, network in self.generators.items():
            inputs: Arrays = {}
            for what, tensor in inputs_of(self.run.config, name).items():
                sizes = [size for size in tensor.shape if isinstance(size, int)]
                if what == "source":
                    inputs[what] = rng.integers(0, 256, (SOURCES, *sizes)).astype(np.uint8)
                elif what == "label":
                    inputs[what] = np.resize(
                        np.arange(len(self.run.class_counts), dtype="i4"), ROWS
                    )
                else:
                    inputs[what] = rng.standard_normal((ROWS, *sizes)).astype(np.float32)
                if what == "text":  # of length 1
                    inputs[what] /= np.linalg.norm(inputs[what], axis=1, keepdims=True)
            examples[name] = inputs, _made(network, _signed(inputs))
        return examples

    def _checked(self, name: str, run: Callable[[Arrays], np.ndarray | None], path: Path) -> str:
        """Return in words how near a file comes to JAX. Raises UserError if it is not near."""
        inputs, expected = self._examples[name]
        is_uint8 = self.uint8 and path.suffix == ".onnx"
        made = run(inputs if is_uint8 else _signed(inputs))
        if made is None:
            return "not checked: that takes onnxruntime, pip install 'flaxgan[export]'"
        values = np.asarray(made, np.float32)
        values = values * LEVEL - 1 if is_uint8 else values
        expected = expected.clip(-1, 1) if is_uint8 else expected
        largest = float(abs(values - expected).max()) if values.shape == expected.shape else np.inf
        if not largest <= TOLERANCE + is_uint8 * LEVEL:
            raise UserError(
                f"{path} would differ from the run's own pictures by up to {largest:.2g} (of 2), so"
                " it is not written; export with --device cpu, and if that fails, too, report it"
            )
        on = "pictures" if translates(self.run.config) else "z"
        return f"checked on {len(expected)} {on}: within {largest:.1g} of JAX"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _signed(inputs: Arrays) -> Arrays:
    """Return inputs as a network takes them: pictures in [-1, 1]."""
    return {
        name: np.asarray(preprocess(jnp.asarray(x))) if name == "source" else x
        for name, x in inputs.items()
    }
