"""The training step: pure functions of state and data.

Shapes: images (N, H, W, C) in [-1, 1]; z (N, latent_dim); labels int32 (N,), or None if not conditional; keys (N,), a random
key a picture, for what is drawn of it. All take `axis_name`, the name of pmap's axis of devices, each of which then has its part
of the batch; under jit it is None, and the batch is the whole one, wherever its parts lie.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from flaxgan.augment import seen
from flaxgan.config import Config
from flaxgan.losses import LOSSES, feature_matching
from flaxgan.penalties import PENALTIES
from flaxgan.state import TRAINING, GANState, Network, random_key

Metrics = dict[str, Array]
EMA_RAMP = 0.05
AUGMENT_IMAGES = 10_000  # seen, until the probability of augmentation has risen by the excess of the discriminator's accuracy


def preprocess(images: Array, mirrored: Array | None = None) -> Array:
    """uint8 (N, H, W, C) -> float32 in [-1, 1]; those of `mirrored`, bool (N,), are mirrored."""
    x = images.astype(jnp.float32) / 127.5 - 1
    return x if mirrored is None else jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def to_uint8(x: Array) -> Array:
    """The inverse of preprocess: [-1, 1] -> uint8, rounded."""
    return jnp.clip(jnp.round((x + 1) * 127.5), 0, 255).astype(jnp.uint8)


class Generated(NamedTuple):
    """A batch of generated pictures, and what it takes to learn from them."""

    images: Array  # (N, H, W, C) in (-1, 1)
    batch_stats: Any  # the generator's running statistics, having seen this batch
    pullback: Callable[[Array], Any]  # gradient of a loss by the images -> (gradient by the generator's parameters,)


def generate(generator: Network, z: Array, labels: Array | None = None, axis_name: str | None = None) -> Generated:
    """Training-mode pictures. Both steps learn from them, so that the generator runs once."""

    def images_of(params: Any) -> tuple[Array, Any]:
        images, batch_stats, _ = generator.replace(params=params).train_mode(z, labels, axis_name=axis_name)
        return images, batch_stats

    images, pullback, batch_stats = jax.vjp(images_of, generator.params, has_aux=True)
    return Generated(images, batch_stats, pullback)


def _mean(of: Callable[..., Any], arrays: tuple[Array | None, ...], accumulate: int, axis_name: str | None) -> Any:
    """The tree `of(*arrays)`, averaged over `accumulate` parts of the batch and over devices.

    Each part is normalised by its own batch statistics (as gradient accumulation does everywhere), and matches its own mean
    features if it has to; the running statistics take in the parts' mean.
    """
    if accumulate == 1:
        means = of(*arrays)
    else:
        # Part i is every accumulate-th picture from i on, so that each device goes through its own pictures.
        parts = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, accumulate, *x.shape[1:]), 1, 0), arrays)
        first = jax.tree.map(lambda x: x[0], parts)
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(of, *first))
        sums, _ = lax.scan(lambda sums, part: (jax.tree.map(jnp.add, sums, of(*part)), None), zeros, parts)
        means = jax.tree.map(lambda x: x / accumulate, sums)
    return means if axis_name is None else lax.pmean(means, axis_name)


def discriminator_view(state: GANState, config: Config) -> Callable[[Array, Array], Array]:
    """What the discriminator sees in this step: (N, H, W, C), (N,) keys -> (N, H, W, C). Noise falls linearly to 0."""
    noise = None
    if config.instance_noise:
        noise = config.instance_noise * jnp.maximum(0, 1 - state.step * (config.images_per_step / config.instance_noise_images))
    return partial(seen, augmentations=config.augmentations, probability=state.augment_probability, noise=noise)


def adapted_probability(probability: Array, d_real_accuracy: Array, config: Config) -> Array:
    """The probability of augmentation after a step in which the discriminator was right about so many of the real pictures.

    ADA's control (Karras et al. 2020, arXiv:2006.06676), in proportion to the excess instead of by its sign. Its target, 0.6 as
    the mean sign of the logits, is an accuracy of 0.8.
    """
    excess = d_real_accuracy - config.augment_target
    return jnp.clip(probability + excess * (config.batch_size / AUGMENT_IMAGES), 0, 1)


def discriminator_step(
    state: GANState,
    images: Array,
    labels: Array | None,
    z: Array,
    keys: Array,
    config: Config,
    generated: Generated | None = None,
    axis_name: str | None = None,
) -> tuple[GANState, Metrics]:
    """One update of the discriminator on pictures and on those `generated` from z, which have the same labels.

    Both pass at once, each kind normalised by its own batch statistics (DCGAN practice); the running statistics take in
    both. The generator is left as it was. Without `generated`, the pictures are made here.
    """
    d, as_seen = state.discriminator, discriminator_view(state, config)
    penalties = [(getattr(config, name), penalty) for name, penalty in PENALTIES.items() if getattr(config, name)]

    def of(images: Array, labels: Array | None, z: Array, keys: Array) -> tuple[Any, Any, Metrics]:
        fakes = (generated or generate(state.generator, z, labels, axis_name)).images
        real_keys, fake_keys, *seen_keys, penalty_keys = _split(keys, 5)
        images, fakes = (as_seen(x, own) for x, own in zip((images, fakes), seen_keys, strict=True))
        both = _interleave(images, fakes), _interleave(labels, labels)
        both_keys = _interleave(real_keys, fake_keys)

        def loss_fn(params):
            judge = partial(d.replace(params=params).train_mode, axis_name=axis_name)
            both_logits, batch_stats, _ = judge(*both, keys=both_keys, kinds=2)
            real_logits, fake_logits = both_logits[::2], both_logits[1::2]
            judged = real_logits, fake_logits, 1 - config.label_smoothing
            loss = LOSSES[config.loss].discriminator(*judged)
            real_right, fake_right = LOSSES[config.loss].judged_right(*judged)
            metrics = {"d_loss": loss, "d_real_accuracy": real_right.mean(), "d_fake_accuracy": fake_right.mean()}

            def logits(x: Array) -> Array:
                return judge(x, labels, keys=penalty_keys)[0]

            if penalties:
                metrics["d_penalty"] = sum(weight * penalty(logits, images, fakes, penalty_keys) for weight, penalty in penalties)
            return loss + metrics.get("d_penalty", 0), (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(d.params)
        return grads, batch_stats, metrics

    grads, batch_stats, metrics = _mean(of, (images, labels, z, keys), config.accumulate, axis_name)
    if state.augment_probability is not None and config.augmentations:
        metrics["augment_probability"] = state.augment_probability
        state = state.replace(
            augment_probability=adapted_probability(state.augment_probability, metrics["d_real_accuracy"], config)
        )
    return state.replace(discriminator=d.update(grads, batch_stats)), metrics


def generator_step(
    state: GANState,
    images: Array,
    labels: Array | None,
    z: Array,
    keys: Array,
    config: Config,
    generated: Generated | None = None,
    axis_name: str | None = None,
) -> tuple[GANState, Metrics]:
    """One update of the generator against the discriminator, which is left as it was, running statistics included.

    What the discriminator makes of the real pictures is computed only if the loss asks for it: else it is dead code.
    """
    d, as_seen = state.discriminator, discriminator_view(state, config)

    def of(images: Array, labels: Array | None, z: Array, keys: Array) -> tuple[Any, Any, Metrics]:
        fakes, batch_stats, pullback = generated or generate(state.generator, z, labels, axis_name)
        real_keys, fake_keys = _split(keys, 2)

        def judge(x: Array, keys: Array) -> tuple[Array, Array]:
            keys, seen_keys = _split(keys, 2)
            logits, _, features = d.train_mode(as_seen(x, seen_keys), labels, keys=keys, axis_name=axis_name)
            return logits, features["last"][0]

        real_logits, real_features = judge(images, real_keys)

        def loss_fn(fakes):
            fake_logits, fake_features = judge(fakes, fake_keys)
            loss = LOSSES[config.loss].generator(real_logits, fake_logits)
            if config.feature_matching:
                loss += config.feature_matching * feature_matching(real_features, fake_features, axis_name)
            return loss

        loss, image_grads = jax.value_and_grad(loss_fn)(fakes)
        (grads,) = pullback(image_grads)
        return grads, batch_stats, {"g_loss": loss}

    grads, batch_stats, metrics = _mean(of, (images, labels, z, keys), config.accumulate, axis_name)
    return state.replace(generator=state.generator.update(grads, batch_stats)), metrics


def update_ema(ema_params: Any, params: Any, step: Array, config: Config) -> Any:
    """The exponential moving average after step `step` (from 1), whose half-life is --ema pictures.

    In the beginning it is less, EMA_RAMP of those seen, to forget how the weights began (Karras et al. 2020, StyleGAN2's code).
    """
    half_life = jnp.minimum(config.ema, EMA_RAMP * step * config.images_per_step)
    decay = 0.5 ** (config.images_per_step / half_life)
    return optax.incremental_update(params, ema_params, 1 - decay)


def _interleave(first: Array | None, second: Array | None) -> Array | None:
    """Two (N, ...) -> (2N, ...), one of each in turns: so both stay on the device that has them."""
    return None if first is None else jnp.stack([first, second], 1).reshape(-1, *first.shape[1:])


def _split(keys: Array, num: int) -> Array:
    """(N,) -> (num, N)."""
    return jnp.swapaxes(jax.vmap(lambda key: jax.random.split(key, num))(keys), 0, 1)


def train_step(
    state: GANState,
    images: Array,
    labels: Array | None = None,
    *,
    config: Config,
    axis_name: str | None = None,
    split: Callable[[Array], Array] = lambda drawn: drawn,
) -> tuple[GANState, Metrics]:
    """uint8 images -> the next state and the step's metrics (float32 scalars, on the device).

    Each of --d-steps updates of the discriminator has its own share of the pictures; the last shares it with the generator.
    Random numbers are drawn for the whole batch, whatever the devices; `split` then leaves each device its own rows.
    """
    num = len(images) * (1 if axis_name is None else lax.axis_size(axis_name))
    key = jax.random.fold_in(random_key(state.seed, TRAINING), state.step)
    z_key, flip_key = jax.random.split(key)
    all_z = split(jax.random.normal(z_key, (num, state.generator.module.latent_dim)))
    mirrored = split(jax.random.bernoulli(flip_key, shape=(num,))) if config.flip else None
    all_keys = split(jax.random.split(jax.random.fold_in(key, 2), num))
    whole = (preprocess(images, mirrored), labels, all_z, all_keys)
    for part in range(config.d_steps):
        images, labels, z, keys = jax.tree.map(lambda x, part=part: x[part :: config.d_steps], whole)
        # In parts, each step makes its pictures anew: it is memory that is short then.
        generated = generate(state.generator, z, labels, axis_name) if config.accumulate == 1 else None
        d_keys, g_keys = _split(keys, 2)
        state, d_metrics = discriminator_step(state, images, labels, z, d_keys, config, generated, axis_name)
    state, g_metrics = generator_step(state, images, labels, z, g_keys, config, generated, axis_name)
    if config.ema:
        state = state.replace(ema_params=update_ema(state.ema_params, state.generator.params, state.step + 1, config))
    return state.replace(step=state.step + 1), d_metrics | g_metrics
