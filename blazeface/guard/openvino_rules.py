"""The layers of OpenVINO that a face detector of this kind needs, by the rules of ONNX's operators, which most of them share.

The differences are those of OpenVINO's operation sets 1 to 15: attributes are texts, pads come in two, and what ONNX has as
an attribute is often an input, or the other way about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from blazeface.guard import Refused
from blazeface.guard import onnx_layers as layers
from blazeface.guard import onnx_shapes as shapes
from blazeface.guard.onnx_graph import SMALL, Node
from blazeface.guard.onnx_values import (
    Attributes,
    Inputs,
    Known,
    Result,
    choice_of,
    folded,
    given,
    numbers_of,
    same,
)
from blazeface.guard.shape_rules import axis_of, broadcast, whole_number

Rule = Callable[[Inputs, Attributes], Result]


def apply_openvino(node: Node, inputs: Inputs) -> Result:
    """The outputs of a layer. Raises Refused."""
    if node.kind not in RULES:
        raise Refused(f"the layer {node.kind[:60]!r}")
    low, high, known, rule = RULES[node.kind]
    if not low <= len(inputs) <= high or any(entry is None for entry in inputs):
        raise Refused(f"{node.kind} with {len(inputs)} inputs")
    unknown = node.attributes.keys() - known
    if unknown:
        raise Refused(f"{node.kind} with the attribute {min(unknown)[:60]!r}")
    return rule(inputs, node.attributes)


def ints(attributes: Attributes, name: str, default: str = "") -> tuple[int, ...]:
    """A list of whole numbers, as "1, 2"."""
    text = str(attributes.get(name, default))
    try:
        return tuple(whole_number(part) for part in text.split(",") if part.strip())
    except Refused as error:
        raise Refused(f"{name} = {text[:40]!r}") from error


def flag(attributes: Attributes, name: str, default: bool = False) -> bool:
    return choice_of(attributes, name, *(("true", "false") if default else ("false", "true"))) == "true"


def window(attributes: Attributes) -> dict[str, Any]:
    """Strides, pads and dilations as ONNX's attributes."""
    choice_of(attributes, "auto_pad", "explicit")
    found: dict[str, Any] = {"pads": ints(attributes, "pads_begin", "0,0") + ints(attributes, "pads_end", "0,0")}
    return found | {name: ints(attributes, name) for name in ("strides", "dilations") if name in attributes}


def convolution(inputs: Inputs, attributes: Attributes) -> Result:
    return layers.conv(inputs, window(attributes))


def group_convolution(inputs: Inputs, attributes: Attributes) -> Result:
    group, filters, *rest = _grouped(inputs)
    return layers.conv([inputs[0], Known((group * filters, *rest))], window(attributes) | {"group": group})


def back_convolution(inputs: Inputs, attributes: Attributes) -> Result:
    more = {"output_padding": ints(attributes, "output_padding", "0,0")}
    return layers.conv_transpose(inputs, window(attributes) | more)


def group_back_convolution(inputs: Inputs, attributes: Attributes) -> Result:
    group, depth, *rest = _grouped(inputs)
    more = {"output_padding": ints(attributes, "output_padding", "0,0"), "group": group}
    return layers.conv_transpose([inputs[0], Known((group * depth, *rest))], window(attributes) | more)


def _grouped(inputs: Inputs) -> tuple[int, ...]:
    """Weights of (groups, filters or channels of one, ...)."""
    weights = given(inputs, 1).shape
    if len(weights) != 5:
        raise Refused(f"weights {weights} of a convolution in groups")
    return weights


def pool(inputs: Inputs, attributes: Attributes) -> Result:
    up = choice_of(attributes, "rounding_type", "floor", "ceil") == "ceil"
    more = {"kernel_shape": ints(attributes, "kernel"), "ceil_mode": int(up)}
    (result,), work = layers.pool(inputs, window(attributes) | more)
    return [result, result], work  # MaxPool's second output says where each maximum was


