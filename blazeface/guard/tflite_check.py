"""Checks that a .tflite file is of the kind that is exported here, and computes what a run of it would cost.

LiteRT does not check the shapes, types and arity that a file gives its tensors; where they are inconsistent it reads or
writes out of bounds. So each operator's are held against what it computes (the operators' definitions in TensorFlow
Lite's schema and reference kernels), and what is not on the list is Refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.guard import Refused, UnlistedModel
from blazeface.guard.limits import MAX_TENSOR, Cost, check_cost
from blazeface.guard.shape_rules import Shape, broadcast, concatenated
from blazeface.tflite.model import Graph, Model, Operator, Tensor
from blazeface.tflite.reader import read_model

MAX_BYTES = 64 << 20
MAX_OPERATORS = 10_000
ITEM_BYTES = {"float32": 4, "float16": 2, "int8": 1, "uint8": 1, "int32": 4, "int64": 8, "bool": 1}
SAME = 0


class Step:
    """One operator with its tensors, and the values of those that are constants of int32."""

    def __init__(self, operator: Operator, tensors: list[Tensor], values: Mapping[int, Any]):
        self.kind, self.options = operator.kind, operator.options or {}
        self.inputs = [tensors[number] if number >= 0 else None for number in operator.inputs]
        self.output = tensors[operator.outputs[0]]
        self._values = [values.get(number) for number in operator.inputs]

    def shape(self, place: int) -> Shape:
        tensor = self.inputs[place] if place < len(self.inputs) else None
        if tensor is None:
            raise Refused(f"{self.kind} is without its input {place}")
        return tensor.shape

    def numbers(self, place: int) -> Any:
        if place >= len(self._values) or self._values[place] is None:
            raise Refused(f"{self.kind} whose sizes only a run would tell")
        return self._values[place]

    def option(self, name: str, low: int, high: int) -> int:
        value = self.options.get(name)
        if type(value) is not int or not low <= value <= high:
            raise Refused(f"{self.kind}: {name} = {value!r}")
        return value


def check_tflite(path: Path) -> None:
    """The same as `check_tflite_model` of a file."""
    check_tflite_model(read_model(path, MAX_BYTES), path)


def check_tflite_model(model: Model, path: Path) -> None:
    """Raises UnlistedModel for what is not on the list or costs too much, BlazeFaceError for what is damaged. path: named in
    sentences."""
    try:
        check_cost(cost_of(model))
    except Refused as error:
        raise UnlistedModel(str(path), printable(str(error))) from error
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise BlazeFaceError(f"{path}: a damaged TensorFlow Lite file: {printable(str(error))}") from error


def cost_of(model: Model) -> Cost:
    """What a run takes. Raises Refused."""
    if len(model.graphs) != 1 or model.external:
        raise Refused("several graphs, or numbers behind the tables")
    graph = model.graphs[0]
    if len(graph.operators) > MAX_OPERATORS or len(graph.tensors) > MAX_OPERATORS:
        raise Refused(f"more than {MAX_OPERATORS} operators or tensors")
    constants, values = _constants(model, graph)
    known = constants | set(graph.inputs)
    work = numbers = largest = 0
    for operator in graph.operators:
        effort = _step(operator, graph.tensors, values, known)
        output = math.prod(graph.tensors[operator.outputs[0]].shape)
        work, numbers, largest = work + effort, numbers + output, max(largest, output)
        known.add(operator.outputs[0])
    if not set(graph.outputs) <= known:
        raise Refused("an output that nothing makes")
    pictures = (
        graph.tensors[graph.inputs[0]].shape[0] if graph.inputs and graph.tensors[graph.inputs[0]].shape else 1
    )
    return Cost(pictures, work, numbers, largest)


def _constants(model: Model, graph: Graph) -> tuple[set[int], dict[int, Any]]:
    """Numbers of the constants, and the values of those of int32. Every tensor's type, shape, scales and bytes are
    looked at."""
    held: set[int] = set()
    values: dict[int, Any] = {}
    for number, tensor in enumerate(graph.tensors):
        if tensor.dtype not in ITEM_BYTES or tensor.sparse:
            raise Refused(f"a tensor of {'sparse numbers' if tensor.sparse else tensor.dtype[:40]}")
        if len(tensor.shape) > 8 or any(side < 1 for side in tensor.shape) or math.prod(tensor.shape) > MAX_TENSOR:
            raise Refused(f"a tensor of the shape {tensor.shape[:9]}")
        _check_scales(tensor)
        data = model.buffers[tensor.buffer]
        if len(data) == 0:
            continue
        if len(data) != math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]:
            raise Refused(f"a tensor of the shape {tensor.shape} that holds {len(data)} bytes")
        held.add(number)
        if tensor.dtype == "int32":
            values[number] = np.frombuffer(data, "<i4").reshape(tensor.shape)
    return held, values


def _check_scales(tensor: Tensor) -> None:
    found = tensor.quantization
    if found is None:
        return
    count = len(found.scales)
    places = tensor.shape[found.axis] if 0 <= found.axis < len(tensor.shape) else 1
    if count not in (1, places) or len(found.zero_points) not in (0, 1, count):
        raise Refused(f"{count} scales for a tensor of the shape {tensor.shape}")
    if not all(math.isfinite(scale) and scale > 0 for scale in found.scales):
        raise Refused("a scale that is no positive number")


def _step(operator: Operator, tensors: list[Tensor], values: Mapping[int, Any], known: set[int]) -> int:
    """The work of one operator, whose output must be what its inputs make."""
    rule = RULES.get(operator.kind)
    if rule is None:
        raise Refused(f"the operator {operator.custom or operator.kind!r}"[:80])
    low, high, types, shape = rule
    if not low <= len(operator.inputs) <= high or len(operator.outputs) != 1:
        raise Refused(f"{operator.kind} with {len(operator.inputs)} inputs and {len(operator.outputs)} outputs")
    if any(number >= 0 and number not in known for number in operator.inputs) or operator.outputs[0] in known:
        raise Refused(f"{operator.kind} that reads what is not made yet, or makes what is there")
    step = Step(operator, tensors, values)
    if any(step.inputs[place] is None for place in range(low)):
        raise Refused(f"{operator.kind} is without its input {operator.inputs.index(-1)}")
    found = tuple(tensor.dtype if tensor is not None else "" for tensor in (*step.inputs, step.output))
    if not types(found):
        raise Refused(f"{operator.kind} of {', '.join(found)}")
    given = [tensor for tensor in (*step.inputs, step.output) if tensor is not None]
    quantised = [tensor for tensor in given if tensor.dtype in ("int8", "uint8")]
    if operator.kind not in WITHOUT_SCALES and any(tensor.quantization is None for tensor in quantised):
        raise Refused(f"{operator.kind} of whole numbers without scales")
    if step.options.get("activation", 0) not in (0, 1, 3):
        raise Refused(f"{operator.kind}: activation = {step.options['activation']!r}")
    expected, work = shape(step)
    if expected != step.output.shape:
        raise Refused(f"{operator.kind} that makes {expected}, not {step.output.shape}")
    return work


def _alike(found: tuple[str, ...]) -> bool:
    """All of one type that is computed with."""
    return len(set(found)) == 1 and found[0] in ("float32", "int8", "uint8", "int32")


def _convolved(found: tuple[str, ...]) -> bool:
    """Input, filter, bias (without one, LiteRT crashes in int8), output."""
    x, weights, bias, output = found
    wide = "float32" if x == "float32" else "int32"
    return x == weights == output and x in ("float32", "int8") and bias == wide


def _sized(found: tuple[str, ...]) -> bool:
    """The first input and the output of one type, the others of int32."""
    return found[0] == found[-1] and found[0] in ("float32", "int8", "uint8") and set(found[1:-1]) <= {"int32"}


def _to_floats(found: tuple[str, ...]) -> bool:
    return found[0] in ("float16", "int8", "uint8") and found[1] == "float32"


def _to_whole(found: tuple[str, ...]) -> bool:
    return found[0] in ("float32", "int8", "uint8") and found[1] in ("int8", "uint8")


def _any(found: tuple[str, ...]) -> bool:
    return True


def _conv(step: Step) -> tuple[Shape, int]:
    x, weights = step.shape(0), step.shape(1)
    if len(x) != 4 or len(weights) != 4:
        raise Refused(f"{step.kind} of {x} with {weights}")
    if step.kind == "CONV_2D":
        fits = x[3] % weights[3] == 0 and weights[0] % (x[3] // weights[3]) == 0 if x[3] >= weights[3] else False
        filters, depth = weights[0], weights[3]
    else:
        fits = weights[0] == 1 and weights[3] == x[3] * step.option("multiplier", 1, 64)
        filters, depth = weights[3], 1
    scales = step.inputs[1].quantization if step.inputs[1] is not None else None
    each = scales is not None and len(scales.scales) > 1
    if each and (len(scales.scales) != filters or scales.axis != (0 if step.kind == "CONV_2D" else 3)):  # type: ignore[union-attr]
        raise Refused(f"{step.kind}: scales that are not those of its {filters} filters")
    if not fits or step.shape(2) != (filters,):
        raise Refused(f"{step.kind}: a filter of {weights} for {x}")
    sides = _windows(step, x, weights[1], weights[2])
    shape = (x[0], *sides, filters)
    return shape, math.prod(shape) * depth * weights[1] * weights[2]


def _pool(step: Step) -> tuple[Shape, int]:
    x = step.shape(0)
    if len(x) != 4:
        raise Refused(f"{step.kind} of {x}")
    height, width = step.option("filter_h", 1, 256), step.option("filter_w", 1, 256)
    if height > max(x[1], 16) or width > max(x[2], 16):
        raise Refused(f"{step.kind}: a window of {(height, width)} over a map of {x[1:3]}")
    shape = (x[0], *_windows(step, x, height, width), x[3])
    return shape, math.prod(shape) * height * width


def _windows(step: Step, x: Shape, height: int, width: int) -> list[int]:
    same = step.option("padding", 0, 1) == SAME
    sides = []
    for size, window, axis in ((x[1], height, "h"), (x[2], width, "w")):
        stride = step.option(f"stride_{axis}", 1, 16)
        dilation = step.option(f"dilation_{axis}", 1, 16) if f"dilation_{axis}" in step.options else 1
        room = size if same else size - dilation * (window - 1)
        if room < 1:
            raise Refused(f"{step.kind}: a window of {window} over {size}")
        sides.append(-(-room // stride))
    return sides


def _elementwise(step: Step) -> tuple[Shape, int]:
    shape = broadcast([step.shape(place) for place in range(len(step.inputs))])
    return shape, math.prod(shape)


def _concat(step: Step) -> tuple[Shape, int]:
    shapes = [step.shape(place) for place in range(len(step.inputs))]
    rank = len(shapes[0])
    shape = concatenated(shapes, step.option("axis", -rank, rank - 1))
    return shape, math.prod(shape)


def _pad(step: Step) -> tuple[Shape, int]:
    x, pads = step.shape(0), step.numbers(1)
    if pads.shape != (len(x), 2) or (pads < 0).any() or len(x) > 5:
        raise Refused(f"{step.kind}: {pads.tolist()} for {x}")
    shape = tuple(side + int(low) + int(high) for side, (low, high) in zip(x, pads, strict=True))
    return shape, math.prod(shape)


def _resize(step: Step) -> tuple[Shape, int]:
    x, size = step.shape(0), step.numbers(1)
    if len(x) != 4 or size.shape != (2,) or (size < 1).any():
        raise Refused(f"{step.kind}: {size.tolist()} for {x}")
    shape = (x[0], int(size[0]), int(size[1]), x[3])
    return shape, 4 * math.prod(shape)


def _reshape(step: Step) -> tuple[Shape, int]:
    """Its second input, or its option, must say what its output does; -1 for one side."""
    x, shape = step.shape(0), step.output.shape
    asked = (
        step.numbers(1).reshape(-1).tolist()
        if len(step.inputs) > 1
        else list(step.options.get("new_shape") or shape)
    )
    fits = len(asked) == len(shape) and all(a in (-1, side) for a, side in zip(asked, shape, strict=True))
    if not fits or asked.count(-1) > 1 or math.prod(x) != math.prod(shape):
        raise Refused(f"{step.kind} of {x} to {asked}")
    return shape, 1


def _transpose(step: Step) -> tuple[Shape, int]:
    x, order = step.shape(0), step.numbers(1).reshape(-1).tolist()
    if sorted(order) != list(range(len(x))):
        raise Refused(f"{step.kind} of {x} by {order}")
    return tuple(x[axis] for axis in order), math.prod(x)


def _strided_slice(step: Step) -> tuple[Shape, int]:
    x = step.shape(0)
    begin, end, strides = (step.numbers(place).reshape(-1).tolist() for place in (1, 2, 3))
    masks = [step.options.get(name, 0) for name in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")]
    if (
        not len(begin) == len(end) == len(strides) == len(x) <= 5
        or any(stride < 1 for stride in strides)
        or any(masks)
    ):
        raise Refused(f"{step.kind} of {x} from {begin} to {end}")
    shape = []
    for axis, side in enumerate(x):
        low = None if int(step.options.get("begin_mask", 0)) >> axis & 1 else begin[axis]
        high = None if int(step.options.get("end_mask", 0)) >> axis & 1 else end[axis]
        shape.append(len(range(*slice(low, high, strides[axis]).indices(side))))
    return tuple(shape), math.prod(shape)


def _softmax(step: Step) -> tuple[Shape, int]:
    return step.shape(0), math.prod(step.shape(0))


Rule = tuple[int, int, Callable[[tuple[str, ...]], bool], Callable[[Step], tuple[Shape, int]]]
RULES: Mapping[str, Rule] = {
    "CONV_2D": (3, 3, _convolved, _conv),
    "DEPTHWISE_CONV_2D": (3, 3, _convolved, _conv),
    "MAX_POOL_2D": (1, 1, _alike, _pool),
    "AVERAGE_POOL_2D": (1, 1, _alike, _pool),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"), (2, 2, _alike, _elementwise)),
    **dict.fromkeys(("RELU", "RELU6", "LOGISTIC", "HARD_SWISH", "EXP", "TANH"), (1, 1, _alike, _elementwise)),
    "PRELU": (2, 2, _alike, _elementwise),
    "SOFTMAX": (1, 1, _alike, _softmax),
    "CONCATENATION": (1, 64, _alike, _concat),
    "PAD": (2, 2, _sized, _pad),
    "RESIZE_BILINEAR": (2, 2, _sized, _resize),
    "RESHAPE": (1, 2, _sized, _reshape),
    "TRANSPOSE": (2, 2, _sized, _transpose),
    "STRIDED_SLICE": (4, 4, _sized, _strided_slice),
    "DEQUANTIZE": (1, 1, _to_floats, _elementwise),
    "QUANTIZE": (1, 1, _to_whole, _elementwise),
    "CAST": (1, 1, _any, _elementwise),
}
"""By operator: inputs at least and at most, types, and what gives output's shape and work."""

WITHOUT_SCALES = {"RESHAPE", "TRANSPOSE", "PAD", "STRIDED_SLICE", "CAST"}
"""Operators that move whole numbers as they are."""
