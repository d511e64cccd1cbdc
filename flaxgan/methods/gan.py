"""The method "gan": a generator and a discriminator, trained against each other by pure functions
of state and batch.

What a batch within a step holds: see gan_batch.py.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.augment import adapted_probability
from flaxgan.methods.feature_discriminator import feature_discriminator_step, feature_loss
from flaxgan.methods.gan_batch import discriminator_view, generate, prepared
from flaxgan.methods.gan_state import GANState, check, create_state, frozen
from flaxgan.methods.growing import begun, ended, stage
from flaxgan.methods.losses import LOSSES, feature_matching, matching_loss
from flaxgan.methods.path_length import EVERY, followed, path_length_gradients
from flaxgan.methods.penalties import PENALTIES, matching_penalty
from flaxgan.methods.sampling import generators, inputs, sampler, to_sample
from flaxgan.methods.updates import (
    Batch,
    Forward,
    Metrics,
    Sometimes,
    accumulate_gradients,
    condition_of,
    interleave,
    is_due,
    lazily,
    update_ema,
)
from flaxgan.models.growth import growth_of
from flaxgan.options import GANOptions as Options
from flaxgan.rng import TRAINING, Rng, random_key

__all__ = [
    "GANState",
    "Options",
    "check",
    "create_state",
    "frozen",
    "generators",
    "inputs",
    "sampler",
    "stage",
    "to_sample",
    "train_step",
]


def discriminator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Forward | None = None
) -> tuple[GANState, Metrics]:
    """Update the discriminator once, on real images and on generated ones of the same conditions.

    Both pass at once, each group normalised by its own batch statistics (DCGAN practice); the
    running statistics take in both. The generator is left as it was. Without `generated`, images
    are made here.
    """
    d, view = state.discriminator, discriminator_view(state, config)
    weights, every = config.options.penalties, config.options.r1_every
    lazy = {"r1": weights.pop("r1")} if every > 1 else {}
    due, matching = is_due(state.step, every), config.options.matching_penalty

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, dict[str, Array]]:
        condition = condition_of(batch)
        # with the caption of another picture, too
        asked = jnp.stack([condition, batch["other"]], 1) if "other" in batch else condition
        reals = view(batch["image"], rng.fold(0))
        fakes = view((generated or generate(state, batch)).outputs, rng.fold(1))

        def penalty(params: Any, weights: dict[str, float], matching: float = 0.0) -> Array:
            def logits(x: Array, asked: Array | None = condition) -> Array:
                return d.replace(params=params).train_mode(x, asked, rng=rng.fold(3))[0]

            terms = [
                weight * PENALTIES[name](logits, reals, fakes, rng.fold(4))
                for name, weight in weights.items()
            ]
            if matching:
                terms.append(matching * matching_penalty(logits, reals, condition))
            return sum(terms, start=jnp.zeros(()))

        def loss_fn(params: Any) -> tuple[Array, tuple[Any, dict[str, Array]]]:
            network = d.replace(params=params)
            both_asked = None if asked is None else interleave(asked, asked)
            both_logits, batch_stats, _ = network.train_mode(
                interleave(reals, fakes), both_asked, rng=rng.fold(2), groups=2
            )
            real_logits, fake_logits = both_logits[::2], both_logits[1::2]
            smoothed = 1 - config.options.label_smoothing
            function = LOSSES[config.options.loss].discriminator
            if "other" in batch:
                (real_logits, other_logits), fake_logits = real_logits.T, fake_logits[:, 0]
                # of pictures that share a sentence generated ones alone count
                differs = (condition != batch["other"]).any(-1)
                other_logits = jnp.where(differs, other_logits, fake_logits)
                loss = matching_loss(
                    function,
                    real_logits,
                    fake_logits,
                    other_logits,
                    config.options.matching,
                    smoothed,
                )
            else:
                loss = function(real_logits, fake_logits, smoothed)
            judged = real_logits, fake_logits, smoothed
            real_correct, fake_correct = LOSSES[config.options.loss].correct(*judged)
            metrics = {
                "d_loss": loss,
                "d_real_accuracy": real_correct.mean(),
                "d_fake_accuracy": fake_correct.mean(),
            }

            if weights or matching:
                metrics["d_penalty"] = penalty(params, weights, matching)
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
    feature_weight = config.options.feature_discriminator

    def gradients(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        fakes, batch_stats, pullback = generated or generate(state, batch)

        matches = bool(config.options.feature_matching)

        def judge(seen: Array, rng: Rng) -> tuple[Array, Any]:
            logits, _, features = d.train_mode(seen, condition_of(batch), rng=rng.fold(1))
            return logits, features["last"][0] if matches else None

        reals = view(batch["image"], rng.fold(0).fold(0))
        real_logits, real_features = judge(reals, rng.fold(0))

        def loss_fn(fakes: Array) -> tuple[Array, Metrics]:
            metrics: Metrics = {}
            fakes = view(fakes, rng.fold(1).fold(0))
            fake_logits, fake_features = judge(fakes, rng.fold(1))
            loss = LOSSES[config.options.loss].generator(real_logits, fake_logits)
            if feature_weight:
                metrics["feature_g_loss"] = feature_loss(state, reals, fakes, config)
                loss += feature_weight * metrics["feature_g_loss"]
            if matches:
                loss += config.options.feature_matching * feature_matching(
                    real_features, fake_features, d.module.axis
                )
            return loss, metrics | {"g_loss": loss}

        image_grads, metrics = jax.grad(loss_fn, has_aux=True)(fakes)
        (grads,) = pullback(image_grads)
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

    Metrics are float32 scalars on the device.
    """
    growth = growth_of(config)
    if growth is None:
        return _step(state, batch, config)
    parts = growth.parts(stage, config.accumulate)
    state = begun(state, growth, stage)
    fade = state.generator.fade
    state, metrics = _step(state, batch, config.replace(accumulate=parts))
    metrics["resolution"] = jnp.float32(growth.resolution(stage))
    if fade is not None:
        metrics["fade"] = fade
    return ended(state), metrics


def _step(state: GANState, batch: Batch, config: Config) -> tuple[GANState, Metrics]:
    """Do a step with the networks as they are.

    Each of --d-steps updates of the discriminator has its own share of the images; the last shares
    it with the generator.
    """
    rng = Rng(random_key(state.seed, TRAINING), state.generator.module.axis).fold(state.step)
    whole = prepared(state, batch, rng, config)
    for i in range(config.options.d_steps):
        share = jax.tree.map(lambda x, i=i: x[i :: config.options.d_steps], whole)
        # In micro-batches, each step makes its images anew: it is memory that is short then.
        generated = generate(state, share) if config.accumulate == 1 else None
        seen = share, rng.fold(2 + 2 * i), config, generated
        f_metrics: Metrics = {}
        if config.options.feature_discriminator:
            state, f_metrics = feature_discriminator_step(state, *seen)
        state, d_metrics = discriminator_step(state, *seen)
    state, g_metrics = generator_step(state, share, rng.fold(3), config, generated)
    if config.ema:
        params, step, num = state.generator.params, state.step + 1, config.images_per_step
        state = state.replace(
            ema_params=update_ema(state.ema_params, params, step, config.ema, num)
        )
    return state.replace(step=state.step + 1), f_metrics | d_metrics | g_metrics
