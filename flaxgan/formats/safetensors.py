"""A generator in one file that can be shared: arrays and a configuration, and no code."""

import json
import os
import stat
from pathlib import Path, PureWindowsPath
from typing import Any

import jax
import numpy as np

import flaxgan
from flaxgan.methods import generator_shapes
from flaxgan.methods.state import Network
from flaxgan.runs.digests import Damaged, digests, require_equal
from flaxgan.runs.schema import LARGEST
from flaxgan.runs.trained import TrainedRun, parsed_config, run_of
from flaxgan.system.errors import UserError
from flaxgan.system.extras import imported

SUFFIX = ".safetensors"
MOST_STEPS = 2**53


def write(path: Path, generators: dict[str, Network], run: TrainedRun, step: int) -> None:
    """Write the generators of a run, as they are used, with its configuration."""
    module = imported("safetensors.numpy", "export", "--format safetensors")
    networks = {name: network.replace(opt_state=()) for name, network in generators.items()}
    arrays = {key: np.asarray(leaf, order="C") for key, leaf in _leaves(networks).items()}
    metadata = {"config": json.dumps(shared(run)), "step": str(step)}
    metadata["sha256"] = json.dumps(digests(arrays))
    path.write_bytes(module.save(arrays, metadata))


def shared(run: TrainedRun) -> dict[str, Any]:
    """Return a config.json for others: without paths of this machine, and what a run went through.

    Of a path its last part is left.
    """
    fields = {name: local_name(value) for name, value in run.config.to_dict().items()}
    data: dict[str, Any] = {"images": run.num_images} if run.num_images else {}
    if run.values:
        data["values"] = run.values
    if run.config.num_classes:
        data["class_names"] = [*run.class_counts]
        data["class_counts"] = [*run.class_counts.values()]
    return {"flaxgan_version": flaxgan.__version__, **fields, "data": data}


def local_name(value: Any) -> Any:
    """Return the last part of what is a path, and anything else as it is."""
    if not isinstance(value, str):
        return value
    is_path = os.path.isabs(value) or PureWindowsPath(value).is_absolute() or value[:1] in ".~"
    return PureWindowsPath(value).name or value if is_path else value


def read(path: Path, device: jax.Device) -> tuple[TrainedRun, int, dict[str, Network]]:
    """Return the run that a file is of, its step, and its generators on a device.

    Nothing but JSON and arrays is read, and these only if they are those of the networks that the
    configuration describes. Raises UserError for any other file.
    """
    library = imported("safetensors", "export", f"reading {path.name}")
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")
        with library.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if missing := {"config", "step", "sha256"} - metadata.keys():
                raise ValueError(f"it does not say its {' and '.join(sorted(missing))}")
            if len(metadata["config"]) > LARGEST:
                raise ValueError(f"its configuration has more than {LARGEST} bytes")
            step = int(metadata["step"]) if metadata["step"].isdecimal() else MOST_STEPS
            if step >= MOST_STEPS:
                raise ValueError("its step is no whole number")
            saved, config = parsed_config(metadata["config"], path)
            run = run_of(saved, config, path)
            networks = _networks(file, run, device)
            require_equal(_leaves(networks), _digests(metadata["sha256"]))
            return run, step, networks
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}; name a run's folder, or a file") from error
    except (OSError, ValueError, OverflowError, Damaged, library.SafetensorError) as error:
        raise UserError(
            f"{path} is no generator that flaxgan can read: {error}; fetch it again, or have it"
            " exported anew"
        ) from error


def _digests(text: str) -> dict[str, str]:
    try:
        written = json.loads(text)
    except RecursionError:
        raise ValueError("its digests are nested too deeply") from None
    if not isinstance(written, dict):
        raise ValueError("its digests are no object")
    return written


def _networks(file: Any, run: TrainedRun, device: jax.Device) -> dict[str, Network]:
    """Read the arrays of a file. Raises ValueError if they are not the networks'."""
    there, config = {*file.keys()}, run.config
    if (getattr(config.options, "blocks", None) or 0) > len(there):
        raise ValueError("it has fewer arrays than its configuration describes")
    if config.num_classes and config.num_classes != len(run.class_counts):
        raise ValueError("it does not name its classes")
    shapes = generator_shapes(config)
    wanted = _leaves(shapes)
    if wrong := sorted(wanted.keys() ^ there):
        raise ValueError(f"its arrays are not those of its configuration ({wrong[0]})")
    for key, leaf in wanted.items():
        array = file.get_slice(key)
        if tuple(array.get_shape()) != leaf.shape or array.get_dtype() != "F32":
            raise ValueError(f"{key} is no array of float32 {leaf.shape}")

    def filled(path: Any, _: Any) -> jax.Array:
        return jax.device_put(file.get_tensor(_key(path)), device)

    return jax.tree.map_with_path(filled, shapes)


def _leaves(generators: dict[str, Network]) -> dict[str, Any]:
    return {_key(path): leaf for path, leaf in jax.tree.leaves_with_path(generators)}


def _key(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
