"""What the states of all methods are made of: networks, trained or frozen, and their optimisers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax
from flax import struct
from jax import Array

from flaxgan.config import Config
from flaxgan.rng import Rng, RowRng

AnyRng = Rng | RowRng | None


class Network(struct.PyTreeNode):
    """A Linen module with its parameters, batch-norm running statistics and optimiser."""

    params: Any
    batch_stats: Any
    opt_state: Any
    module: nn.Module = struct.field(pytree_node=False)
    tx: optax.GradientTransformation = struct.field(pytree_node=False)
    fade: Any = None  # within a step of a run that grows: how much new blocks count (growing.py)

    def train_mode(
        self, x: Any, condition: Array | None = None, rng: AnyRng = None, **fields: Any
    ) -> tuple[Any, Any, Any]:
        """Apply with the statistics of this batch.

        Returns the output, the updated running statistics, and the features that were sown.
        `condition` is what a conditional network takes, `rng` is for a discriminator's dropout, or
        of rows for a generator's noise, and `fields` of the module are changed for this call.
        """
        module = self.module.clone(**fields) if fields else self.module
        options = self._fading if rng is None else {"rng": rng, **self._fading}
        mutable = ["batch_stats", "features"]
        output, updates = module.apply(
            self._variables, x, condition, train=True, mutable=mutable, **options
        )
        return output, updates.get("batch_stats", {}), updates.get("features")

    def eval_mode(self, x: Array, condition: Array | None = None, rng: AnyRng = None) -> Array:
        """Apply with the running statistics; `rng` is for a generator's noise."""
        options = self._fading if rng is None else {"rng": rng, **self._fading}
        output: Any = self.module.apply(self._variables, x, condition, train=False, **options)
        return output

    def call(self, method: str, *inputs: Any) -> Any:
        """Apply one of a style generator's methods, as "mapping"; "synthesis" fades as it does."""
        options = self._fading if method == "synthesis" else {}
        return self.module.apply(self._variables, *inputs, method=method, **options)

    @property
    def _variables(self) -> dict[str, Any]:
        return {"params": self.params, "batch_stats": self.batch_stats}

    @property
    def _fading(self) -> dict[str, Any]:
        return {} if self.fade is None else {"fade": self.fade}

    def update(self, grads: Any, batch_stats: Any) -> "Network":
        """Do one optimiser step, and take over the running statistics."""
        updates, opt_state = self.tx.update(grads, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        return self.replace(params=params, batch_stats=batch_stats, opt_state=opt_state)


class FrozenNetwork(struct.PyTreeNode):
    """Hold a network that is only applied: neither optimised nor written into checkpoints.

    A method's `frozen` loads it for training.
    """

    variables: Any
    apply: Callable[..., Any] = struct.field(pytree_node=False)  # of variables and inputs

    def __call__(self, *inputs: Any) -> Any:
        return self.apply(self.variables, *inputs)


def networks(state: Any) -> dict[str, Network]:
    """Return the trained networks of a state, by the names of its fields."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return {name: value for name, value in fields.items() if isinstance(value, Network)}


def with_axis(state: Any, axis: str | None) -> Any:
    """Return a state whose modules average batch statistics over pmap's `axis`, or over none."""

    def mapped(node: Any) -> Any:
        return (
            node.replace(module=node.module.clone(axis=axis)) if isinstance(node, Network) else node
        )

    return jax.tree.map(mapped, state, is_leaf=lambda node: isinstance(node, Network))


def without_optimisers(state: Any) -> Any:
    """Return a state without optimiser states: images can be made of it, in less memory."""
    is_network = lambda node: isinstance(node, Network)  # noqa: E731
    return jax.tree.map(
        lambda node: node.replace(opt_state=()) if is_network(node) else node,
        state,
        is_leaf=is_network,
    )


def _is_frozen(node: Any) -> bool:
    return isinstance(node, FrozenNetwork)


def without_frozen(state: Any) -> Any:
    """Return a state with None in place of its frozen networks: what a checkpoint holds."""
    return jax.tree.map(lambda node: None if _is_frozen(node) else node, state, is_leaf=_is_frozen)


def with_frozen(state: Any, frozen: dict[str, FrozenNetwork]) -> Any:
    """Return a state, new or from a checkpoint, with frozen networks in the fields of that name."""
    return state.replace(**frozen) if frozen else state


SCHEDULES = {
    "constant": lambda rate, steps: rate,
    "linear": lambda rate, steps: optax.linear_schedule(rate, 0.0, steps),
    "cosine": lambda rate, steps: optax.cosine_decay_schedule(rate, steps),
    "constant_linear": lambda rate, steps: optax.linear_schedule(
        rate, 0.0, steps - steps // 2, steps // 2
    ),
}


def adam(config: Config, rate: float, total_updates: int) -> optax.GradientTransformation:
    """Return Adam with the configuration's decays and schedule, over so many updates."""
    return optax.adam(
        SCHEDULES[config.schedule](rate, total_updates), b1=config.beta1, b2=config.beta2
    )


def create_network(
    module: nn.Module, key: Array, x: Any, condition: Array | None, tx: optax.GradientTransformation
) -> Network:
    """Return a network with new weights, for inputs x (N, ...) and a condition (N, ...) or None."""
    variables = module.init(key, x, condition, train=True)
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    return Network(
        params=params, batch_stats=batch_stats, opt_state=tx.init(params), module=module, tx=tx
    )
