"""What the methods share that turn a picture into another.

A batch within a step is a dict of pictures in [-1, 1]: "source", what is translated, and "image",
what results are to look like. Networks have no running statistics but those of spectral norm.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from flaxgan.config import Config
from flaxgan.data.forms import source_channels
from flaxgan.data.pixels import preprocess, to_uint8
from flaxgan.methods.augment import augmented
from flaxgan.methods.losses import LOSSES
from flaxgan.methods.penalties import PENALTIES
from flaxgan.methods.state import Network, adam, create_network
from flaxgan.methods.updates import Batch, Metrics, interleave, update_ema
from flaxgan.models import patch, resnet_generator, unet
from flaxgan.models.translator import Translator
from flaxgan.rng import TRAINING, Rng, random_key
from flaxgan.system.bars import progress_bar
from flaxgan.system.devices import on_cpu
from flaxgan.system.errors import UserError

# of pictures that are translated in one go; a CPU's convolutions are written out part by part, and
# those of more would take minutes to compile
PIXELS_AT_ONCE, PIXELS_AT_ONCE_ON_CPU = 2**20, 2**16
# What the papers' code multiplies the losses of losses.py by: of the discriminator, the generator.
SCALES = {"bce": (0.5, 1.0), "lsgan": (1.0, 2.0), "hinge": (0.5, 1.0), "wgan": (0.5, 1.0)}
Parts = tuple[Array, ...]  # pictures that a discriminator sees on top of each other, as channels


def step_rng(state: Any) -> Rng:
    """Return the random numbers of the step that a state is before."""
    key = random_key(state.seed, TRAINING)
    return Rng(key, state.generator.module.axis).fold(state.step)


def cut_and_mirrored(batch: Batch, rng: Rng, config: Config, paired: bool) -> Batch:
    """Convert uint8 pictures to [-1, 1], cut at random to the run's size, mirrored at random.

    If they are `paired`, the pictures of a pair are cut and mirrored alike, whatever their sizes.
    """
    pictures = {name: batch[name] for name in ("source", "image") if name in batch}
    least = min(x.shape[1] for x in pictures.values())
    prepared: Batch = {}
    for number, (name, x) in enumerate(pictures.items()):
        drawn = rng if paired else rng.fold(number)
        # pixels of this picture for one of the smallest in its pair
        unit = x.shape[1] // least if paired else 1
        enlarging = getattr(config.options, "scale", 1) if name == "source" else 1
        size = tuple(side // enlarging for side in config.image_size)
        if size != x.shape[1:3]:
            tops, lefts = (
                unit
                * drawn.fold(axis).integers(
                    0, (x.shape[1 + axis] - size[axis]) // unit + 1, (len(x),)
                )
                for axis in (0, 1)
            )
            x = _cut(x, tops, lefts, size)
        mirrored = drawn.fold(2).bernoulli(0.5, (len(x),)) if config.flip else None
        prepared[name] = preprocess(x, mirrored)
    return prepared


def _cut(images: Array, tops: Array, lefts: Array, size: tuple[int, ...]) -> Array:
    def cut(image: Array, top: Array, left: Array) -> Array:
        return lax.dynamic_slice(image, (top, left, 0), (*size, image.shape[-1]))

    return jax.vmap(cut)(images, tops, lefts)


def create_translator(
    config: Config, key: Array, total_steps: int, channels: tuple[int, int] | None = None
) -> Network:
    """Return the generator that --generator names, for pictures of so many channels in and out."""
    options = config.options
    taken, made = channels or (source_channels(config), config.channels)
    shared = {"channels": made, "features": options.features, "dtype": config.dtype}
    module: Translator
    if getattr(options, "generator", "resnet") == "unet":
        dropout = getattr(options, "dropout", 0.0)
        module = unet.Generator(depth=unet.halvings(config.image_size), dropout=dropout, **shared)
    else:
        blocks = options.blocks or (9 if min(config.image_size) >= 256 else 6)
        antialias = getattr(options, "antialias", False)
        module = resnet_generator.Generator(blocks=blocks, antialias=antialias, **shared)
    rate = options.g_learning_rate or config.learning_rate
    x = jnp.zeros((1, *config.image_size, taken))
    return create_network(module, key, x, None, adam(config, rate, total_steps))


def create_discriminator(config: Config, key: Array, total_steps: int, channels: int) -> Network:
    """Return a discriminator of patches of pictures with so many channels."""
    options = config.options
    module = patch.Discriminator(
        patch=_patch(config),
        features=options.d_features or options.features,
        dtype=config.dtype,
        spectral_norm=options.spectral_norm,
    )
    rate = options.d_learning_rate or config.learning_rate
    x = jnp.zeros((1, *config.image_size, channels))
    return create_network(module, key, x, None, adam(config, rate, total_steps))


def check(config: Config) -> None:
    """Raise UserError if the networks can't be built for the size that is known."""
    height, width = config.image_size
    unit = max(4, getattr(config.options, "scale", 1))
    if height % unit or width % unit or min(height, width) < 16:
        raise UserError(
            f"--image-size {height}x{width} can't be built: both sides have to be multiples of"
            f" {unit}, and at least 16; try 64, 128 or 256"
        )
    if (min(height, width) >> patch.HALVINGS[_patch(config)]) < 3:
        raise UserError(
            f"--patch {_patch(config)} is too large for --image-size {height}x{width}; leave it"
            " out, or take a smaller one"
        )


