"""The method "gan": a generator and a discriminator, trained against each other by pure functions
of state and batch.

A batch within a step is a dict: "image" (N, H, W, C) in [-1, 1], "z" (N, latent_dim), if
conditional "label" int32 (N,), and for a generator with noise "noise" int32 (N,), a number for each
picture that decides its noise. Under pmap it is a device's part of the batch, and the modules'
`axis` is the mapped axis; else it is the whole batch, wherever its parts lie.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.augment import adapted_probability, augmented
from flaxgan.methods.gan_state import GANState, check, create_state
from flaxgan.methods.losses import LOSSES, feature_matching
from flaxgan.methods.noise import takes_noise
from flaxgan.methods.path_length import EVERY, followed, path_length_gradients
from flaxgan.methods.penalties import PENALTIES
from flaxgan.methods.sampling import generators, inputs, sampler, to_sample
from flaxgan.methods.updates import (
    Batch,
    Forward,
    Metrics,
    Sometimes,
    accumulate_gradients,
    forward,
    interleave,
    is_due,
    lazily,
    update_ema,
)
from flaxgan.options import GANOptions as Options
from flaxgan.rng import TRAINING, Rng, RowRng, random_key

__all__ = [
    "GANState",
    "Options",
    "check",
    "create_state",
    "generators",
    "inputs",
    "sampler",
    "to_sample",
    "train_step",
]


def _generate(state: GANState, batch: Batch) -> Forward:
    rng = RowRng.of(batch["noise"]) if "noise" in batch else None
    return forward(state.generator, batch["z"], batch.get("label"), rng)


def discriminator_view(state: GANState, config: Config) -> Callable[[Array, Rng], Array]:
    """Return what augments images (N, H, W, C) for the discriminator in this step.

    Instance noise falls linearly to 0.
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
    """Update the discriminator once, on real images and on generated ones of the same labels.

    Both pass at once, each group normalised by its own batch statistics (DCGAN practice); the
    running statistics take in both. The generator is left as it was. Without `generated`, images
    are made here.
    """
    d, view = state.discriminator, discriminator_view(state, config)
    weights, every = config.options.penalties, config.options.r1_every
    lazy = {"r1": weights.pop("r1")} if every > 1 else {}
    due = is_due(state.step, every)

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, dict[str, Array]]:
        labels = batch.get("label")
        reals = view(batch["image"], rng.fold(0))
        fakes = view((generated or _generate(state, batch)).outputs, rng.fold(1))

        def penalty(params: Any, weights: dict[str, float]) -> Array:
            def logits(x: Array) -> Array:
                return d.replace(params=params).train_mode(x, labels, rng=rng.fold(3))[0]

            terms = (
                weight * PENALTIES[name](logits, reals, fakes, rng.fold(4))
                for name, weight in weights.items()
            )
            return sum(terms, start=jnp.zeros(()))

        def loss_fn(params: Any) -> tuple[Array, tuple[Any, dict[str, Array]]]:
            network = d.replace(params=params)
            both_labels = None if labels is None else interleave(labels, labels)
            both_logits, batch_stats, _ = network.train_mode(
                interleave(reals, fakes), both_labels, rng=rng.fold(2), groups=2
            )
            judged = both_logits[::2], both_logits[1::2], 1 - config.options.label_smoothing
            loss = LOSSES[config.options.loss].discriminator(*judged)
            real_correct, fake_correct = LOSSES[config.options.loss].correct(*judged)
            metrics = {
                "d_loss": loss,
                "d_real_accuracy": real_correct.mean(),
                "d_fake_accuracy": fake_correct.mean(),
            }

            if weights:
                metrics["d_penalty"] = penalty(params, weights)
                loss += metrics["d_penalty"]
            return loss, (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(d.params)
        if lazy:
            total, more = lazily(due, lambda: jax.value_and_grad(penalty)(d.params, lazy))
            grads = jax.tree.map(lambda x, y: x + every * y, grads, more)
            metrics["d_penalty"] = metrics.get("d_penalty", 0) + total
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = accumulate_gradients(
        gradients, batch, rng, config.accumulate, d.module.axis
    )
    if lazy:
        metrics["d_penalty"] = Sometimes(metrics["d_penalty"], due)
    if state.augment_probability is not None and config.options.augmentations:
        metrics["augment_probability"] = state.augment_probability
        probability = adapted_probability(
            state.augment_probability,
            metrics["d_real_accuracy"],
            config.options.augment_target,
            config.batch_size,
        )
        state = state.replace(augment_probability=probability)
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the generator once; the discriminator and its running statistics are left alone.

    What the discriminator makes of the real images is computed only if the loss asks for it: else
    it is dead code.
    """
    d, view = state.discriminator, discriminator_view(state, config)
    due, weight = is_due(state.step, EVERY), config.options.path_length

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        fakes, batch_stats, pullback = generated or _generate(state, batch)

        matches = bool(config.options.feature_matching)

        def judge(x: Array, rng: Rng) -> tuple[Array, Any]:
            augmented_x = view(x, rng.fold(0))
            logits, _, features = d.train_mode(augmented_x, batch.get("label"), rng=rng.fold(1))
            return logits, features["last"][0] if matches else None

        real_logits, real_features = judge(batch["image"], rng.fold(0))

        def loss_fn(fakes: Array) -> Array:
            fake_logits, fake_features = judge(fakes, rng.fold(1))
            loss = LOSSES[config.options.loss].generator(real_logits, fake_logits)
            if matches:
                loss += config.options.feature_matching * feature_matching(
                    real_features, fake_features, d.module.axis
                )
            return loss

        loss, image_grads = jax.value_and_grad(loss_fn)(fakes)
        (grads,) = pullback(image_grads)
        metrics: Metrics = {"g_loss": loss}
        if weight:
            more, metrics["g_path_length"] = path_length_gradients(
                state.generator, batch, state.path_length, due, weight
            )
            grads = jax.tree.map(jnp.add, grads, more)
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = accumulate_gradients(
        gradients, batch, rng, config.accumulate, d.module.axis
    )
    if weight:
        length = metrics["g_path_length"]
        metrics["g_path_length"] = Sometimes(length, due)
        mean = jnp.where(due, followed(state.path_length, length), state.path_length)
        state = state.replace(path_length=mean)
    return state.replace(generator=state.generator.update(grads, batch_stats)), metrics


def train_step(
    state: GANState, batch: Batch, *, config: Config, stage: int = 0
) -> tuple[GANState, Metrics]:
    """Return the next state and the step's metrics, for a batch of uint8 images.

    Metrics are float32 scalars on the device. Each of --d-steps updates of the discriminator has
    its own share of the images; the last shares it with the generator.
    """
    num = len(batch["image"])
    rng = Rng(random_key(state.seed, TRAINING), state.generator.module.axis).fold(state.step)
    mirrored = rng.fold(1).bernoulli(0.5, (num,)) if config.flip else None
    whole = {
        "image": preprocess(batch["image"], mirrored),
        "z": rng.fold(0).normal((num, state.generator.module.latent_dim)),
    }
    if takes_noise(state.generator.module):
        whole["noise"] = rng.fold(5).integers(0, 2**31 - 1, (num,))
    if config.conditional:
        whole["label"] = batch["label"]
    for i in range(config.options.d_steps):
        share = jax.tree.map(lambda x, i=i: x[i :: config.options.d_steps], whole)
        # In micro-batches, each step makes its images anew: it is memory that is short then.
        generated = _generate(state, share) if config.accumulate == 1 else None
        state, d_metrics = discriminator_step(state, share, rng.fold(2 + 2 * i), config, generated)
    state, g_metrics = generator_step(state, share, rng.fold(3), config, generated)
    if config.ema:
        params, step, num = state.generator.params, state.step + 1, config.images_per_step
        state = state.replace(
            ema_params=update_ema(state.ema_params, params, step, config.ema, num)
        )
    return state.replace(step=state.step + 1), d_metrics | g_metrics
