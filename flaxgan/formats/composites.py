"""Functions that are one operation of ONNX, or a few of any size of picture, as a whole.

By their names, which plain.named, or a jit of JAX's own, leaves in what is traced.
"""

import numpy as np

from flaxgan.formats.graph import Unsupported
from flaxgan.formats.operations import Rule, elementwise
from flaxgan.formats.values import Builder, Shape, Value, of_pictures
from flaxgan.models.batch_norm import EPSILON


def _leaky_relu(b: Builder, values: list[Value], shape: Shape) -> Value:
    x, slope = values
    like = elementwise("LeakyRelu", b, [x], shape)
    b.nodes[-1].attributes["alpha"] = float(slope.array())
    return like


def _take(b: Builder, values: list[Value], shape: Shape) -> Value:
    table, rows = values
    if tuple(shape) != (*rows.shape, *table.shape[1:]):
        raise Unsupported("take along another axis than the first")
    return Value.plain(b.node("Gather", b.whole(table), b.whole(rows), axis=0), shape)


def _softmax(b: Builder, values: list[Value], shape: Shape) -> Value:
    return Value.plain(b.node("Softmax", b.whole(values[0]), axis=len(shape) - 1), shape)


def _instance_norm(b: Builder, values: list[Value], shape: Shape) -> Value:
    ones, zeros = (np.full(shape[3], value, np.float32) for value in (1, 0))
    x = b.pictures(values[0])
    return of_pictures(b.node("InstanceNormalization", x, ones, zeros, epsilon=EPSILON), shape)


def _mirrored(b: Builder, values: list[Value], shape: Shape) -> Value:
    side = (shape[1] - values[0].shape[1]) // 2
    pads = np.array([0, 0, side, side] * 2, np.int64)
    return of_pictures(b.node("Pad", b.pictures(values[0]), pads, mode="reflect"), shape)


def _halved(b: Builder, values: list[Value], shape: Shape) -> Value:
    """Blur by [1, 2, 1] twice and take every second: a convolution of each channel by itself."""
    (x,) = values
    pads = np.array([0, 0, 1, 1, 0, 0, 0, 0], np.int64)
    blur = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
    name = b.node(
        "Conv",
        b.node("Pad", b.pictures(x), pads, mode="reflect"),
        np.broadcast_to(blur, (shape[3], 1, 3, 3)),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[0] * 4,
        group=shape[3],
    )
    return of_pictures(name, shape)


def _enlarged(b: Builder, values: list[Value], shape: Shape, mode: str = "linear") -> Value:
    scale = shape[1] // values[0].shape[1]
    name = b.node(
        "Resize",
        b.pictures(values[0]),
        "",
        np.array([1, 1, scale, scale], np.float32),
        mode=mode,
        coordinate_transformation_mode="half_pixel",
        **({"nearest_mode": "round_prefer_floor"} if mode == "nearest" else {}),
    )
    return of_pictures(name, shape)


def _twice(b: Builder, values: list[Value], shape: Shape) -> Value:
    return _enlarged(b, values, shape, "nearest")


def _pixel_shuffle(b: Builder, values: list[Value], shape: Shape, mode: str = "CRD") -> Value:
    scale = shape[1] // values[0].shape[1]
    x = b.pictures(values[0])
    return of_pictures(b.node("DepthToSpace", x, blocksize=scale, mode=mode), shape)


def _apart(b: Builder, values: list[Value], shape: Shape) -> Value:
    return _pixel_shuffle(b, values, shape, "DCR")


COMPOSITES: dict[str, Rule] = {
    "_apart": _apart,
    "_mirrored": _mirrored,
    "_softmax": _softmax,
    "_take": _take,
    "doubled": _enlarged,
    "enlarged": _enlarged,
    "halved": _halved,
    "instance_norm": _instance_norm,
    "leaky_relu": _leaky_relu,
    "pixel_shuffle": _pixel_shuffle,
    "twice": _twice,
}
