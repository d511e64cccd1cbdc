"""The state of a training: all that a step reads and writes, all that a checkpoint holds."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.models import ARCHITECTURES
from flaxgan.rng import INITIALISING, Rng, random_key


class Network(struct.PyTreeNode):
    """A Linen module with its parameters, batch-norm running statistics and optimiser."""

    params: Any
    batch_stats: Any
    opt_state: Any
    module: nn.Module = struct.field(pytree_node=False)
    tx: optax.GradientTransformation = struct.field(pytree_node=False)

    def train_mode(self, x: Array, labels: Array | None = None, rng: Rng | None = None, **fields: Any) -> tuple[Array, Any, Any]:
        """Apply with the statistics of this batch -> (output, updated running statistics, features that were sown).

        `labels`: (N,) if conditional. `rng`: for a discriminator's dropout. `fields`: of the module, changed for this call.
        """
        module = self.module.clone(**fields) if fields else self.module
        options = {} if rng is None else {"rng": rng}
        mutable = ["batch_stats", "features"]
        output, updates = module.apply(self._variables, x, labels, train=True, mutable=mutable, **options)
        return output, updates.get("batch_stats", {}), updates.get("features")

    def eval_mode(self, x: Array, labels: Array | None = None) -> Array:
        """Apply with the running statistics."""
        return self.module.apply(self._variables, x, labels, train=False)

    @property
    def _variables(self) -> dict[str, Any]:
        return {"params": self.params, "batch_stats": self.batch_stats}

    def update(self, grads: Any, batch_stats: Any) -> "Network":
        """One optimiser step."""
        updates, opt_state = self.tx.update(grads, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        return self.replace(params=params, batch_stats=batch_stats, opt_state=opt_state)


NETWORKS = ("generator", "discriminator")


class GANState(struct.PyTreeNode):
    step: Array  # int32, steps done
    seed: Array  # uint32; the randomness of step k is fold_in(random_key(seed, TRAINING), k): nothing else need be kept
    generator: Network
    discriminator: Network
    ema_params: Any = None  # the generator's, averaged over the last steps; None without --ema
    augment_probability: Any = None  # that a picture is augmented, float32; None without --augment-target: all are


SCHEDULES = {
    "constant": lambda rate, steps: rate,
    "linear": lambda rate, steps: optax.linear_schedule(rate, 0.0, steps),
    "cosine": lambda rate, steps: optax.cosine_decay_schedule(rate, steps),
}


def _network(module: nn.Module, key: Array, x: Array, tx: optax.GradientTransformation) -> Network:
    labels = jnp.zeros(len(x), jnp.int32) if module.num_classes else None
    variables = module.init(key, x, labels, train=True)
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    return Network(params=params, batch_stats=batch_stats, opt_state=tx.init(params), module=module, tx=tx)


def with_axis(state: Any, axis: str | None) -> Any:
    """Return a state of any kind whose modules average their batch statistics over pmap's `axis`; None: over none."""

    def mapped(node: Any) -> Any:
        return node.replace(module=node.module.clone(axis=axis)) if isinstance(node, Network) else node

    return jax.tree.map(mapped, state, is_leaf=lambda node: isinstance(node, Network))


def create_state(config: Config, total_steps: int = 1) -> GANState:
    """Return the state before the first step. Wants a resolved config: image_size, channels and num_classes known.

    `total_steps`: over which a learning rate falls, if it does.
    """

    def adam(rate: float, updates_a_step: int) -> optax.GradientTransformation:
        schedule = SCHEDULES[config.schedule](rate, total_steps * updates_a_step)
        return optax.adam(schedule, b1=config.beta1, b2=config.beta2)

    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    z = jnp.zeros((1, config.options.latent_dim))
    images = jnp.zeros((1, *config.image_size, config.channels))
    architecture = ARCHITECTURES[config.options.architecture]
    shared = {"dtype": config.dtype, "num_classes": config.num_classes, "attention": config.options.attention}
    generator = architecture.Generator(
        config.image_size, config.options.features, channels=config.channels, latent_dim=config.options.latent_dim, **shared
    )
    discriminator = architecture.Discriminator(
        config.image_size,
        config.options.d_features or config.options.features,
        norm=config.options.discriminator_norm,
        spectral_norm=config.options.spectral_norm,
        dropout=config.options.dropout,
        **shared,
    )
    g = _network(generator, g_key, z, adam(config.options.g_learning_rate or config.learning_rate, 1))
    d = _network(discriminator, d_key, images, adam(config.options.d_learning_rate or config.learning_rate, config.options.d_steps))
    # A copy: the state is donated, and no buffer can be twice.
    ema_params = jax.tree.map(jnp.copy, g.params) if config.ema else None
    return GANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=g,
        discriminator=d,
        ema_params=ema_params,
        augment_probability=jnp.zeros(()) if config.options.augment_target else None,
    )


def state_shape(config: Config, sharding: jax.sharding.Sharding | None = None) -> GANState:
    """The state's shapes and dtypes, which lie as `sharding` says. Computes nothing."""
    shapes = jax.eval_shape(lambda: create_state(config))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes)
