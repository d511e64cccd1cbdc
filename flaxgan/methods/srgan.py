"""The method "srgan": small pictures made larger (Ledig et al. 2017, arXiv:1609.04802), in two
phases of one run: from pixels alone, then with a discriminator and a published network's features.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.state import FrozenNetwork, Network, adam, create_network
from flaxgan.methods.translation import (
    adversarial_loss,
    averaged,
    check,
    copied,
    create_discriminator,
    cut_and_mirrored,
    discriminator_gradients,
    generators,
    l1,
    step_rng,
    translators,
)
from flaxgan.methods.updates import Batch, Forward, Metrics, accumulate_gradients, forward
from flaxgan.models import srresnet
from flaxgan.options import SRGANOptions as Options
from flaxgan.pretrained import perceptual
from flaxgan.rng import INITIALISING, Rng, random_key

__all__ = [
    "Options",
    "check",
    "create_state",
    "frozen",
    "generators",
    "stage",
    "to_sample",
    "train_step",
    "translators",
]
PIXELS, ADVERSARIAL = 0, 1  # the stages


class SRGANState(struct.PyTreeNode):
    """Hold all that a step reads and writes, and but for `features` a checkpoint holds."""

    step: Array  # int32, steps done
    seed: Array  # uint32
    generator: Network
    discriminator: Network
    ema_params: Any = None
    features: Any = None  # a FrozenNetwork, in training


def create_state(config: Config, total_steps: int = 1) -> SRGANState:
    """Return the state before the first step, for a resolved configuration."""
    options = config.options
    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    module = srresnet.Generator(
        channels=config.channels,
        features=options.features,
        dtype=config.dtype,
        scale=options.scale,
        blocks=options.blocks or 16,
    )
    small = (side // options.scale for side in config.image_size)
    rate = options.g_learning_rate or config.learning_rate
    generator = create_network(
        module,
        g_key,
        jnp.zeros((1, *small, config.channels)),
        None,
        adam(config, rate, total_steps),
    )
    return SRGANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=generator,
        discriminator=create_discriminator(config, d_key, total_steps, config.channels),
        ema_params=copied(generator.params, config),
    )


def frozen(config: Config) -> dict[str, FrozenNetwork]:
    """Load the network whose features are compared. Raises UserError if it can't be had."""
    network, file = perceptual.NETWORKS[config.options.perceptual_network], None
    if config.options.perceptual_network == "vgg19":
        file = config.options.vgg19_weights
    return {"features": FrozenNetwork(network.load(file and Path(file)), network.apply)}


def stage(config: Config, step: int) -> int:
    """Return the phase of a step, from 0: PIXELS, or ADVERSARIAL."""
    first = config.options.pixel_images or 0
    return ADVERSARIAL if step * config.images_per_step >= first else PIXELS


def train_step(
    state: SRGANState, batch: Batch, *, config: Config, stage: int = PIXELS
) -> tuple[SRGANState, Metrics]:
    """Update the generator, and in the second phase the discriminator, on the same results."""
    options, rng, accumulate = config.options, step_rng(state), config.accumulate
    batch = cut_and_mirrored(batch, rng.fold(0), config, paired=True)

    def generate(batch: Batch) -> Forward:
        return forward(state.generator, batch["source"])

    generated = generate(batch) if accumulate == 1 else None

    def g_gradients(batch: Batch, rng: Rng) -> Any:
        made, _, pullback = generated or generate(batch)

        def loss_fn(made: Array) -> tuple[Array, Metrics]:
            squared = jnp.square(made - batch["image"]).mean()
            pixels = l1(made, batch["image"]) if options.pixel_loss == "l1" else squared
            metrics: Metrics = {f"{options.pixel_loss}_loss": pixels}
            if stage == PIXELS:
                return pixels, metrics
            maps = (perceptual.maps(state.features, x) for x in (made, batch["image"]))
            metrics["perceptual_loss"] = perceptual.distance(*maps)
            metrics["g_loss"] = adversarial_loss(state.discriminator, (made,), rng, config)
            weighted = (
                options.pixel * pixels,
                options.perceptual * metrics["perceptual_loss"],
                options.adversarial * metrics["g_loss"],
            )
            return sum(weighted[1:], weighted[0]), metrics

        by_made, metrics = jax.grad(loss_fn, has_aux=True)(made)
        return *pullback(by_made), metrics

    grads, metrics = accumulate_gradients(g_gradients, batch, rng.fold(1), accumulate, rng.axis)
    discriminator = state.discriminator
    if stage == ADVERSARIAL:

        def d_gradients(batch: Batch, rng: Rng) -> Any:
            parts = (batch["image"],), ((generated or generate(batch)).outputs,)
            return discriminator_gradients(discriminator, *parts, rng, config)

        d_grads, batch_stats, d_metrics = accumulate_gradients(
            d_gradients, batch, rng.fold(2), accumulate, rng.axis
        )
        discriminator = discriminator.update(d_grads, batch_stats)
        metrics |= d_metrics
    generator = state.generator.update(grads, state.generator.batch_stats)
    state = state.replace(
        step=state.step + 1,
        generator=generator,
        discriminator=discriminator,
        ema_params=averaged(state.ema_params, generator, state.step, config),
    )
    return state, metrics


def to_sample(state: Any) -> Any:
    """Return a state with the generator alone."""
    generator = state.generator.replace(opt_state=())
    return state.replace(generator=generator, discriminator=None)
