"""What the training steps of all methods share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array, lax

from flaxgan.methods.state import AnyRng, Network
from flaxgan.rng import Rng, average

Batch = dict[str, Array]
EMA_RAMP = 0.05


class Sometimes(struct.PyTreeNode):
    """A metric that some steps have and others lack, as a lazy penalty does: `value` means
    something where it is `present`.
    """

    value: Array  # float32 scalar
    present: Array  # bool scalar


Metrics = dict[str, Array | Sometimes]


def condition_of(batch: dict[str, Any]) -> Any:
    """Return the condition in a batch: the classes, or the sentences' vectors, or None."""
    return batch.get("label", batch.get("text"))


class Forward(NamedTuple):
    """What a network made of a batch in training, and what it takes to learn from that."""

    outputs: Any  # as the network returns them
    batch_stats: Any  # the network's running statistics, having seen this batch
    # gradient of a loss by the outputs -> (gradient by the network's parameters,)
    pullback: Callable[[Any], Any]


def forward(
    network: Network, x: Array, condition: Array | None = None, rng: AnyRng = None
) -> Forward:
    """Apply a network in training mode once, so that several losses can learn from its outputs."""

    def outputs_of(params: Any) -> tuple[Any, Any]:
        outputs, batch_stats, _ = network.replace(params=params).train_mode(x, condition, rng)
        return outputs, batch_stats

    outputs, pullback, batch_stats = jax.vjp(outputs_of, network.params, has_aux=True)
    return Forward(outputs, batch_stats, pullback)


def accumulate_gradients(
    gradients: Callable[[Batch, Rng], Any],
    batch: Batch,
    rng: Rng,
    micro_batches: int,
    axis: str | None,
) -> Any:
    """Return the tree `gradients(batch, rng)`, averaged over micro-batches and over devices.

    Each micro-batch is normalised by its own batch statistics (as gradient accumulation does
    everywhere), and matches its own mean features if it has to; the running statistics take in the
    micro-batches' mean.
    """
    both = lambda batch, rng: (gradients(batch, rng), None)  # noqa: E731
    return accumulate_with_outputs(both, batch, rng, micro_batches, axis)[0]


def accumulate_with_outputs(
    gradients: Callable[[Batch, Rng], tuple[Any, Any]],
    batch: Batch,
    rng: Rng,
    micro_batches: int,
    axis: str | None,
) -> tuple[Any, Any]:
    """Return the two trees of `gradients`: one averaged, and one that has a row for each picture.

    The first is averaged as accumulate_gradients says.
    """
    if micro_batches == 1:
        tree, outputs = gradients(batch, rng)
        return average(tree, axis), outputs
    # Micro-batch i is every so-many-th image from i on, so that each device goes through its own
    # images.
    split = jax.tree.map(
        lambda x: jnp.moveaxis(x.reshape(-1, micro_batches, *x.shape[1:]), 1, 0), batch
    )
    first = jax.tree.map(lambda x: x[0], split)
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(gradients, first, rng)[0])

    def add(sums: Any, numbered: tuple[Array, Batch]) -> tuple[Any, Any]:
        i, micro_batch = numbered
        tree, outputs = gradients(micro_batch, rng.fold(i))
        return jax.tree.map(jnp.add, sums, tree), outputs

    sums, outputs = lax.scan(add, zeros, (jnp.arange(micro_batches), split))
    outputs = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1).reshape(-1, *x.shape[2:]), outputs)
    return average(jax.tree.map(lambda x: x / micro_batches, sums), axis), outputs


def is_due(step: Array, every: int) -> Array:
    """Tell whether step `step` (from 0) is the last of so many, whose rows the log has more often
    than those of the first.
    """
    return (step + 1) % every == 0


def lazily(due: Array, compute: Callable[[], Any]) -> Any:
    """Return the tree that `compute` returns if it is `due`; else zeros, which take no time."""
    shapes = jax.eval_shape(compute)
    return lax.cond(due, compute, lambda: jax.tree.map(jnp.zeros_like, shapes))


def update_ema(
    ema_params: Any, params: Any, step: Array, half_life: int, images_per_step: int
) -> Any:
    """Return the moving average after step `step` (from 1), with a half-life of so many images.

    In the beginning it is less, EMA_RAMP of those seen, to forget how the weights began (Karras et
    al. 2020, StyleGAN2's code).
    """
    shorter = jnp.minimum(half_life, EMA_RAMP * step * images_per_step)
    decay = 0.5 ** (images_per_step / shorter)
    return optax.incremental_update(params, ema_params, 1 - decay)


def others(rows: Array, rng: Rng) -> Array:
    """Return for each row of the whole batch, (N, ...), the next one's: each has another's."""
    whole = rows if rng.axis is None else lax.all_gather(rows, rng.axis, tiled=True)
    return rng.rows(jnp.roll(whole, -1, 0))


def interleave(first: Array, second: Array) -> Array:
    """Join two (N, ...) to (2N, ...), one of each in turns, so that rows stay on their device."""
    return jnp.stack([first, second], 1).reshape(-1, *first.shape[1:])
