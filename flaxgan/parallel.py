"""Devices, and the training step compiled for all of them."""

import functools
import os

import jax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flaxgan.config import Config
from flaxgan.data.cache import cache_dir
from flaxgan.errors import UserError
from flaxgan.state import GANState, create_state
from flaxgan.steps import Metrics, train_step


def set_up_devices(device: str) -> list[jax.Device]:
    """Choose what to compute on, once a process and before the first computation. Raises UserError if it is not there."""
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "xla"))
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    try:
        return jax.devices(None if device in ("auto", "cpu") else device)
    except (RuntimeError, AssertionError) as error:  # an assertion where JAX_PLATFORMS names what no plugin brings
        asked = f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS')}" if device == "auto" else f"--device {device}"
        raise UserError(
            f"{asked}: JAX finds no such device here "
            '(NVIDIA GPU: pip install "jax[cuda12]"; TPU: pip install "jax[tpu]"; or --device cpu)'
        ) from error


def require_divisible(batch_size: int, devices: list[jax.Device]) -> None:
    if batch_size % len(devices):
        raise UserError(f"--batch-size {batch_size} can't be split evenly among {len(devices)} devices")


class Compiled:
    """State replicated over all devices, batches split among them; batch norm sees the whole batch (jit's semantics)."""

    def __init__(self, config: Config, devices: list[jax.Device]):
        mesh = Mesh(devices, ("batch",))
        self.replicated = NamedSharding(mesh, PartitionSpec())
        self.split = NamedSharding(mesh, PartitionSpec("batch"))
        self.create_state = jax.jit(functools.partial(create_state, config), out_shardings=self.replicated)
        self.state_shape: GANState = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated),
            jax.eval_shape(self.create_state),
        )
        images = jax.ShapeDtypeStruct((config.batch_size, *config.image_size, config.channels), "uint8", sharding=self.split)
        step = jax.jit(functools.partial(train_step, flip=config.flip), donate_argnums=0, out_shardings=self.replicated)
        self._train_step = step.lower(self.state_shape, images).compile()

    def train_step(self, state: GANState, images: Array) -> tuple[GANState, Metrics]:
        """One step on uint8 images (batch_size, H, W, C) in host memory. The state is donated: use the one returned."""
        return self._train_step(state, jax.device_put(images, self.split))
