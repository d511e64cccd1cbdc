"""Pictures -> features, by a published network that is only ever applied; those of real pictures
are kept in the cache.
"""

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flaxgan.pretrained import dinov2, efficientnet, inception, nsfw
from flaxgan.shared import parse_extractors
from flaxgan.system.bars import in_notebook, progress_bar
from flaxgan.system.errors import UserError, say
from flaxgan.system.files import cache_dir
from flaxgan.system.seals import sealed_array

EXTRACTORS: dict[str, Any] = {
    network.NAME: network for network in (efficientnet, nsfw, inception, dinov2.SMALL, dinov2.BASE)
}
FORMAT = 1  # part of every cache key: raise it when the same pictures would give other features
CHUNKS = 16  # that a device takes one after the other in a dispatch


def own_devices() -> list[jax.Device]:
    """Return this process's devices to extract on, of a CPU's one.

    Its virtual ones only share its cores.
    """
    devices = jax.local_devices()
    return devices[:1] if devices[0].platform == "cpu" else devices


@functools.cache
def _program(network: Any, mesh: Mesh, chunk: int) -> Callable[[Any, Array], Array]:
    """Return (variables, images) -> features, which a process traces once for a shape of images.

    Images come in whole chunks for each device, which takes one chunk after the other.
    """

    def features(variables: Any, images: Array) -> Array:
        chunks = images.reshape(-1, chunk, *images.shape[1:])
        # not TF32: a number must not depend on the GPU
        with jax.default_matmul_precision("highest"):
            rows = lax.map(functools.partial(network.features, variables), chunks)
        return rows.reshape(len(images), -1)

    batch = PartitionSpec("batch")
    in_specs = (PartitionSpec(), batch)
    return jax.jit(jax.shard_map(features, mesh=mesh, in_specs=in_specs, out_specs=batch))


class Extractor:
    """A network on all devices. The features of a picture depend on that picture alone."""

    def __init__(self, name: str, devices: list[jax.Device], weights: str | None = None):
        """Raise UserError if the weights can't be had, or are not the published ones."""
        self.name, self.network = name, EXTRACTORS[name]
        mesh = Mesh(devices, ("batch",))
        self.batch_sharding = NamedSharding(mesh, PartitionSpec("batch"))
        self.variables = jax.device_put(
            self.network.load(weights and Path(weights)), NamedSharding(mesh, PartitionSpec())
        )
        # On a CPU, what a small chunk computes stays in the processor's cache, in memory that the
        # system need not clear anew.
        self.chunk = 4 if devices[0].platform == "cpu" else 128
        self._features = _program(self.network, mesh, self.chunk)

    @property
    def protocol(self) -> dict[str, str]:
        return {
            "extractor": self.name,
            "extractor_sha256": self.network.SHA256,
            "resize": self.network.RESIZE,
        }

    def __call__(self, images: np.ndarray, title: str, mirrored: bool = False) -> np.ndarray:
        """Extract features batch by batch, with a progress bar.

        uint8 (N, H, W, 1 or 3) -> float32 (N, D).
        """
        chunk = self.chunk * len(self.batch_sharding.device_set)
        batch = chunk * min(CHUNKS, -(-len(images) // chunk))
        features = np.empty((len(images), self.network.DIM), np.float32)
        for start in progress_bar(range(0, len(images), batch), desc=title, unit="batch"):
            x = images[start : start + batch]
            # whole batches: one program
            x = np.concatenate([x, np.zeros((batch - len(x), *x.shape[1:]), np.uint8)])
            x = x[:, :, ::-1] if mirrored else x
            features[start : start + batch] = np.asarray(
                self._features(self.variables, jax.device_put(x, self.batch_sharding))
            )[: len(images) - start]
        return features

    def cached(
        self, images: np.ndarray, sha256: str, title: str, mirrored: bool = False
    ) -> np.ndarray:
        """Return features as a call does, kept in the cache under the images' `sha256`."""
        key = [FORMAT, self.protocol, sha256, mirrored]
        path = (
            cache_dir()
            / "features"
            / f"{self.name}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.npy"
        )

        def extracted() -> np.ndarray:
            # where a progress bar would say it
            if not sys.stderr.isatty() and not in_notebook():
                say(f"{title}: {len(images)} pictures", flush=True)
            return self(images, title, mirrored)

        return sealed_array(path, extracted, "features")


def open_extractors(
    names: str, inception_weights: str | None = None, dinov2_weights: str | None = None
) -> list[Extractor]:
    """Open the extractors of these names, which have commas between, on this process's devices.

    Raises UserError if weights can't be had, or a file is named for a network that is not asked
    for.
    """
    try:
        names = parse_extractors(names)
    except argparse.ArgumentTypeError as error:
        raise UserError(f"--extractor: {error}") from error
    files = {"inception": inception_weights, "dinov2": dinov2_weights}
    family = {name: name.partition("_")[0] for name in names.split(",")}
    for network, file in files.items():
        if file and network not in family.values():
            raise UserError(
                f"--{network}-weights belongs to --extractor {network}, not {names}; leave one of"
                " them out"
            )
    return [Extractor(name, own_devices(), files.get(family[name])) for name in family]
