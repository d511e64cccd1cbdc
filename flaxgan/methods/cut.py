"""The method "cut": pictures translated one way, without pairs (Park et al. 2020,
arXiv:2007.15651): a discriminator, and PatchNCE, which keeps what is where.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.nce import Projector, features_at, patch_nce, places
from flaxgan.methods.state import Network, adam, create_network
from flaxgan.methods.translation import (
    Translate,
    adversarial_loss,
    averaged,
    check,
    copied,
    create_discriminator,
    create_translator,
    cut_and_mirrored,
    discriminator_gradients,
    step_rng,
    translate,
)
from flaxgan.methods.updates import Batch, Metrics, accumulate_gradients, accumulate_with_outputs
from flaxgan.options import CUTOptions as Options
from flaxgan.rng import INITIALISING, Rng, random_key

__all__ = ["Options", "check", "create_state", "to_sample", "train_step", "translators"]


class CUTState(struct.PyTreeNode):
    """Hold all that a step reads and writes, and a checkpoint holds."""

    step: Array  # int32, steps done
    seed: Array  # uint32
    generator: Network
    discriminator: Network
    projector: Network  # of the generator's features, for PatchNCE
    ema_params: Any = None


def create_state(config: Config, total_steps: int = 1) -> CUTState:
    """Return the state before the first step, for a resolved configuration."""
    g_key, d_key, p_key = jax.random.split(random_key(config.seed, INITIALISING), 3)
    generator = create_translator(config, g_key, total_steps)
    x = jnp.zeros((1, *config.image_size, config.channels))
    widths = [maps.shape[-1] for maps in jax.eval_shape(lambda: _encoded(generator, x))]
    rate = config.options.g_learning_rate or config.learning_rate
    projector = create_network(
        Projector(),
        p_key,
        [jnp.zeros((1, 1, width)) for width in widths],
        None,
        adam(config, rate, total_steps),
    )
    return CUTState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=generator,
        discriminator=create_discriminator(config, d_key, total_steps, config.channels),
        projector=projector,
        ema_params=copied(generator.params, config),
    )


def _encoded(generator: Network, x: Array) -> tuple[Array, ...]:
    """Return the maps that PatchNCE compares: the picture, two halvings, two residual blocks.

    What comes after them in the network is not computed: nothing uses it.
    """
    features: Any = generator.train_mode(x)[2]
    return features["maps"]


def _nce(
    generator: Network,
    projector: Network,
    sources: Array,
    results: Array,
    key: Array,
    mirrored: Array | None,
    config: Config,
) -> Array:
    """Return PatchNCE between sources and what was made of them.

    `mirrored` bool (N,): of results that were made of mirrored sources, features are mirrored back.
    """
    found, wanted = _encoded(generator, results), _encoded(generator, sources)
    if mirrored is not None:
        turn = mirrored[:, None, None, None]
        found = tuple(jnp.where(turn, x[:, :, ::-1], x) for x in found)
    chosen = places(wanted, config.options.patches, key)
    rows = [features_at(maps, chosen) for maps in (found, wanted)]
    queries, keys = (projector.train_mode(x)[0] for x in rows)
    return patch_nce(queries, keys, config.options.temperature)


def generator_loss(
    state: CUTState, params: tuple[Any, Any], batch: Batch, rng: Rng, config: Config
) -> tuple[Array, tuple[Metrics, Array]]:
    """Return the loss of generator and projector (equation 6), its parts, and the results."""
    options, source, image = config.options, batch["source"], batch["image"]
    generator, projector = (
        network.replace(params=p)
        for network, p in zip((state.generator, state.projector), params, strict=True)
    )
    mirrored, taken = None, source
    if options.flip_equivariance:
        mirrored = rng.fold(2).bernoulli(0.5, (len(source),))
        taken = jnp.where(mirrored[:, None, None, None], source[:, :, ::-1], source)
    both = [taken, image] if options.identity_nce else [taken]
    made = generator.train_mode(jnp.concatenate(both))[0]
    fake = made[: len(source)]
    metrics: Metrics = {
        "g_loss": adversarial_loss(state.discriminator, (fake,), rng.fold(0), config)
    }
    # the same places on all devices: of the key alone
    metrics["nce_loss"] = nce = _nce(
        generator, projector, source, fake, rng.fold(3).key, mirrored, config
    )
    if options.identity_nce:
        metrics["identity_nce_loss"] = identity = _nce(
            generator, projector, image, made[len(source) :], rng.fold(4).key, None, config
        )
        nce = 0.5 * (nce + identity)
    return metrics["g_loss"] + options.nce * nce, (metrics, fake)


def train_step(
    state: CUTState, batch: Batch, *, config: Config, stage: int = 0
) -> tuple[CUTState, Metrics]:
    """Update generator and projector, then the discriminator, on the same results."""
    rng, accumulate = step_rng(state), config.accumulate
    batch = cut_and_mirrored(batch, rng.fold(0), config, paired=False)
    pair = state.generator.params, state.projector.params

    def g_gradients(batch: Batch, rng: Rng) -> tuple[Any, Array]:
        grads, (metrics, fake) = jax.grad(
            lambda params: generator_loss(state, params, batch, rng, config), has_aux=True
        )(pair)
        return (*grads, metrics), fake

    (grads, p_grads, metrics), fakes = accumulate_with_outputs(
        g_gradients, batch, rng.fold(1), accumulate, rng.axis
    )

    def d_gradients(b: Batch, rng: Rng) -> Any:
        parts = (b["image"],), (b["fake"],)
        return discriminator_gradients(state.discriminator, *parts, rng, config)

    d_grads, batch_stats, d_metrics = accumulate_gradients(
        d_gradients, batch | {"fake": fakes}, rng.fold(2), accumulate, rng.axis
    )
    generator = state.generator.update(grads, state.generator.batch_stats)
    state = state.replace(
        step=state.step + 1,
        generator=generator,
        discriminator=state.discriminator.update(d_grads, batch_stats),
        projector=state.projector.update(p_grads, state.projector.batch_stats),
        ema_params=averaged(state.ema_params, generator, state.step, config),
    )
    return state, d_metrics | metrics


def to_sample(state: Any) -> Any:
    """Return a state with the generator alone."""
    generator = state.generator.replace(opt_state=())
    return state.replace(generator=generator, discriminator=None, projector=None)


def translators(state: Any, config: Config) -> dict[str, Translate]:
    """Return what translates sources: "result"."""
    return {"result": lambda images: translate(state.generator, state.ema_params, images)}
