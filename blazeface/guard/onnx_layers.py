"""Shapes and cost of the operators that compute: convolutions, poolings, products, scales, suppression."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blazeface.guard import Refused
from blazeface.guard.onnx_values import (
    Attributes,
    Inputs,
    Known,
    Result,
    choice_of,
    given,
    int_of,
    ints_of,
    numbers_of,
    same,
)
from blazeface.guard.shape_rules import axis_of, broadcast


def _windows(size: int, kernel: int, stride: int, low: int, high: int, dilation: int, up: bool) -> int:
    room = size + low + high - dilation * (kernel - 1) - 1
    if room < 0:
        raise Refused(f"a window of {kernel} over {size} pixels")
    return (-(-room // stride) if up else room // stride) + 1


def _window_settings(attributes: Attributes, kernel: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Strides, pads and dilations. A window beyond 64 pixels, or a leap beyond 16, is in no face detector."""
    choice_of(attributes, "auto_pad", "NOTSET")
    if not all(1 <= side <= 64 for side in kernel):
        raise Refused(f"a window of {tuple(kernel)}")
    strides = ints_of(attributes, "strides", (1, 1), 1, 16)
    pads = ints_of(attributes, "pads", (0, 0, 0, 0), 0, 64)
    return strides, pads, ints_of(attributes, "dilations", (1, 1), 1, 16)


def conv(inputs: Inputs, attributes: Attributes) -> Result:
    x, weights = given(inputs), given(inputs, 1)
    group = int_of(attributes, "group", 1, 1, 1 << 16)
    if len(x.shape) != 4 or len(weights.shape) != 4:
        raise Refused(f"Conv of {x.shape} with {weights.shape}")
    (batch, channels, *size), (filters, depth, *kernel) = x.shape, weights.shape
    if channels != depth * group or filters % group or (len(inputs) > 2 and given(inputs, 2).shape != (filters,)):
        raise Refused(f"Conv of {x.shape} with {weights.shape} in {group} groups")
    if tuple(ints_of(attributes, "kernel_shape", kernel, 1, 64)) != tuple(kernel):
        raise Refused("Conv whose kernel_shape is not that of its weights")
    strides, pads, dilations = _window_settings(attributes, kernel)
    out = [_windows(size[i], kernel[i], strides[i], pads[i], pads[i + 2], dilations[i], False) for i in (0, 1)]
    shape = (batch, filters, *out)
    return [Known(shape)], math.prod(shape) * depth * math.prod(kernel)


def conv_transpose(inputs: Inputs, attributes: Attributes) -> Result:
    x, weights = given(inputs), given(inputs, 1)
    group = int_of(attributes, "group", 1, 1, 1 << 16)
    if len(x.shape) != 4 or len(weights.shape) != 4:
        raise Refused(f"ConvTranspose of {x.shape} with {weights.shape}")
    (batch, channels, *size), (depth, filters, *kernel) = x.shape, weights.shape
    if channels != depth or channels % group:
        raise Refused(f"ConvTranspose of {x.shape} with {weights.shape} in {group} groups")
    if tuple(ints_of(attributes, "kernel_shape", kernel, 1, 64)) != tuple(kernel):
        raise Refused("ConvTranspose whose kernel_shape is not that of its weights")
    if len(inputs) > 2 and given(inputs, 2).shape != (filters * group,):
        raise Refused("ConvTranspose whose bias does not fit")
    strides, pads, dilations = _window_settings(attributes, kernel)
    more = ints_of(attributes, "output_padding", (0, 0), 0, 15)
    out = [
        strides[i] * (size[i] - 1) + more[i] + dilations[i] * (kernel[i] - 1) + 1 - pads[i] - pads[i + 2]
        for i in (0, 1)
    ]
    if min(out) < 1:
        raise Refused("ConvTranspose that leaves nothing")
    return [Known((batch, filters * group, *out))], x.size * filters * math.prod(kernel)