def elementwise(function: Callable[..., Any] | None) -> Rule:
    rule = shapes.elementwise(function)

    def checked(inputs: Inputs, attributes: Attributes) -> Result:
        choice_of(attributes, "auto_broadcast", "numpy")
        return rule(inputs, attributes)

    return checked


def divide(inputs: Inputs, attributes: Attributes) -> Result:
    """Of whole numbers: rounded down, unless m_pythondiv is false."""
    down = flag(attributes, "m_pythondiv", True)
    values = [entry.values for entry in inputs if entry is not None]
    if down and all(
        value is not None and value.dtype.kind == "i" and not (value == 0).any() for value in values[1:]
    ):
        return elementwise(lambda a, b: a // b if a.dtype.kind == "i" else a / b)(inputs, attributes)
    return elementwise(shapes.divide)(inputs, attributes)


def prelu(inputs: Inputs, attributes: Attributes) -> Result:
    x, slope = given(inputs), given(inputs, 1)
    if len(slope.shape) == 1 and slope.size in (1, x.shape[1] if len(x.shape) > 1 else 1):
        return same(inputs, attributes)
    return layers.prelu(inputs, attributes)


def convert(inputs: Inputs, attributes: Attributes) -> Result:
    x = given(inputs)
    whole = str(attributes.get("destination_type", "")).startswith(("i", "u"))
    if x.values is None:
        return [Known(x.shape)], x.size
    return [Known(x.shape, x.values.astype(np.int64 if whole else np.float64))], x.size


def softmax(inputs: Inputs, attributes: Attributes) -> Result:
    return shapes.softmax(inputs, {"axis": ints(attributes, "axis", "1")[0]})


def reduce(inputs: Inputs, attributes: Attributes) -> Result:
    return layers.reduce(inputs, {"keepdims": int(flag(attributes, "keep_dims"))})


def matmul(inputs: Inputs, attributes: Attributes) -> Result:
    known = [given(inputs, 0).shape, given(inputs, 1).shape]
    for place, name in enumerate(("transpose_a", "transpose_b")):
        if flag(attributes, name):
            if len(known[place]) < 2:
                raise Refused(f"MatMul of {known[0]} and {known[1]}")
            known[place] = (*known[place][:-2], known[place][-1], known[place][-2])
    return layers.matmul([Known(shape) for shape in known], {})


def concat(inputs: Inputs, attributes: Attributes) -> Result:
    return shapes.concat(inputs, {"axis": ints(attributes, "axis", "0")[0]})


def split(inputs: Inputs, attributes: Attributes) -> Result:
    """Into equal parts (Split), or of given lengths, one of which may be -1 (VariadicSplit)."""
    x = given(inputs)
    axis = axis_of(int(numbers_of(inputs, 1)[0]), len(x.shape))
    if len(inputs) == 2:
        count = ints(attributes, "num_splits", "0")[0]
        if not 1 <= count <= SMALL or x.shape[axis] % count:
            raise Refused(f"Split of {x.shape} into {count}")
        sizes = [x.shape[axis] // count] * count
    else:
        sizes = [int(size) for size in numbers_of(inputs, 2)]
        if sizes.count(-1) == 1:
            sizes[sizes.index(-1)] = x.shape[axis] - sum(size for size in sizes if size != -1)
    if not sizes or min(sizes) < 0 or sum(sizes) != x.shape[axis]:
        raise Refused(f"a split of {x.shape} into {sizes}")
    edges = np.cumsum(sizes)[:-1]
    parts = [None] * len(sizes) if x.values is None else np.split(x.values, edges, axis)
    made = [
        Known((*x.shape[:axis], size, *x.shape[axis + 1 :]), part) for size, part in zip(sizes, parts, strict=True)
    ]
    return made, x.size


def reshape(inputs: Inputs, attributes: Attributes) -> Result:
    return shapes.reshape(inputs, {"allowzero": int(not flag(attributes, "special_zero"))})


def transpose(inputs: Inputs, attributes: Attributes) -> Result:
    return shapes.transpose(inputs[:1], {"perm": tuple(int(axis) for axis in numbers_of(inputs, 1))})


def pad(inputs: Inputs, attributes: Attributes) -> Result:
    pads = np.array([*numbers_of(inputs, 1), *numbers_of(inputs, 2)], np.int64)
    mode = choice_of(attributes, "pad_mode", "constant", "reflect", "edge")
    return shapes.pad([inputs[0], Known(pads.shape, pads)], {"mode": mode})


def interpolate(inputs: Inputs, attributes: Attributes) -> Result:
    """Of operation sets 4 (sizes, scales and perhaps axes) and 11 (one of the two, and perhaps axes)."""
    x = given(inputs)
    choice_of(attributes, "mode", "nearest", "linear", "linear_onnx")
    by_sizes = choice_of(attributes, "shape_calculation_mode", "sizes", "scales") == "sizes"
    if any(ints(attributes, name) not in ((), (0,) * len(x.shape), (0,)) for name in ("pads_begin", "pads_end")):
        raise Refused("Interpolate with pads")
    apart = attributes.get("opset") == "opset4"
    told = numbers_of(inputs, 2 if apart and not by_sizes else 1)
    place = 3 if apart else 2
    axes = numbers_of(inputs, place) if len(inputs) > place else list(range(len(x.shape)))
    if len(told) != len(axes):
        raise Refused(f"Interpolate of {x.shape} by {told}")
    shape = list(x.shape)
    for axis, value in zip(axes, told, strict=True):
        side = axis_of(int(axis), len(shape))
        if not by_sizes and not 0 < value <= 64:
            raise Refused(f"Interpolate by {value}")
        shape[side] = int(value) if by_sizes else math.floor(shape[side] * value)
    if min(shape) < 1 or shape[:2] != list(x.shape[:2]) or len(shape) != 4:
        raise Refused(f"Interpolate of {x.shape} to {shape}")
    return [Known(tuple(shape))], 4 * math.prod(shape)


def spread(inputs: Inputs, attributes: Attributes) -> Result:
    """Broadcast."""
    x, wanted = given(inputs), tuple(int(side) for side in numbers_of(inputs, 1))
    both = choice_of(attributes, "mode", "numpy", "bidirectional") == "bidirectional"
    if len(wanted) > 8 or min(wanted, default=1) < 0:
        raise Refused(f"Broadcast to {wanted}")
    shape = broadcast([x.shape, wanted])
    if shape != wanted and not both:
        raise Refused(f"Broadcast of {x.shape} to {wanted}")
    if x.values is None or math.prod(shape) > SMALL:
        return [Known(shape)], math.prod(shape)
    return [folded(np.broadcast_to(x.values, shape))], math.prod(shape)


def gather(inputs: Inputs, attributes: Attributes) -> Result:
    if ints(attributes, "batch_dims", "0") != (0,):
        raise Refused("Gather of a batch")
    return shapes.gather(inputs, {"axis": int(numbers_of(inputs, 2)[0])})


def sliced(inputs: Inputs, attributes: Attributes) -> Result:
    """Slice: data, starts, ends, steps and perhaps axes."""
    return shapes.sliced([*inputs[:3], inputs[4] if len(inputs) > 4 else None, inputs[3]], {})


def strided(inputs: Inputs, attributes: Attributes) -> Result:
    """StridedSlice whose masks only say that a bound is not given: 1 in begin_mask and end_mask."""
    starts, ends = numbers_of(inputs, 1), numbers_of(inputs, 2)
    steps = numbers_of(inputs, 3) if len(inputs) > 3 else [1] * len(starts)
    if any(any(ints(attributes, name)) for name in ("new_axis_mask", "shrink_axis_mask", "ellipsis_mask")):
        raise Refused("StridedSlice that changes the number of axes")
    rank = len(given(inputs).shape)
    if not len(starts) == len(ends) == len(steps) <= rank or 0 in steps:
        raise Refused("StridedSlice whose bounds do not go together")
    far = 1 << 40
    for bounds, name, wide in ((starts, "begin_mask", -far), (ends, "end_mask", far)):
        for place, masked in enumerate(ints(attributes, name)[: len(bounds)]):
            if masked:
                bounds[place] = wide if steps[place] > 0 else -wide
    values = [np.array(part, np.int64) for part in (starts, ends, range(len(starts)), steps)]
    return shapes.sliced([inputs[0], *(Known(part.shape, part) for part in values)], {})


WINDOW = "auto_pad strides dilations pads_begin pads_end"


def _rule(low: int, high: int, rule: Rule, attributes: str = "") -> tuple[int, int, frozenset[str], Rule]:
    return low, high, frozenset(f"{attributes} opset".split()), rule


RULES: Mapping[str, tuple[int, int, frozenset[str], Rule]] = {
    **{kind: _rule(1, 1, same) for kind in ("Result", "ReLU", "Sigmoid", "HSwish")},
    **{
        kind: _rule(2, 2, elementwise(f), "auto_broadcast")
        for kind, f in (
            ("Add", np.add),
            ("Subtract", np.subtract),
            ("Multiply", np.multiply),
            ("Power", None),
            ("Maximum", np.maximum),
            ("Minimum", np.minimum),
        )
    },
    "Divide": _rule(2, 2, divide, "auto_broadcast m_pythondiv"),
    "Clamp": _rule(1, 1, same, "min max"),
    "Swish": _rule(1, 2, same),
    "HardSigmoid": _rule(3, 3, same),
    "PReLU": _rule(2, 2, prelu),
    "SoftMax": _rule(1, 1, softmax, "axis"),
    "FakeQuantize": _rule(5, 5, elementwise(None), "auto_broadcast levels"),
    "Convert": _rule(1, 1, convert, "destination_type no_clamp use_rounding"),
    "Convolution": _rule(2, 2, convolution, WINDOW),
    "GroupConvolution": _rule(2, 2, group_convolution, WINDOW),
    "ConvolutionBackpropData": _rule(2, 2, back_convolution, f"{WINDOW} output_padding"),
    "GroupConvolutionBackpropData": _rule(2, 2, group_back_convolution, f"{WINDOW} output_padding"),
    "MaxPool": _rule(1, 1, pool, f"{WINDOW} kernel rounding_type index_element_type axis"),
    "AvgPool": _rule(1, 1, pool, f"{WINDOW} kernel rounding_type exclude-pad"),
    "ReduceMean": _rule(2, 2, reduce, "keep_dims"),
    "MatMul": _rule(2, 2, matmul, "transpose_a transpose_b"),
    "Concat": _rule(1, SMALL, concat, "axis"),
    "Split": _rule(2, 2, split, "num_splits"),
    "VariadicSplit": _rule(3, 3, split),
    "Reshape": _rule(2, 2, reshape, "special_zero"),
    "Transpose": _rule(2, 2, transpose),
    "Squeeze": _rule(2, 2, shapes.squeeze),
    "Unsqueeze": _rule(2, 2, shapes.unsqueeze),
    "Pad": _rule(3, 4, pad, "pad_mode"),
    "Interpolate": _rule(
        2,
        4,
        interpolate,
        "mode shape_calculation_mode coordinate_transformation_mode nearest_mode antialias pads_begin pads_end cube_coeff",
    ),
    "ShapeOf": _rule(1, 1, shapes.shape_of, "output_type"),
    "Gather": _rule(3, 3, gather, "batch_dims"),
    "Broadcast": _rule(2, 2, spread, "mode"),
    "Slice": _rule(4, 5, sliced),
    "StridedSlice": _rule(3, 4, strided, "begin_mask end_mask new_axis_mask shrink_axis_mask ellipsis_mask"),
}
"""By kind: inputs at least and at most, attributes that may be set, and what comes out."""
