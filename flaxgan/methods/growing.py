"""A state in a phase of progressive growing: what of its networks a step uses, and a sample.

Outside of a step networks are whole, as a checkpoint has them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from flaxgan.config import Config
from flaxgan.methods.state import Network, networks
from flaxgan.models.growth import Growth, faded, growth_of, halved


def _changed(state: Any, change: Any) -> Any:
    return state.replace(**{name: change(net) for name, net in networks(state).items()})


def stage(config: Config, step: int) -> int:
    """Return the phase of a step (from 0) in a run that grows."""
    growth = growth_of(config)
    return growth.stage(step) if growth else 0


def begun(state: Any, growth: Growth, stage: int) -> Any:
    """Return a state in a phase, before its step `state.step`, with networks that fade as they do.

    In a phase's first step Adam's moments begin anew, as new weights have none: beside a count of
    many steps theirs would make the first updates far too large.
    """
    fade, is_first = growth.fade(stage, state.step), state.step == growth.starts(stage)

    def change(network: Network) -> Network:
        opt_state = _forgotten(network.opt_state, is_first) if stage else network.opt_state
        return _at(network, growth.halvings - stage, fade).replace(opt_state=opt_state)

    return _changed(state, change)


def ended(state: Any) -> Any:
    """Return a state with whole networks again: see begun."""
    return _changed(state, lambda network: _at(network, 0, None))


def _at(network: Network, halvings: int, fade: Array | None) -> Network:
    return network.replace(module=network.module.clone(halvings=halvings), fade=fade)


def _forgotten(opt_state: Any, when: Array) -> Any:
    """Return an optimiser's state with Adam's count and moments at 0 `when` it is so."""

    def is_adam(node: Any) -> bool:
        return isinstance(node, optax.ScaleByAdamState)

    def forget(node: Any) -> Any:
        return jax.tree.map(lambda x: jnp.where(when, 0, x), node) if is_adam(node) else node

    return jax.tree.map(forget, opt_state, is_leaf=is_adam)


def as_trained(network: Network, step: Any) -> Network:
    """Return a network as the last of `step` steps used it: int32 (), known, or a shape.

    Once all is faded in, and of a shape, it is whole.
    """
    growth = getattr(network.module, "growth", None)
    if growth is None or isinstance(step, jax.ShapeDtypeStruct):
        return network
    last = max(int(step) - 1, 0)
    stage = growth.stage(last)
    fade = growth.fade(stage, last)
    return _at(network, growth.halvings - stage, None if fade is None or fade == 1 else fade)


def reduced(images: Array, network: Network) -> Array:
    """Return images of full size as a network in its phase is shown them, faded as it fades."""
    return faded(halved(images, getattr(network.module, "halvings", 0)), network.fade)
