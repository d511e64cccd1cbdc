"""The training step of the GAN: pure functions of state and batch.

A batch within a step is a dict: "image" (N, H, W, C) in [-1, 1], "z" (N, latent_dim) and, if conditional, "label" int32 (N,).
Under pmap it is a device's part of the batch, and the modules' `axis` is the mapped axis; else it is the whole batch, wherever
its parts lie.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from flaxgan.config import Config
from flaxgan.data.pixels import preprocess
from flaxgan.methods.augment import adapted_probability, augmented
from flaxgan.methods.losses import LOSSES, feature_matching
from flaxgan.methods.penalties import PENALTIES
from flaxgan.methods.state import GANState, Network
from flaxgan.rng import TRAINING, Rng, average, random_key

Batch = dict[str, Array]
Metrics = dict[str, Array]
EMA_RAMP = 0.05


class Generated(NamedTuple):
    """A batch of generated images, and what it takes to learn from them."""

    images: Array  # (N, H, W, C) in (-1, 1)
    batch_stats: Any  # the generator's running statistics, having seen this batch
    pullback: Callable[[Array], Any]  # gradient of a loss by the images -> (gradient by the generator's parameters,)


def generate(generator: Network, batch: Batch) -> Generated:
    """Make training-mode images of a batch's z and labels. Both steps learn from them, so that the generator runs once."""

    def images_of(params: Any) -> tuple[Array, Any]:
        images, batch_stats, _ = generator.replace(params=params).train_mode(batch["z"], batch.get("label"))
        return images, batch_stats

    images, pullback, batch_stats = jax.vjp(images_of, generator.params, has_aux=True)
    return Generated(images, batch_stats, pullback)


def accumulate_gradients(of: Callable[[Batch, Rng], Any], batch: Batch, rng: Rng, micro_batches: int, axis: str | None) -> Any:
    """Return the tree `of(batch, rng)`, averaged over micro-batches of the batch and over devices.

    Each micro-batch is normalised by its own batch statistics (as gradient accumulation does everywhere), and matches its own
    mean features if it has to; the running statistics take in the micro-batches' mean.
    """
    if micro_batches == 1:
        return average(of(batch, rng), axis)
    # Micro-batch i is every so-many-th image from i on, so that each device goes through its own images.
    parts = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, micro_batches, *x.shape[1:]), 1, 0), batch)
    first = jax.tree.map(lambda x: x[0], parts)
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(of, first, rng))

    def add(sums: Any, numbered: tuple[Array, Batch]) -> tuple[Any, None]:
        number, part = numbered
        return jax.tree.map(jnp.add, sums, of(part, rng.fold(number))), None

    sums, _ = lax.scan(add, zeros, (jnp.arange(micro_batches), parts))
    return average(jax.tree.map(lambda x: x / micro_batches, sums), axis)


def discriminator_view(state: GANState, config: Config) -> Callable[[Array, Rng], Array]:
    """Return what changes images (N, H, W, C) to what the discriminator sees in this step. Noise falls linearly to 0."""
    noise = None
    if config.options.instance_noise:
        noise = config.options.instance_noise * jnp.maximum(
            0, 1 - state.step * (config.images_per_step / config.options.instance_noise_images)
        )
    return partial(augmented, augmentations=config.options.augmentations, probability=state.augment_probability, noise=noise)


