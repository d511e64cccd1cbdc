"""Begin a run with the networks of another, which has learnt from other pictures: --init-from."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from flaxgan.config import Config, fields_of
from flaxgan.methods import state_shape
from flaxgan.methods.state import Network, networks, without_optimisers
from flaxgan.runs.loading import load, step_of
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import load_run
from flaxgan.system.distributed import is_first
from flaxgan.system.errors import UserError, say

# What decides the shapes of networks: where it is not given, it is as in the other run.
SHAPING = (
    *("image_size", "channels", "architecture", "generator", "features", "d_features"),
    *("latent_dim", "attention", "d_norm", "spectral_norm", "blocks", "patch", "antialias"),
    *("mapping_layers", "adain", "scale"),
)
MOST_NAMED = 4  # of the arrays that are new


def inherited(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a new run is asked for, and what it takes over from the run of its init_from.

    The path becomes absolute, and the checkpoint's name its step. Raises UserError if there is no
    such checkpoint, or if that run is of another method.
    """
    if asked.get("init_from") is None:
        return asked
    run = load_run(Path(asked["init_from"]).expanduser())
    method = run.config.method
    if asked.get("method", method) != method:
        raise UserError(
            f"--init-from {run.folder} is of --method {method}, and can't begin a run of"
            f" {asked['method']}; name another run, or leave --method out"
        )
    try:
        name = asked.get("init_checkpoint")
        checkpoint = None if name is None else CheckpointName.parse(str(name))
    except ValueError as error:
        raise UserError(f"--init-checkpoint: {error}") from error
    step = step_of(run, checkpoint)
    own = {name: run.config[name] for name in SHAPING if name in fields_of(method)}
    fixed = {"init_from": str(run.folder.resolve()), "init_checkpoint": str(step)}
    return {"method": method} | own | asked | fixed


def require_fit(config: Config) -> None:
    """Raise UserError if a new run would take nothing over from the one that its init_from names.

    Nothing but that run's config.json is read.
    """
    if config.init_from is None:
        return
    before = networks(state_shape(load_run(Path(config.init_from)).config))
    for name, network in _common(state_shape(config), before).items():
        shapes = [
            {_place(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(x.params)}
            for x in (network, before[name])
        ]
        if not shapes[0].items() & shapes[1].items():
            raise UserError(
                f"--init-from {config.init_from}: nothing of its {name} fits this run's; leave the"
                " flags that shape networks out, as --features, or train anew"
            )


def begun(state: Any, config: Config, device: jax.Device) -> Any:
    """Return a new run's state with the weights of the run that its init_from names, if any.

    Arrays of other shapes, as those of other classes, stay as they are: a line says which. What is
    averaged begins with the generator's. Raises UserError if the checkpoint can't be read.
    """
    if config.init_from is None:
        return state
    run = load_run(Path(config.init_from))
    checkpoint = CheckpointName.parse(config.init_checkpoint) if config.init_checkpoint else None
    before = networks(load(run, checkpoint, device, _alone))
    fields: dict[str, Any] = {}
    new: list[str] = []
    for name, network in _common(state, before).items():
        fields[name], others = _taken(network, before[name])
        new += (f"{name}'s {array}" for array in others)
        average = name.replace("generator", "ema_params")
        if average != name and getattr(state, average) is not None:
            # a copy: the state is donated, and no buffer can be twice
            fields[average] = jax.tree.map(jnp.copy, fields[name].params)
    new += (f"all of {name}" for name in networks(state).keys() - fields.keys())
    lacking = f"; of other shapes, and so new: {', '.join(new[:MOST_NAMED])}" if new else ""
    more = f" and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
    if is_first():
        say(f"networks of {run.folder}, step {config.init_checkpoint}{lacking}{more}")
    return state.replace(**fields)


def _common(state: Any, before: dict[str, Network]) -> dict[str, Network]:
    """Return the networks of a state that the other run has, too, for the same kind of input."""
    found = {name: network for name, network in networks(state).items() if name in before}
    sees = lambda network: getattr(network.module, "network", None)  # noqa: E731
    return {name: net for name, net in found.items() if sees(net) == sees(before[name])}


def _alone(state: Any) -> Any:
    """Return a state with its networks alone, without optimisers."""
    averages = [name for name in vars(state) if name.startswith("ema_params")]
    return without_optimisers(state).replace(**dict.fromkeys(averages))


def _place(path: Any) -> str:
    """Return the name of an array of a network, the same with classes' batch norm as without."""
    name = jax.tree_util.keystr(path[1:], simple=True, separator=".")
    return re.sub(r"BatchNormOfClass_(\d+)(\.BatchNorm_0)?", r"BatchNorm_\1", name).removesuffix(
        ".embedding"
    )


def _taken(network: Network, before: Network) -> tuple[Network, list[str]]:
    """Return a network with another's weights and statistics, and the names of arrays it lacks.

    Where batch norm has scales of classes, and had none or those of others, each gets their mean.
    """
    old = {
        _place(path): leaf
        for path, leaf in jax.tree.leaves_with_path((before.params, before.batch_stats))
    }
    new: list[str] = []

    def taken(path: Any, leaf: Any) -> Any:
        place = _place(path)
        value = old.get(place)
        if value is not None and value.shape != leaf.shape and place.startswith("BatchNorm_"):
            mean = jnp.atleast_2d(value).mean(0)
            value = jnp.broadcast_to(mean, leaf.shape) if mean.shape == leaf.shape[-1:] else None
        if value is None or value.shape != leaf.shape:
            new.append(place)
            return leaf
        return jax.device_put(value, leaf.sharding)

    params, batch_stats = jax.tree.map_with_path(taken, (network.params, network.batch_stats))
    return network.replace(params=params, batch_stats=batch_stats), new
