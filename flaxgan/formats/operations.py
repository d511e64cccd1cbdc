"""What each operation of JAX is in ONNX: a function of a builder, the values that go in, the shape
that comes out, and JAX's parameters.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from flaxgan.formats.graph import Unsupported
from flaxgan.formats.values import (
    Builder,
    Shape,
    Value,
    differ_in_ones,
    of_pictures,
    reinterpreted,
    solid,
)

Rule = Callable[..., Value]
NHWC = {"lhs_spec": (0, 3, 1, 2), "rhs_spec": (3, 2, 0, 1), "out_spec": (0, 3, 1, 2)}


def elementwise(op: str, b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    """Add an operation of numbers in the order in which the largest of the arrays is stored."""
    values = [x if x.shape else broadcast(b, [x], shape, broadcast_dimensions=()) for x in values]
    largest = max((x for x in values if not x.is_constant), key=lambda x: len(x.layout))
    used = {i for x in values for i in x.layout if x.shape[i] != 1}.union(largest.layout)
    layout = [*sorted(used.difference(largest.layout)), *largest.layout]
    name = b.node(op, *(_short(b.stored(x, layout)) for x in values))
    axes = tuple(layout.index(i) if i in used else None for i in range(len(shape)))
    return Value(name, shape, axes, len(layout))


def _short(stored: str | np.ndarray) -> str | np.ndarray:
    """Leave out the first axes of a constant that are of size 1."""
    if isinstance(stored, str):
        return stored
    kept = next((i for i, size in enumerate(stored.shape) if size != 1), stored.ndim)
    return stored.reshape(stored.shape[kept:])


def _same(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    return values[0]


def _maximum(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    for bound, x in (values, values[::-1]):
        if bound.is_constant and not np.any(bound.stored):
            return elementwise("Relu", b, [x], shape)
    return elementwise("Max", b, values, shape)


def _rsqrt(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    return elementwise("Reciprocal", b, [elementwise("Sqrt", b, values, shape)], shape)


def _square(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    return elementwise("Mul", b, [values[0], values[0]], shape)


def _where(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    condition, otherwise, then = values
    return elementwise("Where", b, [condition, then, otherwise], shape)


def _transpose(
    b: Builder, values: list[Value], shape: Shape, *, permutation: Any, **_: Any
) -> Value:
    (x,) = values
    return Value(x.stored, shape, tuple(x.axes[i] for i in permutation), x.rank)


def broadcast(
    b: Builder, values: list[Value], shape: Shape, *, broadcast_dimensions: Any, **_: Any
) -> Value:
    """Repeat a value, or rather note that it is."""
    x = values[0]
    axes: list[int | None] = [None] * len(shape)
    for axis, to in enumerate(broadcast_dimensions):
        if x.shape[axis] == shape[to]:
            axes[to] = x.axes[axis]
    return Value(x.stored, shape, tuple(axes), x.rank)


def _reshape(b: Builder, values: list[Value], shape: Shape, **_: Any) -> Value:
    x = values[0]
    if differ_in_ones(x.shape, shape):
        return reinterpreted(x, shape)
    name = b.whole(x)
    assert isinstance(name, str)
    return Value.plain(b.reshaped(name, shape), shape)


def _concatenate(
    b: Builder, values: list[Value], shape: Shape, *, dimension: int, **_: Any
) -> Value:
    values = [solid(x) for x in values]
    whole = (x.layout for x in values if not x.is_constant and len(x.layout) == len(shape))
    layout = next(whole, tuple(range(len(shape))))
    names = [b.stored(x, layout) for x in values]
    axes = tuple(layout.index(i) for i in range(len(shape)))
    return Value(b.node("Concat", *names, axis=layout.index(dimension)), shape, axes, len(layout))


def _reduce(
    op: str, b: Builder, values: list[Value], shape: Shape, *, axes: Any, **_: Any
) -> Value:
    (x,) = values
    places = np.array(axes, np.int64)
    return Value.plain(b.node(op, b.whole(x), places, keepdims=0), shape)


def _dot(
    b: Builder, values: list[Value], shape: Shape, *, dimension_numbers: Any, **_: Any
) -> Value:
    """Multiply matrices, or stacks of them, in whatever order their axes are seen."""
    ((left_sum, right_sum), (left_batch, right_batch)) = dimension_numbers
    left, right = map(solid, values)
    left_free, right_free = (
        [i for i in range(len(x.shape)) if i not in (*summed, *batch)]
        for x, summed, batch in ((left, left_sum, left_batch), (right, right_sum, right_batch))
    )
    if len(left_sum) != 1 or len(right_free) != 1 or (left_batch and len(left_free) != 1):
        raise Unsupported("dot_general of these axes")
    name = b.node(
        "Gemm" if right.is_constant and len(shape) == 2 else "MatMul",
        b.stored(left, [*left_batch, *left_free, *left_sum]),
        b.stored(right, [*right_batch, *right_sum, *right_free]),
    )
    return Value.plain(name, shape)


def _convolution(
    b: Builder, values: list[Value], shape: Shape, *, dimension_numbers: Any, **params: Any
) -> Value:
    x, kernel = values
    if any(getattr(dimension_numbers, name) != spec for name, spec in NHWC.items()):
        raise Unsupported("conv_general_dilated of other than NHWC pictures")
    before, after = zip(*params["padding"], strict=True)
    groups, enlarging = params["feature_group_count"], [*params["lhs_dilation"]]
    is_transposed = set(enlarging) != {1}
    # ONNX's transposed convolution is that of a kernel the other way round, and cuts away what
    # JAX's leaves off its padding.
    pads = [*before, *after]
    if is_transposed:
        pads = [size - 1 - side for size, side in zip(kernel.shape[:2] * 2, pads, strict=True)]
    if (
        not kernel.is_constant
        or {*params["rhs_dilation"], params["batch_group_count"]} != {1}
        or min(pads) < 0
        or (is_transposed and {*params["window_strides"], groups} != {1})
    ):
        raise Unsupported("conv_general_dilated of these settings")
    weights = kernel.array()
    shared = {"kernel_shape": [*weights.shape[:2]], "pads": pads}
    if is_transposed:
        turned = weights[::-1, ::-1].transpose(2, 3, 0, 1)
        name = b.node("ConvTranspose", b.pictures(x), turned, strides=enlarging, **shared)
    else:
        strides = [*params["window_strides"]]
        turned = weights.transpose(3, 2, 0, 1)
        name = b.node("Conv", b.pictures(x), turned, strides=strides, group=groups, **shared)
    return of_pictures(name, shape)


def _max_pool(b: Builder, values: list[Value], shape: Shape, **params: Any) -> Value:
    window, strides = params["window_dimensions"], params["window_strides"]
    dilations = {*params["window_dilation"], *params["base_dilation"]}
    padded = any(map(any, params["padding"]))
    if len(window) != 4 or padded or window[0] * window[3] != 1 or dilations != {1}:
        raise Unsupported("reduce_window_max of these settings")
    name = b.node(
        "MaxPool", b.pictures(values[0]), kernel_shape=[*window[1:3]], strides=[*strides[1:3]]
    )
    return of_pictures(name, shape)


PRIMITIVES: dict[str, Rule] = {
    **{
        name: partial(elementwise, op)
        for name, op in {
            "abs": "Abs",
            "add": "Add",
            "add_any": "Add",
            "cos": "Cos",
            "div": "Div",
            "erf": "Erf",
            "exp": "Exp",
            "floor": "Floor",
            "ge": "GreaterOrEqual",
            "gt": "Greater",
            "le": "LessOrEqual",
            "log": "Log",
            "logistic": "Sigmoid",
            "lt": "Less",
            "min": "Min",
            "mul": "Mul",
            "neg": "Neg",
            "pow": "Pow",
            "sin": "Sin",
            "sqrt": "Sqrt",
            "sub": "Sub",
            "tanh": "Tanh",
        }.items()
    },
    **dict.fromkeys(("copy", "copy_p", "optimization_barrier", "stop_gradient"), _same),
    "broadcast_in_dim": broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "max": _maximum,
    "reduce_max": partial(_reduce, "ReduceMax"),
    "reduce_sum": partial(_reduce, "ReduceSum"),
    "reduce_window_max": _max_pool,
    "reshape": _reshape,
    "rsqrt": _rsqrt,
    "select_n": _where,
    "square": _square,
    "squeeze": _reshape,
    "transpose": _transpose,
}
