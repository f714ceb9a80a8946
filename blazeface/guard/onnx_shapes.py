"""Shapes and cost of the operators that move numbers, and the arithmetic of shapes, done where its numbers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.guard import Refused
from blazeface.guard.onnx_graph import SMALL, Tensor
from blazeface.guard.onnx_values import (
    Attributes,
    Inputs,
    Known,
    Result,
    choice_of,
    folded,
    given,
    int_of,
    numbers_of,
    same,
)
from blazeface.guard.shape_rules import axis_of, broadcast, concatenated


def cast(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    kind = int_of(attributes, "to", 0, 1, 11)
    if x.values is None:
        return [Known(x.shape)], x.size
    return [Known(x.shape, x.values.astype(np.int64 if kind in (6, 7) else np.float64))], x.size


def through(inputs: Inputs, attributes: Attributes) -> Result:
    return [given(inputs)], given(inputs).size


def elementwise(function: Callable[..., Any] | None) -> Callable[[Inputs, Attributes], Result]:
    def rule(inputs: Inputs, attributes: Attributes) -> Result:
        known = [given(inputs, place) for place in range(len(inputs))]
        shape = broadcast([entry.shape for entry in known])
        values = [entry.values for entry in known]
        if function is not None and all(value is not None for value in values) and math.prod(shape) <= SMALL:
            with np.errstate(all="ignore"):
                return [folded(np.asarray(function(*values)))], math.prod(shape)
        return [Known(shape)], math.prod(shape)

    return rule


def divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    if a.dtype.kind != "i" or b.dtype.kind != "i":
        return np.asarray(a / b)
    if (b == 0).any():
        raise Refused("a division of a shape by zero")
    return np.asarray(np.trunc(a / b).astype(np.int64))


def softmax(inputs: Inputs, attributes: Attributes) -> Result:
    axis_of(int_of(attributes, "axis", -1, -8, 7), len(given(inputs).shape))
    return same(inputs, attributes)


def concat(inputs: Inputs, attributes: Attributes) -> Result:
    known = [given(inputs, place) for place in range(len(inputs))]
    shapes = [entry.shape for entry in known]
    axis = int_of(attributes, "axis", 0, -8, 7)
    shape = concatenated(shapes, axis)
    values = [entry.values for entry in known if entry.values is not None]
    if len(values) == len(known) and math.prod(shape) <= SMALL:
        return [folded(np.concatenate(values, axis))], len(known)
    return [Known(shape)], math.prod(shape)


def split(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    axis = axis_of(int_of(attributes, "axis", 0, -8, 7), len(x.shape))
    sizes = numbers_of(inputs, 1)
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise Refused(f"Split of {x.shape} into {sizes}")
    return [Known((*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes], x.size


def sliced(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    starts, ends = numbers_of(inputs, 1), numbers_of(inputs, 2)
    axes = numbers_of(inputs, 3) if len(inputs) > 3 and inputs[3] is not None else list(range(len(starts)))
    steps = numbers_of(inputs, 4) if len(inputs) > 4 and inputs[4] is not None else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refused("Slice whose bounds do not go together")
    cut = [slice(None)] * len(x.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[axis_of(axis, len(x.shape))] = slice(start, None if step < 0 and end < -(1 << 31) else end, step)
    shape = tuple(len(range(*part.indices(side))) for part, side in zip(cut, x.shape, strict=True))
    return [Known(shape, None if x.values is None else x.values[tuple(cut)])], math.prod(shape)


def transpose(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    order = attributes.get("perm", tuple(range(len(x.shape)))[::-1])
    if not isinstance(order, tuple) or sorted(map(int, order)) != list(range(len(x.shape))):
        raise Refused(f"Transpose of {x.shape} by {order!r}")
    return [Known(tuple(x.shape[int(i)] for i in order))], x.size


def reshape(inputs: Inputs, attributes: Attributes) -> Result:
    x, wanted = given(inputs), numbers_of(inputs, 1)
    zero = int_of(attributes, "allowzero", 0, 0, 1)
    shape = [
        x.shape[i] if side == 0 and not zero and i < len(x.shape) else int(side) for i, side in enumerate(wanted)
    ]
    if shape.count(-1) == 1:
        rest = math.prod(side for side in shape if side != -1)
        shape[shape.index(-1)] = x.size // rest if rest > 0 else -2
    if min(shape, default=0) < 0 or math.prod(shape) != x.size or len(shape) > 8:
        raise Refused(f"Reshape of {x.shape} to {wanted}")
    return [Known(tuple(shape), None if x.values is None else x.values.reshape(shape))], 1


def flatten(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    axis = int_of(attributes, "axis", 1, 0, len(x.shape))
    return [Known((math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))], 1


def squeeze(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    axes = {axis_of(int(axis), len(x.shape)) for axis in numbers_of(inputs, 1)}
    if any(x.shape[axis] != 1 for axis in axes):
        raise Refused(f"Squeeze of {x.shape}")
    shape = tuple(side for i, side in enumerate(x.shape) if i not in axes)
    return [Known(shape, None if x.values is None else x.values.reshape(shape))], 1


def unsqueeze(inputs: Inputs, attributes: Attributes) -> Result:
    x, wanted = given(inputs), numbers_of(inputs, 1)
    axes = {axis_of(int(axis), len(x.shape) + len(wanted)) for axis in wanted}
    if len(axes) != len(wanted) or len(x.shape) + len(wanted) > 8:
        raise Refused(f"Unsqueeze of {x.shape} at {wanted}")
    sides = iter(x.shape)
    shape = tuple(1 if i in axes else next(sides) for i in range(len(x.shape) + len(axes)))
    return [Known(shape, None if x.values is None else x.values.reshape(shape))], 1


def expand(inputs: Inputs, attributes: Attributes) -> Result:
    wanted = numbers_of(inputs, 1)
    if min(wanted, default=1) < 1:
        raise Refused(f"Expand to {wanted}")
    shape = broadcast([given(inputs).shape, tuple(map(int, wanted))])
    return [Known(shape)], math.prod(shape)


def shape_of(inputs: Inputs, attributes: Attributes) -> Result:
    shape = given(inputs).shape
    start = int_of(attributes, "start", 0, -8, 8)
    end = int_of(attributes, "end", 8, -8, 8)
    return [folded(np.array(shape[start:end], np.int64))], 1


def constant_of_shape(inputs: Inputs, attributes: Attributes) -> Result:
    wanted = numbers_of(inputs, 0)
    if min(wanted, default=1) < 0 or len(wanted) > 8:
        raise Refused(f"ConstantOfShape of {wanted}")
    filled = attributes.get("value")
    value = filled.values if isinstance(filled, Tensor) else np.zeros(1)
    shape = tuple(map(int, wanted))
    if value is None or math.prod(shape) > SMALL:
        return [Known(shape)], math.prod(shape)
    return [Known(shape, np.full(shape, value.reshape(-1)[0]))], 1


def constant(inputs: Inputs, attributes: Attributes) -> Result:
    if len(attributes) != 1:
        raise Refused("Constant with other than one value")
    ((name, value),) = attributes.items()
    if isinstance(value, Tensor):
        return [Known(value.shape, value.values)], 1
    if name in ("value_int", "value_ints", "value_float", "value_floats") and not isinstance(value, str):
        return [folded(np.asarray(value, np.int64 if "int" in name else np.float64))], 1
    raise Refused(f"Constant with the attribute {name[:60]!r}")


def gather(inputs: Inputs, attributes: Attributes) -> Result:
    x, places = given(inputs), given(inputs, 1)
    axis = axis_of(int_of(attributes, "axis", 0, -8, 7), len(x.shape))
    shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    if x.values is not None and places.values is not None:
        try:
            return [folded(np.take(x.values, places.values.astype(np.int64), axis))], 1
        except IndexError as error:
            raise Refused(f"Gather beyond {x.shape}") from error
    return [Known(shape)], math.prod(shape)


def gather_nd(inputs: Inputs, attributes: Attributes) -> Result:
    x, places = given(inputs), given(inputs, 1)
    int_of(attributes, "batch_dims", 0, 0, 0)
    if not places.shape or places.shape[-1] > len(x.shape):
        raise Refused(f"GatherND of {x.shape} at {places.shape}")
    shape = (*places.shape[:-1], *x.shape[places.shape[-1] :])
    return [Known(shape)], math.prod(shape)


def pad(inputs: Inputs, attributes: Attributes) -> Result:
    x, pads = given(inputs), numbers_of(inputs, 1)
    mode = choice_of(attributes, "mode", "constant", "reflect", "edge")
    rank = len(x.shape)
    axes = list(range(rank))
    if len(inputs) > 3 and inputs[3] is not None:
        axes = [axis_of(int(axis), rank) for axis in numbers_of(inputs, 3)]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes) or min(pads, default=0) < 0:
        raise Refused(f"Pad of {x.shape} by {pads}")
    shape = list(x.shape)
    for i, axis in enumerate(axes):
        low, high = int(pads[i]), int(pads[i + len(axes)])
        if mode == "reflect" and max(low, high) >= max(shape[axis], 1):
            raise Refused(f"Pad of {x.shape} by {pads}")
        shape[axis] += low + high
    return [Known(tuple(shape))], math.prod(shape)


def resize(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    choice_of(attributes, "mode", "nearest", "linear")
    choice_of(
        attributes,
        "coordinate_transformation_mode",
        "half_pixel",
        "asymmetric",
        "align_corners",
        "pytorch_half_pixel",
    )
    choice_of(attributes, "nearest_mode", "round_prefer_floor", "floor", "ceil", "round_prefer_ceil")
    choice_of(attributes, "keep_aspect_ratio_policy", "stretch")
    int_of(attributes, "antialias", 0, 0, 0)
    int_of(attributes, "exclude_outside", 0, 0, 0)
    if len(x.shape) != 4 or "axes" in attributes:
        raise Refused(f"Resize of {x.shape}")
    if len(inputs) > 3 and inputs[3] is not None:
        shape = tuple(int(side) for side in numbers_of(inputs, 3))
    else:
        scales = numbers_of(inputs, 2)
        if len(scales) != 4 or not all(0 < scale <= 64 for scale in scales):
            raise Refused(f"Resize by {scales}")
        shape = tuple(math.floor(side * scale) for side, scale in zip(x.shape, scales, strict=True))
    if len(shape) != 4 or shape[:2] != x.shape[:2] or min(shape) < 1:
        raise Refused(f"Resize of {x.shape} to {shape}")
    return [Known(shape)], 4 * math.prod(shape)


def depth_to_space(inputs: Inputs, attributes: Attributes) -> Result:
    x, side = given(inputs), int_of(attributes, "blocksize", 1, 1, 64)
    choice_of(attributes, "mode", "DCR", "CRD")
    if len(x.shape) != 4 or x.shape[1] % side**2:
        raise Refused(f"DepthToSpace of {x.shape} by {side}")
    return [Known((x.shape[0], x.shape[1] // side**2, x.shape[2] * side, x.shape[3] * side))], x.size