def discriminator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Generated | None = None
) -> tuple[GANState, Metrics]:
    """Update the discriminator once, on images and on those `generated` from z, which have the same labels.

    Both pass at once, each kind normalised by its own batch statistics (DCGAN practice); the running statistics take in
    both. The generator is left as it was. Without `generated`, the images are made here.
    """
    d, view = state.discriminator, discriminator_view(state, config)
    penalties = [(weight, PENALTIES[name]) for name, weight in config.options.penalties.items()]

    def of(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        labels = batch.get("label")
        reals = view(batch["image"], rng.fold(0))
        fakes = view((generated or generate(state.generator, batch)).images, rng.fold(1))

        def loss_fn(params):
            network = d.replace(params=params)
            both_logits, batch_stats, _ = network.train_mode(
                _interleave(reals, fakes), _interleave(labels, labels), rng=rng.fold(2), kinds=2
            )
            judged = both_logits[::2], both_logits[1::2], 1 - config.options.label_smoothing
            loss = LOSSES[config.options.loss].discriminator(*judged)
            real_correct, fake_correct = LOSSES[config.options.loss].correct(*judged)
            metrics = {"d_loss": loss, "d_real_accuracy": real_correct.mean(), "d_fake_accuracy": fake_correct.mean()}

            def logits(x: Array) -> Array:
                return network.train_mode(x, labels, rng=rng.fold(3))[0]

            if penalties:
                metrics["d_penalty"] = sum(weight * penalty(logits, reals, fakes, rng.fold(4)) for weight, penalty in penalties)
            return loss + metrics.get("d_penalty", 0), (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(d.params)
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = accumulate_gradients(of, batch, rng, config.accumulate, d.module.axis)
    if state.augment_probability is not None and config.options.augmentations:
        metrics["augment_probability"] = state.augment_probability
        state = state.replace(
            augment_probability=adapted_probability(
                state.augment_probability, metrics["d_real_accuracy"], config.options.augment_target, config.batch_size
            )
        )
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(
    state: GANState, batch: Batch, rng: Rng, config: Config, generated: Generated | None = None
) -> tuple[GANState, Metrics]:
    """Update the generator once against the discriminator, which is left as it was, running statistics included.

    What the discriminator makes of the real images is computed only if the loss asks for it: else it is dead code.
    """
    d, view = state.discriminator, discriminator_view(state, config)

    def of(batch: Batch, rng: Rng) -> tuple[Any, Any, Metrics]:
        fakes, batch_stats, pullback = generated or generate(state.generator, batch)

        def judge(x: Array, rng: Rng) -> tuple[Array, Array]:
            logits, _, features = d.train_mode(view(x, rng.fold(0)), batch.get("label"), rng=rng.fold(1))
            return logits, features["last"][0]

        real_logits, real_features = judge(batch["image"], rng.fold(0))

        def loss_fn(fakes):
            fake_logits, fake_features = judge(fakes, rng.fold(1))
            loss = LOSSES[config.options.loss].generator(real_logits, fake_logits)
            if config.options.feature_matching:
                loss += config.options.feature_matching * feature_matching(real_features, fake_features, d.module.axis)
            return loss

        loss, image_grads = jax.value_and_grad(loss_fn)(fakes)
        (grads,) = pullback(image_grads)
        return grads, batch_stats, {"g_loss": loss}

    grads, batch_stats, metrics = accumulate_gradients(of, batch, rng, config.accumulate, d.module.axis)
    return state.replace(generator=state.generator.update(grads, batch_stats)), metrics


def update_ema(ema_params: Any, params: Any, step: Array, config: Config) -> Any:
    """Return the exponential moving average after step `step` (from 1), whose half-life is --ema images.

    In the beginning it is less, EMA_RAMP of those seen, to forget how the weights began (Karras et al. 2020, StyleGAN2's code).
    """
    half_life = jnp.minimum(config.ema, EMA_RAMP * step * config.images_per_step)
    decay = 0.5 ** (config.images_per_step / half_life)
    return optax.incremental_update(params, ema_params, 1 - decay)


def _interleave(first: Array | None, second: Array | None) -> Array | None:
    """Join two (N, ...) to (2N, ...), one of each in turns: so both stay on the device that has them."""
    return None if first is None else jnp.stack([first, second], 1).reshape(-1, *first.shape[1:])


def train_step(state: GANState, batch: Batch, *, config: Config) -> tuple[GANState, Metrics]:
    """Return the next state and the step's metrics, float32 scalars on the device, for a batch of uint8 images.

    Each of --d-steps updates of the discriminator has its own share of the images; the last shares it with the generator.
    """
    num = len(batch["image"])
    rng = Rng(random_key(state.seed, TRAINING), state.generator.module.axis).fold(state.step)
    mirrored = rng.fold(1).bernoulli(0.5, (num,)) if config.flip else None
    whole = {"image": preprocess(batch["image"], mirrored), "z": rng.fold(0).normal((num, state.generator.module.latent_dim))}
    if config.options.conditional:
        whole["label"] = batch["label"]
    for part in range(config.options.d_steps):
        own = jax.tree.map(lambda x, part=part: x[part :: config.options.d_steps], whole)
        # In micro-batches, each step makes its images anew: it is memory that is short then.
        generated = generate(state.generator, own) if config.accumulate == 1 else None
        state, d_metrics = discriminator_step(state, own, rng.fold(2 + 2 * part), config, generated)
    state, g_metrics = generator_step(state, own, rng.fold(3), config, generated)
    if config.ema:
        state = state.replace(ema_params=update_ema(state.ema_params, state.generator.params, state.step + 1, config))
    return state.replace(step=state.step + 1), d_metrics | g_metrics
