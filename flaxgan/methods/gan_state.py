"""The state of the method "gan": its two networks, and what else a step goes on from."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.state import FrozenNetwork, Network, adam, create_network
from flaxgan.models import ARCHITECTURES, GROWING
from flaxgan.models.feature_heads import FeatureHeads
from flaxgan.models.growth import growth_of, require_growth
from flaxgan.models.sizes import base_size, require_resolution
from flaxgan.pretrained import minilm, perceptual
from flaxgan.rng import INITIALISING, random_key
from flaxgan.system.errors import UserError


class GANState(struct.PyTreeNode):
    """Hold all that a step reads and writes, and but for `feature_network` a checkpoint holds."""

    step: Array  # int32, steps done
    # uint32; the randomness of step k is fold_in(random_key(seed, TRAINING), k): nothing else need
    # be kept
    seed: Array
    generator: Network
    discriminator: Network
    ema_params: Any = None  # the generator's, averaged over the last steps; None without --ema
    # that a picture is augmented, float32; None without --augment-target: all are
    augment_probability: Any = None
    # how far pictures move with their styles, averaged, float32; None without --path-length
    path_length: Any = None
    # a Network on the feature maps of another; None without --feature-discriminator
    feature_discriminator: Any = None
    feature_network: Any = None  # that FrozenNetwork, in training


def create_state(config: Config, total_steps: int = 1) -> GANState:
    """Return the state before the first step, for a resolved configuration.

    A learning rate falls over `total_steps`, if it does.
    """
    options = config.options
    d_rate, g_rate = (
        rate or config.learning_rate for rate in (options.d_learning_rate, options.g_learning_rate)
    )
    d_tx = adam(config, d_rate, total_steps * options.d_steps)
    g_tx = adam(config, g_rate, total_steps)

    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    z = jnp.zeros((1, options.latent_dim))
    images = jnp.zeros((1, *config.image_size, config.channels))
    architecture = ARCHITECTURES[options.architecture]
    shared = {
        "dtype": config.dtype,
        "num_classes": config.num_classes,
        "text": minilm.DIM if config.condition == "text" else None,
        "attention": options.attention,
    }
    if growth := growth_of(config):
        architecture, shared = GROWING[options.architecture], shared | {"growth": growth}
    generator = architecture.Generator(
        config.image_size,
        options.features,
        channels=config.channels,
        latent_dim=options.latent_dim,
        **getattr(architecture, "generator_fields", lambda _: {})(options),
        **shared,
    )
    discriminator = architecture.Discriminator(
        config.image_size,
        options.d_features or options.features,
        norm=options.discriminator_norm,
        spectral_norm=options.spectral_norm,
        dropout=options.dropout,
        **shared,
    )
    condition = jnp.zeros(1, jnp.int32) if config.num_classes else None
    if config.condition == "text":
        condition = jnp.zeros((1, minilm.DIM))
    g = create_network(generator, g_key, z, condition, g_tx)
    d = create_network(discriminator, d_key, images, condition, d_tx)
    heads = None
    if options.feature_discriminator:
        widths = perceptual.NETWORKS[options.feature_network].widths
        maps = [jnp.zeros((1, 4, 4, width)) for width in widths]
        key = jax.random.fold_in(d_key, 1)
        module = FeatureHeads(options.feature_network, config.dtype)
        heads = create_network(module, key, maps, None, d_tx)
    # A copy: the state is donated, and no buffer can be twice.
    ema_params = jax.tree.map(jnp.copy, g.params) if config.ema else None
    return GANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=g,
        discriminator=d,
        ema_params=ema_params,
        augment_probability=jnp.zeros(()) if options.augment_target else None,
        path_length=jnp.zeros(()) if options.path_length else None,
        feature_discriminator=heads,
    )


def check(config: Config) -> None:
    """Raise UserError if no network makes images of this size, attends there or grows so, or if
    the best checkpoint would be chosen by the network that --feature-discriminator sees.
    """
    base_size(config.image_size)
    require_resolution(config.options.attention, config.image_size)
    require_growth(config)
    teacher = config.options.teacher
    if teacher in config.extractor.split(","):
        raise UserError(
            f"--extractor {config.extractor} judges by {teacher}, which --feature-discriminator"
            " trains with: such numbers flatter; leave it out, or name another --feature-network"
        )


def frozen(config: Config) -> dict[str, FrozenNetwork]:
    """Load the network that --feature-discriminator sees, to compute in the run's dtype.

    Without that flag there is none. Raises UserError if its weights can't be had.
    """
    if not config.options.feature_discriminator:
        return {}
    network = perceptual.NETWORKS[config.options.feature_network]
    variables = jax.tree.map(lambda x: x.astype(jnp.dtype(config.dtype)), network.load(None))
    return {"feature_network": FrozenNetwork(variables, network.apply)}