def pool(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    if len(x.shape) != 4 or "kernel_shape" not in attributes:
        raise Refused(f"a pooling of {x.shape}")
    kernel = ints_of(attributes, "kernel_shape", (1, 1), 1, 64)
    strides, pads, dilations = _window_settings(attributes, kernel)
    if any(pads[i] >= kernel[i % 2] for i in range(4)):
        raise Refused("a pooling whose padding is as wide as its window")
    int_of(attributes, "storage_order", 0, 0, 0)
    up = bool(int_of(attributes, "ceil_mode", 0, 0, 1))
    out = [_windows(x.shape[2 + i], kernel[i], strides[i], pads[i], pads[i + 2], dilations[i], up) for i in (0, 1)]
    shape = (*x.shape[:2], *out)
    return [Known(shape)], math.prod(shape) * math.prod(kernel)


def global_pool(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    if len(x.shape) != 4:
        raise Refused(f"a pooling of {x.shape}")
    return [Known((*x.shape[:2], 1, 1))], x.size


def reduce(inputs: Inputs, attributes: Attributes) -> Result:
    x, rank = given(inputs), len(given(inputs).shape)
    listed = attributes.get("axes", ())
    named = numbers_of(inputs, 1) if len(inputs) > 1 and inputs[1] is not None else listed
    axes = {axis_of(int(axis), rank) for axis in named} if isinstance(named, (list, tuple)) else set()
    if not axes:
        int_of(attributes, "noop_with_empty_axes", 0, 0, 0)
        axes = set(range(rank))
    keep = int_of(attributes, "keepdims", 1, 0, 1)
    shape = tuple(1 if i in axes else side for i, side in enumerate(x.shape) if keep or i not in axes)
    return [Known(shape)], x.size


def batch_norm(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    if len(x.shape) < 2 or any(given(inputs, place).shape != (x.shape[1],) for place in range(1, 5)):
        raise Refused(f"BatchNormalization of {x.shape} whose numbers do not fit")
    int_of(attributes, "training_mode", 0, 0, 0)
    return [Known(x.shape)], x.size


def prelu(inputs: Inputs, attributes: Attributes) -> Result:
    x, slope = given(inputs), given(inputs, 1)
    if broadcast([x.shape, slope.shape]) != x.shape:
        raise Refused(f"PRelu of {x.shape} with {slope.shape}")
    return [Known(x.shape)], x.size


def clip(inputs: Inputs, attributes: Attributes) -> Result:
    if any(entry is not None and entry.shape not in ((), (1,)) for entry in inputs[1:]):
        raise Refused("Clip whose bounds are no numbers")
    return same(inputs, attributes)


def matmul(inputs: Inputs, attributes: Attributes) -> Result:
    a, b = given(inputs).shape, given(inputs, 1).shape
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise Refused(f"MatMul of {a} and {b}")
    shape = (*broadcast([a[:-2], b[:-2]]), a[-2], b[-1])
    return [Known(shape)], math.prod(shape) * a[-1]


def gemm(inputs: Inputs, attributes: Attributes) -> Result:
    a, b = given(inputs).shape, given(inputs, 1).shape
    if len(a) != 2 or len(b) != 2:
        raise Refused(f"Gemm of {a} and {b}")
    a = a[::-1] if int_of(attributes, "transA", 0, 0, 1) else a
    b = b[::-1] if int_of(attributes, "transB", 0, 0, 1) else b
    shape = (a[0], b[1])
    if a[1] != b[0] or (len(inputs) > 2 and broadcast([shape, given(inputs, 2).shape]) != shape):
        raise Refused(f"Gemm of {a} and {b}")
    return [Known(shape)], math.prod(shape) * a[1]


def quantize(inputs: Inputs, attributes: Attributes) -> Result:
    """A scale, and perhaps a zero point, for all or for each slice along an axis."""
    x = given(inputs)
    axis = int_of(attributes, "axis", 1, -8, 7)
    for place in range(1, len(inputs)):
        scale = inputs[place]
        if scale is None or scale.size == 1:
            continue
        if len(scale.shape) != 1 or scale.size != x.shape[axis_of(axis, len(x.shape))]:
            raise Refused(f"scales {scale.shape} for {x.shape}")
    return [Known(x.shape)], x.size


def suppression(inputs: Inputs, attributes: Attributes) -> Result:
    boxes, scores = given(inputs).shape, given(inputs, 1).shape
    int_of(attributes, "center_point_box", 0, 0, 1)
    if len(boxes) != 3 or len(scores) != 3 or boxes[0] != scores[0] or boxes[1] != scores[2] or boxes[2] != 4:
        raise Refused(f"NonMaxSuppression of {boxes} and {scores}")
    most = min(int(numbers_of(inputs, 2)[0]) if len(inputs) > 2 else 0, boxes[1])
    count = scores[0] * scores[1] * max(most, 0)
    return [Known((count, 3))], count * boxes[1]
