"""The method "gan": a generator and a discriminator, trained against each other by pure functions
of state and batch.

A batch within a step is a dict: "image" (N, H, W, C) in [-1, 1], "z" (N, latent_dim) and, if
conditional, "label" int32 (N,). Under pmap it is a device's part of the batch, and the modules'
`axis` is the mapped axis; else it is the whole batch, wherever its parts lie.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.augment import adapted_probability, augmented
from flaxgan.methods.losses import LOSSES, feature_matching
from flaxgan.methods.penalties import PENALTIES
from flaxgan.methods.sampling import inputs, sampler, to_sample
from flaxgan.methods.state import Network, adam, create_network
from flaxgan.methods.updates import (
    Batch,
    Forward,
    Metrics,
    accumulate_gradients,
    forward,
    interleave,
    update_ema,
)
from flaxgan.models import ARCHITECTURES
from flaxgan.models.sizes import base_size, require_resolution
from flaxgan.options import GANOptions as Options
from flaxgan.rng import INITIALISING, TRAINING, Rng, random_key

__all__ = [
    "GANState",
    "Options",
    "check",
    "create_state",
    "inputs",
    "sampler",
    "to_sample",
    "train_step",
]


class GANState(struct.PyTreeNode):
    """All that a step reads and writes, all that a checkpoint holds."""

    step: Array  # int32, steps done
    # uint32; the randomness of step k is fold_in(random_key(seed, TRAINING), k): nothing else need
    # be kept
    seed: Array
    generator: Network
    discriminator: Network
    ema_params: Any = None  # the generator's, averaged over the last steps; None without --ema
    # that a picture is augmented, float32; None without --augment-target: all are
    augment_probability: Any = None


def create_state(config: Config, total_steps: int = 1) -> GANState:
    """Return the state before the first step. Wants a resolved config: image_size, channels and
    num_classes known.

    `total_steps`: over which a learning rate falls, if it does.
    """
    options = config.options
    d_rate, g_rate = (
        rate or config.learning_rate for rate in (options.d_learning_rate, options.g_learning_rate)
    )
    d_tx, g_tx = (
        adam(config, d_rate, total_steps * options.d_steps),
        adam(config, g_rate, total_steps),
    )

    g_key, d_key = jax.random.split(random_key(config.seed, INITIALISING))
    z = jnp.zeros((1, options.latent_dim))
    images = jnp.zeros((1, *config.image_size, config.channels))
    architecture = ARCHITECTURES[options.architecture]
    shared = {
        "dtype": config.dtype,
        "num_classes": config.num_classes,
        "attention": options.attention,
    }
    generator = architecture.Generator(
        config.image_size,
        options.features,
        channels=config.channels,
        latent_dim=options.latent_dim,
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
    labels = jnp.zeros(1, jnp.int32) if config.num_classes else None
    g = create_network(generator, g_key, z, labels, g_tx)
    d = create_network(discriminator, d_key, images, labels, d_tx)
    # A copy: the state is donated, and no buffer can be twice.
    ema_params = jax.tree.map(jnp.copy, g.params) if config.ema else None
    return GANState(
        step=jnp.zeros((), jnp.int32),
        seed=jnp.uint32(config.seed),
        generator=g,
        discriminator=d,
        ema_params=ema_params,
        augment_probability=jnp.zeros(()) if options.augment_target else None,
    )


def check(config: Config) -> None:
    """Raise UserError if no network has images of this size, or no feature map the size that
    attention is asked at.
    """
    base_size(config.image_size)
    require_resolution(config.options.attention, config.image_size)


def _generate(state: GANState, batch: Batch) -> Forward:
    return forward(state.generator, batch["z"], batch.get("label"))


def discriminator_view(state: GANState, config: Config) -> Callable[[Array, Rng], Array]:
    """Return what changes images (N, H, W, C) to what the discriminator sees in this step. Noise
    falls linearly to 0.
    """
    noise = None
    if config.options.instance_noise:
        noise = config.options.instance_noise * jnp.maximum(
            0, 1 - state.step * (config.images_per_step / config.options.instance_noise_images)
        )
    return partial(
        augmented,
        augmentations=config.options.augmentations,
        probability=state.augment_probability,
        noise=noise,
    )


def discriminator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the discriminator once, on images and on those `generated` from z, which have the same
    labels.

    Both pass at once, each kind normalised by its own batch statistics (DCGAN practice); the
    running statistics take in both. The generator is left as it was. Without `generated`, the
    images are made here.
    """
    d, view = state.discriminator, discriminator_view(state, config)
    penalties = [(weight, PENALTIES[name]) for name, weight in config.options.penalties.items()]

    def of(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        labels = batch.get("label")
        reals = view(batch["image"], rng.fold(0))
        fakes = view((generated or _generate(state, batch)).outputs, rng.fold(1))

        def loss_fn(params):
            network = d.replace(params=params)
            both_logits, batch_stats, _ = network.train_mode(
                interleave(reals, fakes), interleave(labels, labels), rng=rng.fold(2), kinds=2
            )
            judged = both_logits[::2], both_logits[1::2], 1 - config.options.label_smoothing
            loss = LOSSES[config.options.loss].discriminator(*judged)
            real_correct, fake_correct = LOSSES[config.options.loss].correct(*judged)
            metrics = {
                "d_loss": loss,
                "d_real_accuracy": real_correct.mean(),
                "d_fake_accuracy": fake_correct.mean(),
            }

            def logits(x: Array) -> Array:
                return network.train_mode(x, labels, rng=rng.fold(3))[0]

            if penalties:
                metrics["d_penalty"] = sum(
                    weight * penalty(logits, reals, fakes, rng.fold(4))
                    for weight, penalty in penalties
                )
            return loss + metrics.get("d_penalty", 0), (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(d.params)
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = accumulate_gradients(
        of, batch, rng, config.accumulate, d.module.axis
    )
    if state.augment_probability is not None and config.options.augmentations:
        metrics["augment_probability"] = state.augment_probability
        state = state.replace(
            augment_probability=adapted_probability(
                state.augment_probability,
                metrics["d_real_accuracy"],
                config.options.augment_target,
                config.batch_size,
            )
        )
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the generator once against the discriminator, which is left as it was, running
    statistics included.

    What the discriminator makes of the real images is computed only if the loss asks for it: else
    it is dead code.
    """
    d, view = state.discriminator, discriminator_view(state, config)

    def of(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        fakes, batch_stats, pullback = generated or _generate(state, batch)

        def judge(x: Array, rng: Rng) -> tuple[Array, Array]:
            logits, _, features = d.train_mode(
                view(x, rng.fold(0)), batch.get("label"), rng=rng.fold(1)
            )
            return logits, features["last"][0]

        real_logits, real_features = judge(batch["image"], rng.fold(0))

        def loss_fn(fakes):
            fake_logits, fake_features = judge(fakes, rng.fold(1))
            loss = LOSSES[config.options.loss].generator(real_logits, fake_logits)
            if config.options.feature_matching:
                loss += config.options.feature_matching * feature_matching(
                    real_features, fake_features, d.module.axis
                )
            return loss

        loss, image_grads = jax.value_and_grad(loss_fn)(fakes)
        (grads,) = pullback(image_grads)
        return grads, batch_stats, {"g_loss": loss}

    grads, batch_stats, metrics = accumulate_gradients(
        of, batch, rng, config.accumulate, d.module.axis
    )
    return state.replace(generator=state.generator.update(grads, batch_stats)), metrics


def train_step(
    state: GANState, batch: Batch, *, config: Config, stage: int = 0
) -> tuple[GANState, Metrics]:
    """Return the next state and the step's metrics, float32 scalars on the device, for a batch of
    uint8 images.

    Each of --d-steps updates of the discriminator has its own share of the images; the last shares
    it with the generator.
    """
    num = len(batch["image"])
    rng = Rng(random_key(state.seed, TRAINING), state.generator.module.axis).fold(state.step)
    mirrored = rng.fold(1).bernoulli(0.5, (num,)) if config.flip else None
    whole = {
        "image": preprocess(batch["image"], mirrored),
        "z": rng.fold(0).normal((num, state.generator.module.latent_dim)),
    }
    if config.conditional:
        whole["label"] = batch["label"]
    for part in range(config.options.d_steps):
        own = jax.tree.map(lambda x, part=part: x[part :: config.options.d_steps], whole)
        # In micro-batches, each step makes its images anew: it is memory that is short then.
        generated = _generate(state, own) if config.accumulate == 1 else None
        state, d_metrics = discriminator_step(state, own, rng.fold(2 + 2 * part), config, generated)
    state, g_metrics = generator_step(state, own, rng.fold(3), config, generated)
    if config.ema:
        averaged = update_ema(
            state.ema_params,
            state.generator.params,
            state.step + 1,
            config.ema,
            config.images_per_step,
        )
        state = state.replace(ema_params=averaged)
    return state.replace(step=state.step + 1), d_metrics | g_metrics
