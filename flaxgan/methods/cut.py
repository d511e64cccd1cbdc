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
    adversarial_loss,
    averaged,
    check,
    copied,
    create_discriminator,
    create_translator,
    cut_and_mirrored,
    discriminator_gradients,
    generators,
    step_rng,
    translators,
)
from flaxgan.methods.updates import Batch, Metrics, accumulate_gradients, accumulate_with_outputs
from flaxgan.options import CUTOptions as Options
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


Maps = tuple[Array, ...]  # of a network, (N, h, w, C) each


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


def _encoded(generator: Network, x: Array) -> Maps:
    """Return the maps that PatchNCE compares: the picture, two halvings, two residual blocks.

    What comes after them in the network is not computed: nothing uses it.
    """
    features: Any = generator.train_mode(x)[2]
    return features["maps"]


def _halves(maps: Maps, n: int) -> tuple[Maps, Maps]:
    """Return the maps of the first n pictures, and of the others."""
    return tuple(x[:n] for x in maps), tuple(x[n:] for x in maps)


def _nce(projector: Network, found: Maps, wanted: Maps, key: Array, config: Config) -> Array:
    """Return PatchNCE between maps of sources and of what was made of them."""
    chosen = places(wanted, config.options.patches, key)
    rows = [features_at(maps, chosen) for maps in (found, wanted)]
    queries, keys = (projector.train_mode(x)[0] for x in rows)
    return patch_nce(queries, keys, config.options.temperature)


def generator_loss(
    state: CUTState, params: tuple[Any, Any], batch: Batch, rng: Rng, config: Config
) -> tuple[Array, tuple[Metrics, Array]]:
    """Return the loss of generator and projector (equation 6), its parts, and the results.

    With --flip-equivariance half of the sources are mirrored before, and the maps of their results
    mirrored back.
    """
    options, source, image = config.options, batch["source"], batch["image"]
    generator, projector = (
        network.replace(params=p)
        for network, p in zip((state.generator, state.projector), params, strict=True)
    )
    n, turn = len(source), None
    if options.flip_equivariance:
        turn = rng.fold(2).bernoulli(0.5, (n,))[:, None, None, None]
        source = jnp.where(turn, source[:, :, ::-1], source)
    # sources and pictures of the wanted kind in one go, and what is made of them
    taken = jnp.concatenate([source, image]) if options.identity_nce else source
    made, _, features = generator.train_mode(taken)
    wanted, wanted_identity = _halves(features["maps"], n)
    found, found_identity = _halves(_encoded(generator, made), n)
    if turn is not None:
        wanted = _encoded(generator, batch["source"])
        found = tuple(jnp.where(turn, x[:, :, ::-1], x) for x in found)
    judged = adversarial_loss(state.discriminator, (made[:n],), rng.fold(0), config)
    # the same places on all devices: of the key alone
    nce = _nce(projector, found, wanted, rng.fold(3).key, config)
    metrics: Metrics = {"g_loss": judged, "nce_loss": nce}
    if options.identity_nce:
        identity = _nce(projector, found_identity, wanted_identity, rng.fold(4).key, config)
        metrics["identity_nce_loss"] = identity
        nce = 0.5 * (nce + identity)
    return judged + options.nce * nce, (metrics, made[:n])


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