def _patch(config: Config) -> int:
    """Return the side of the patches that a discriminator judges, in pixels."""
    least = min(config.image_size)
    return config.options.patch or (70 if least >= 128 else 34 if least >= 32 else 16)


def _seen(parts: Parts, rng: Rng, config: Config) -> Array:
    """Return what the discriminator sees: each part changed alike, side by side as channels."""
    view = partial(augmented, augmentations=config.options.augmentations)
    return jnp.concatenate([view(part, rng) for part in parts], -1)


def discriminator_gradients(
    network: Network, reals: Parts, fakes: Parts, rng: Rng, config: Config
) -> tuple[Any, Any, Metrics]:
    """Return gradients, running statistics and metrics of a discriminator of patches.

    Metrics are named d_loss, d_real_accuracy, d_fake_accuracy and, with --r1, d_penalty.
    """
    loss, scale = LOSSES[config.options.loss], SCALES[config.options.loss][0]
    real, fake = _seen(reals, rng.fold(0), config), _seen(fakes, rng.fold(1), config)

    def loss_fn(params: Any) -> tuple[Array, tuple[Any, Metrics]]:
        learning = network.replace(params=params)
        both, batch_stats, _ = learning.train_mode(interleave(real, fake))
        judged = both[::2], both[1::2], 1.0
        total = scale * loss.discriminator(*judged)
        correct = loss.correct(*judged)
        metrics: Metrics = {
            "d_loss": total,
            "d_real_accuracy": correct[0].mean(),
            "d_fake_accuracy": correct[1].mean(),
        }
        if config.options.r1:
            logits = lambda x: learning.train_mode(x)[0].mean((1, 2))  # noqa: E731
            penalty = config.options.r1 * PENALTIES["r1"](logits, real, fake, rng)
            metrics["d_penalty"] = penalty
            total += penalty
        return total, (batch_stats, metrics)

    grads, (batch_stats, metrics) = jax.grad(loss_fn, has_aux=True)(network.params)
    return grads, batch_stats, metrics


def adversarial_loss(network: Network, fakes: Parts, rng: Rng, config: Config) -> Array:
    """Return what the generator minimises of a discriminator's logits of its results."""
    logits = network.train_mode(_seen(fakes, rng, config))[0]
    scale = SCALES[config.options.loss][1]
    return scale * LOSSES[config.options.loss].generator(logits, logits)


def l1(a: Array, b: Array) -> Array:
    """Return the mean absolute difference."""
    return jnp.abs(a - b).mean()


def averaged(ema_params: Any, network: Network, step: Array, config: Config) -> Any:
    """Return the average of weights after this step (from 0), or None without --ema."""
    if not config.ema:
        return None
    return update_ema(ema_params, network.params, step + 1, config.ema, config.images_per_step)


def copied(params: Any, config: Config) -> Any:
    """Return what averaged weights begin as: a copy, as no buffer can be donated twice."""
    return jax.tree.map(jnp.copy, params) if config.ema else None


@jax.jit
def _translated(network: Network, images: Array) -> Array:
    return to_uint8(network.eval_mode(preprocess(images)))


def generators(state: Any, class_counts: dict[str, int]) -> dict[str, Network]:
    """Return what makes images of sources, "result", and perhaps sources of images, "back".

    They have the averaged weights, if there are any.
    """

    def with_average(network: Network, ema_params: Any) -> Network:
        return network if ema_params is None else network.replace(params=ema_params)

    made = {"result": with_average(state.generator, state.ema_params)}
    if hasattr(state, "generator_back"):
        made["back"] = with_average(state.generator_back, state.ema_params_back)
    return made


def translators(state: Any, config: Config) -> "dict[str, Translate]":
    """Return what translates pictures by each of a state's generators."""
    made = generators(state, {})
    return {name: partial(translate, network) for name, network in made.items()}


def translate(network: Network, images: np.ndarray) -> np.ndarray:
    """Translate uint8 (N, H, W, C): uint8 (N, H', W', C'). Waits for the device."""
    most = PIXELS_AT_ONCE_ON_CPU if on_cpu() else PIXELS_AT_ONCE
    pixels = images.shape[1] * images.shape[2] * getattr(network.module, "scale", 1) ** 2
    batch = max(1, min(len(images), most // pixels))
    results = []
    starts = range(0, len(images), batch)
    for start in progress_bar(starts, desc="translating", unit="batch", hidden=len(starts) < 2):
        x = np.asarray(images[start : start + batch])
        x = np.resize(x, (batch, *x.shape[1:]))  # one program does, however many there are
        results.append(np.asarray(_translated(network, x)))
    return np.concatenate(results)[: len(images)]


Translate = Callable[[np.ndarray], np.ndarray]  # uint8 (N, H, W, C) -> uint8 (N, H', W', C')
