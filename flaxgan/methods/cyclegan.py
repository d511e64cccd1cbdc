"""The method "cyclegan": two sets of pictures translated into each other, without pairs (Zhu et al.
2017, arXiv:1703.10593).

`generator` makes images of sources, `generator_back` sources of images; `discriminator` judges
images, `discriminator_back` sources.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.image_pool import ImagePool, exchanged
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
from flaxgan.methods.updates import Batch, Metrics, accumulate_gradients, accumulate_with_outputs
from flaxgan.options import CycleGANOptions as Options
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


class CycleGANState(struct.PyTreeNode):
    """Hold all that a step reads and writes, and a checkpoint holds."""

    step: Array  # int32, steps done
    seed: Array  # uint32
    generator: Network
    generator_back: Network
    discriminator: Network
    discriminator_back: Network
    ema_params: Any = None
    ema_params_back: Any = None
    pool: ImagePool | None = None
    pool_back: ImagePool | None = None


def create_state(config: Config, total_steps: int = 1) -> CycleGANState:
    """Return the state before the first step, for a resolved configuration."""
    keys = jax.random.split(random_key(config.seed, INITIALISING), 4)
    there, back = (create_translator(config, key, total_steps) for key in keys[:2])
    judge, judge_back = (
        create_discriminator(config, key, total_steps, config.channels) for key in keys[2:]
    )
    shape = (*config.image_size, config.channels)
    return CycleGANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=there,
        generator_back=back,
        discriminator=judge,
        discriminator_back=judge_back,
        ema_params=copied(there.params, config),
        ema_params_back=copied(back.params, config),
        pool=ImagePool.empty(config.options.pool, shape),
        pool_back=ImagePool.empty(config.options.pool, shape),
    )


def generator_loss(
    state: CycleGANState, params: tuple[Any, Any], batch: Batch, rng: Rng, config: Config
) -> tuple[Array, tuple[Metrics, dict[str, Array]]]:
    """Return the loss of both generators (equations 1 to 3, and identity, section 5.2).

    Beside it are its parts as metrics, and the results, "image" and "source".
    """
    options = config.options
    there, back = (
        network.replace(params=p)
        for network, p in zip((state.generator, state.generator_back), params, strict=True)
    )

    def apply(network: Network, x: Array) -> Array:
        return network.train_mode(x)[0]

    if options.identity:  # in one go with the results
        fake, same = jnp.split(apply(there, jnp.concatenate([batch["source"], batch["image"]])), 2)
        fake_back, same_back = jnp.split(
            apply(back, jnp.concatenate([batch["image"], batch["source"]])), 2
        )
    else:
        fake, fake_back = apply(there, batch["source"]), apply(back, batch["image"])
    judged = adversarial_loss(state.discriminator, (fake,), rng.fold(0), config)
    judged_back = adversarial_loss(state.discriminator_back, (fake_back,), rng.fold(1), config)
    cycle = l1(apply(back, fake), batch["source"]) + l1(apply(there, fake_back), batch["image"])
    metrics: Metrics = {"g_loss": judged, "g_back_loss": judged_back, "cycle_loss": cycle}
    loss = judged + judged_back + options.cycle * cycle
    if options.identity:
        identity = l1(same, batch["image"]) + l1(same_back, batch["source"])
        metrics["identity_loss"] = identity
        loss += options.identity * identity
    return loss, (metrics, {"image": fake, "source": fake_back})


def train_step(
    state: CycleGANState, batch: Batch, *, config: Config, stage: int = 0
) -> tuple[CycleGANState, Metrics]:
    """Update both generators, then both discriminators on results from the pools."""
    rng, accumulate = step_rng(state), config.accumulate
    batch = cut_and_mirrored(batch, rng.fold(0), config, paired=False)
    pair = state.generator.params, state.generator_back.params

    def g_gradients(batch: Batch, rng: Rng) -> tuple[Any, dict[str, Array]]:
        grads, (metrics, fakes) = jax.grad(
            lambda params: generator_loss(state, params, batch, rng, config), has_aux=True
        )(pair)
        return (*grads, metrics), fakes

    (grads, grads_back, metrics), fakes = accumulate_with_outputs(
        g_gradients, batch, rng.fold(1), accumulate, rng.axis
    )
    pool, fakes["image"] = exchanged(state.pool, fakes["image"], rng.fold(2))
    pool_back, fakes["source"] = exchanged(state.pool_back, fakes["source"], rng.fold(3))

    both = batch | {f"fake_{name}": x for name, x in fakes.items()}

    def judged(network: Network, name: str, rng: Rng) -> tuple[Network, Metrics]:
        def d_gradients(b: Batch, rng: Rng) -> Any:
            return discriminator_gradients(network, (b[name],), (b[f"fake_{name}"],), rng, config)

        d_grads, batch_stats, d_metrics = accumulate_gradients(
            d_gradients, both, rng, accumulate, rng.axis
        )
        return network.update(d_grads, batch_stats), d_metrics

    judge, d_metrics = judged(state.discriminator, "image", rng.fold(4))
    judge_back, back_metrics = judged(state.discriminator_back, "source", rng.fold(5))
    metrics |= d_metrics | {f"d_back{name[1:]}": x for name, x in back_metrics.items()}
    there = state.generator.update(grads, state.generator.batch_stats)
    back = state.generator_back.update(grads_back, state.generator_back.batch_stats)
    state = state.replace(
        step=state.step + 1,
        generator=there,
        generator_back=back,
        discriminator=judge,
        discriminator_back=judge_back,
        ema_params=averaged(state.ema_params, there, state.step, config),
        ema_params_back=averaged(state.ema_params_back, back, state.step, config),
        pool=pool,
        pool_back=pool_back,
    )
    return state, metrics


def to_sample(state: Any) -> Any:
    """Return a state with the two generators alone."""
    there, back = (x.replace(opt_state=()) for x in (state.generator, state.generator_back))
    without = dict.fromkeys(("discriminator", "discriminator_back", "pool", "pool_back"))
    return state.replace(generator=there, generator_back=back, **without)
