"""The method "pix2pix": pictures made from pictures, learnt from pairs (Isola et al. 2017,
arXiv:1611.07004): a discriminator of pairs, and L1.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.data.forms import source_channels
from flaxgan.methods.state import Network
from flaxgan.methods.translation import (
    adversarial_loss,
    averaged,
    check,
    copied,
    create_discriminator,
    create_translator,
    cut_and_mirrored,
    discriminator_gradients,
    generators,
    l1,
    step_rng,
    translators,
)
from flaxgan.methods.updates import Batch, Forward, Metrics, accumulate_gradients, forward
from flaxgan.options import Pix2PixOptions as Options
from flaxgan.rng import INITIALISING, Rng, random_key

__all__ = [
    "Options",
    "check",
    "create_state",
    "generators",
    "to_sample",
    "train_step",
    "translators",
]


class Pix2PixState(struct.PyTreeNode):
    """Hold all that a step reads and writes, and a checkpoint holds."""

    step: Array  # int32, steps done
    seed: Array  # uint32
    generator: Network
    discriminator: Network  # of source and picture
    ema_params: Any = None


def create_state(config: Config, total_steps: int = 1) -> Pix2PixState:
    """Return the state before the first step, for a resolved configuration."""
    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    generator = create_translator(config, g_key, total_steps)
    channels = source_channels(config) + config.channels
    return Pix2PixState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=generator,
        discriminator=create_discriminator(config, d_key, total_steps, channels),
        ema_params=copied(generator.params, config),
    )


def train_step(
    state: Pix2PixState, batch: Batch, *, config: Config, stage: int = 0
) -> tuple[Pix2PixState, Metrics]:
    """Update the discriminator, then the generator, on the same results."""
    rng, accumulate = step_rng(state), config.accumulate
    batch = cut_and_mirrored(batch, rng.fold(0), config, paired=True)

    def generate(batch: Batch, rng: Rng) -> Forward:
        return forward(state.generator, batch["source"], rng=rng)

    # in micro-batches, each step makes its results anew: it is memory that is short then
    generated = generate(batch, rng.fold(1)) if accumulate == 1 else None

    def d_gradients(batch: Batch, rng: Rng) -> Any:
        fakes = (generated or generate(batch, rng.fold(0))).outputs
        reals = batch["source"], batch["image"]
        results = batch["source"], fakes
        return discriminator_gradients(state.discriminator, reals, results, rng.fold(1), config)

    d = state.discriminator
    grads, batch_stats, d_metrics = accumulate_gradients(
        d_gradients, batch, rng.fold(2), accumulate, rng.axis
    )
    d = d.update(grads, batch_stats)

    def g_gradients(batch: Batch, rng: Rng) -> Any:
        fakes, _, pullback = generated or generate(batch, rng.fold(0))

        def loss_fn(fakes: Array) -> tuple[Array, Metrics]:
            judged = adversarial_loss(d, (batch["source"], fakes), rng.fold(1), config)
            difference = l1(fakes, batch["image"])
            metrics: Metrics = {"g_loss": judged, "l1_loss": difference}
            return judged + config.options.l1 * difference, metrics

        by_fakes, metrics = jax.grad(loss_fn, has_aux=True)(fakes)
        return *pullback(by_fakes), metrics

    grads, g_metrics = accumulate_gradients(g_gradients, batch, rng.fold(3), accumulate, rng.axis)
    generator = state.generator.update(grads, state.generator.batch_stats)
    state = state.replace(
        step=state.step + 1,
        generator=generator,
        discriminator=d,
        ema_params=averaged(state.ema_params, generator, state.step, config),
    )
    return state, d_metrics | g_metrics


def to_sample(state: Any) -> Any:
    """Return a state with the generator alone."""
    generator = state.generator.replace(opt_state=())
    return state.replace(generator=generator, discriminator=None)
