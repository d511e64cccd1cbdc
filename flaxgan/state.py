"""The state of a training: all that a step reads and writes, all that a checkpoint holds."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.models import Discriminator, Generator


class Network(struct.PyTreeNode):
    """A Linen module with its parameters, batch-norm running statistics and optimiser."""

    params: Any
    batch_stats: Any
    opt_state: Any
    module: nn.Module = struct.field(pytree_node=False)
    tx: optax.GradientTransformation = struct.field(pytree_node=False)

    def train_mode(self, params: Any, batch_stats: Any, x: Array, axis_name: str | None = None) -> tuple[Array, Any]:
        """Apply with the statistics of this batch -> (output, updated running statistics)."""
        variables = {"params": params, "batch_stats": batch_stats}
        output, updates = self.module.apply(variables, x, train=True, axis_name=axis_name, mutable=["batch_stats"])
        return output, updates["batch_stats"]

    def eval_mode(self, x: Array) -> Array:
        """Apply with the running statistics."""
        return self.module.apply({"params": self.params, "batch_stats": self.batch_stats}, x, train=False)

    def update(self, grads: Any, batch_stats: Any) -> "Network":
        """One optimiser step."""
        updates, opt_state = self.tx.update(grads, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        return self.replace(params=params, batch_stats=batch_stats, opt_state=opt_state)


NETWORKS = ("generator", "discriminator")


# What random numbers are for: each use draws from a stream of its own.
INITIALISING, TRAINING, SAMPLING, SELECTING = range(4)


def random_key(seed: int | Array, use: int) -> Array:
    """The key of one of the streams of a seed."""
    return jax.random.fold_in(jax.random.key(seed), use)


class GANState(struct.PyTreeNode):
    step: Array  # int32, steps done
    seed: Array  # uint32; the randomness of step k is fold_in(random_key(seed, TRAINING), k): nothing else need be kept
    generator: Network
    discriminator: Network


def _network(module: nn.Module, key: Array, x: Array, learning_rate: float, config: Config) -> Network:
    tx = optax.adam(learning_rate, b1=config.beta1, b2=config.beta2)
    variables = module.init(key, x, train=True)
    params, batch_stats = variables["params"], variables["batch_stats"]
    return Network(params=params, batch_stats=batch_stats, opt_state=tx.init(params), module=module, tx=tx)


def create_state(config: Config) -> GANState:
    """The state before the first step. Wants a resolved config: image_size and channels known."""
    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    z = jnp.zeros((1, config.latent_dim))
    images = jnp.zeros((1, *config.image_size, config.channels))
    generator = Generator(config.image_size, config.channels, config.features, config.latent_dim, config.dtype)
    discriminator = Discriminator(config.image_size, config.features, config.dtype)
    return GANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=_network(generator, g_key, z, config.g_learning_rate or config.learning_rate, config),
        discriminator=_network(discriminator, d_key, images, config.d_learning_rate or config.learning_rate, config),
    )
