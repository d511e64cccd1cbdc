"""The methods: a module each, a line in METHODS, and its options in options/.

A method is a module with

    Options                             a frozen dataclass: its own flags, and DATA, the form of its
                                        data (data/forms.py)
    create_state(config, total_steps)   -> State: a PyTreeNode with `step`, `seed` and networks
    train_step(state, batch, *, config, stage=0)
                                        -> (State, Metrics): uint8 images in, random keys from
                                        state.seed and state.step

    generators(state, conditions)       -> dict of Networks as they are used once trained, with
                                        averaged weights: "result" and, if there is one, "back"

and either, if it makes pictures of noise,

    inputs(config, conditions, seed, num, **asked)
                                        -> Batch: z, what it is asked for, noise
    sampler(state, config, conditions)
                                        -> Callable: Batch -> uint8 (N, H, W, C)

or, if it makes them of pictures,

    translators(state, config)          -> dict of Callables, uint8 (N, H, W, C) -> uint8: "result"
                                        and, if it also translates images, "back"

and perhaps

    to_sample(state)                    -> State: the part of a state that `sampler` takes; no more
                                        of a checkpoint is read
    frozen(config)                      -> dict of FrozenNetworks, by the fields of a state that
                                        create_state leaves None: loaded to train, never saved
    check(config)                       raises UserError if its networks cannot be so
    stage(config, step)                 -> int: a static number that train_step is told, as
                                        progressive growing needs
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax

from flaxgan.config import Config
from flaxgan.methods import cut, cyclegan, gan, pix2pix, srgan
from flaxgan.methods.state import FrozenNetwork, Network, without_optimisers

METHODS: dict[str, ModuleType] = {
    "gan": gan,
    "pix2pix": pix2pix,
    "cyclegan": cyclegan,
    "cut": cut,
    "srgan": srgan,
}


def method_of(config: Config) -> Any:
    """Return the module of a configuration's method."""
    return METHODS[config.method]


def translates(config: Config) -> bool:
    """Tell whether a configuration's method makes pictures of pictures."""
    return hasattr(method_of(config), "translators")


def to_sample(config: Config) -> Callable[[Any], Any]:
    """Return what takes from a state the part that images are made with.

    By default that is all but the optimisers' states.
    """
    return getattr(method_of(config), "to_sample", without_optimisers)


def frozen(config: Config) -> dict[str, FrozenNetwork]:
    """Load the networks that a method's step applies and never trains. Raises UserError."""
    load = getattr(method_of(config), "frozen", None)
    return load(config) if load else {}


def check(config: Config) -> None:
    """Raise UserError if a method's networks can't be built for the image size that is known."""
    if hasattr(method_of(config), "check"):
        method_of(config).check(config)


def state_shape(config: Config, sharding: jax.sharding.Sharding | None = None) -> Any:
    """Return the shapes and dtypes of a run's state, which lie as `sharding` says.

    Computes nothing.
    """
    shapes = jax.eval_shape(lambda: method_of(config).create_state(config))
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
    )


def generator_shapes(config: Config) -> dict[str, Network]:
    """Return a trained run's generators with shapes and dtypes for arrays. Computes nothing."""
    method = method_of(config)
    networks = method.generators(state_shape(config.replace(ema=0)), {})
    return {name: network.replace(opt_state=()) for name, network in networks.items()}
