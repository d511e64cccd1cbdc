"""The parts of a state that are read from a checkpoint of a trained run, and what is left there."""

from typing import Any

import jax

from flaxgan.methods.state import Network


def to_judge(state: Any) -> Any:
    """Return a state without its optimisers: all that is left is what the networks compute with."""

    def without_moments(node: Any) -> Any:
        return node.replace(opt_state=()) if isinstance(node, Network) else node

    return jax.tree.map(without_moments, state, is_leaf=lambda node: isinstance(node, Network))


def to_sample(state: Any) -> Any:
    """Return a GAN's state with nothing but what images are sampled with: the averaged generator, if it is averaged."""
    state = to_judge(state)
    generator = state.generator if state.ema_params is None else state.generator.replace(params=None)
    return state.replace(generator=generator, discriminator=None, augment_probability=None)
