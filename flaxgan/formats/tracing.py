"""From a network of JAX to a graph of ONNX's operators."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import export
from jax.extend import core

from flaxgan.convolutions.plain import plain_convolutions
from flaxgan.formats.composites import COMPOSITES
from flaxgan.formats.folding import folded
from flaxgan.formats.graph import BATCH, Graph, Tensor, Unsupported, of_any_batch
from flaxgan.formats.operations import PRIMITIVES
from flaxgan.formats.values import Builder, Value

CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # where an operation that is a function has it


def _traced(function: Callable[..., Any], inputs: dict[str, Tensor]) -> Any:
    """Return the jaxpr of a function, its convolutions plain, for any number of rows."""
    batch = export.symbolic_shape(BATCH)
    shapes = [
        jax.ShapeDtypeStruct((*batch, *tensor.shape[1:]), tensor.dtype)
        for tensor in inputs.values()
    ]
    with of_any_batch(), plain_convolutions():
        return jax.make_jaxpr(function)(*shapes)


def traced_graph(
    function: Callable[..., Any], inputs: dict[str, Tensor], output: str = "images"
) -> Graph:
    """Return the graph of a function of arrays whose first axis is the batch's.

    `function` takes what `inputs` describes, in this order, and returns pictures float32 (N, H, W,
    C); what it knows already, as weights, becomes constants. Raises Unsupported if it computes what
    there is no rule for.
    """
    closed, builder = _traced(function, inputs), Builder()
    given = [
        Value.plain(name, var.aval.shape)
        for name, var in zip(inputs, closed.jaxpr.invars, strict=True)
    ]
    (result,) = _run(builder, closed.jaxpr, closed.consts, given)
    name = builder.whole(result)
    assert isinstance(name, str), "it depends on its inputs"
    shape = (BATCH, *result.shape[1:])
    return folded(builder.graph(inputs, {output: Tensor("float32", shape)}, [name]))


def _run(
    builder: Builder, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Value]
) -> list[Value]:
    """Add the operations of a jaxpr; what takes constants alone is computed at once."""
    known: dict[Any, Value] = {}

    def read(var: Any) -> Value:
        return _constant(var.val) if isinstance(var, core.Literal) else known[var]

    known.update(zip(jaxpr.constvars, map(_constant, consts), strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        values = [read(var) for var in equation.invars]
        known.update(zip(equation.outvars, _apply(builder, equation, values), strict=True))
    return [read(var) for var in jaxpr.outvars]


def _constant(array: Any) -> Value:
    return Value.plain(np.asarray(array), np.shape(array))


def _apply(builder: Builder, equation: Any, values: list[Value]) -> list[Value]:
    name, params = equation.primitive.name, equation.params
    inner = next((params[key] for key in CALLS if key in params), None)
    if inner is not None and params.get("name") in COMPOSITES and not _known(values):
        rule, params = COMPOSITES[params["name"]], {}
    elif inner is not None:
        jaxpr, consts = getattr(inner, "jaxpr", inner), getattr(inner, "consts", ())
        return _run(builder, jaxpr, consts, values)
    elif _known(values) and name != "broadcast_in_dim":
        results = equation.primitive.bind(*(value.array() for value in values), **params)
        return [*map(_constant, results if equation.primitive.multiple_results else [results])]
    elif name in PRIMITIVES:
        rule = PRIMITIVES[name]
    elif name == "convert_element_type" and params["new_dtype"] == equation.invars[0].aval.dtype:
        return values
    else:
        raise Unsupported(name)
    settings = {key: value for key, value in params.items() if key != "shape"}
    return [rule(builder, values, equation.outvars[0].aval.shape, **settings)]


def _known(values: list[Value]) -> bool:
    return all(value.is_constant for value in values)
