"""A small ONNX network of one picture as TensorFlow Lite, with NHWC maps: what the classifiers, segmenters, keypoint
networks and networks of users are made of. The detectors have a writer of their own (`formats.tflite`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from blazeface.export.onnx_graph import OnnxGraph, Window, attributes, no_operation
from blazeface.tflite.model import Model
from blazeface.tflite.schema import ACTIVATIONS, PADDINGS
from blazeface.tflite.writer import GROUPED, GraphWriter

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
PLACE = {0: 0, 1: 3, 2: 1, 3: 2}
"""Where an axis of NCHW stands in NHWC."""

LOWEST = -3.4e38
PLAIN = {
    "Relu": "RELU",
    "Sigmoid": "LOGISTIC",
    "Tanh": "TANH",
    "HardSwish": "HARD_SWISH",
    "Exp": "EXP",
    "Sqrt": "SQRT",
}
BINARY = {"Add": "ADD", "Mul": "MUL", "Sub": "SUB", "Div": "DIV"}


def onnx_to_tflite(model: onnx.ModelProto, description: str, metadata: Mapping[str, str]) -> Model:
    """model: with fixed shapes, a batch of one, one input; inputs and outputs keep their names, maps become NHWC.

    Raises BlazeFaceError for an operator, or a form of one, that is not known here.
    """
    return _Converter(OnnxGraph(model)).convert(model.graph.name, description, metadata)


class _Converter:
    def __init__(self, graph: OnnxGraph):
        self.graph, self.writer = graph, GraphWriter()
        self._numbers: dict[str, int] = {}
        self._done: set[str] = set()  # activations that were fused into what they read
        self._names = 0

    def convert(self, name: str, description: str, metadata: Mapping[str, str]) -> Model:
        inputs = [self.writer.tensor(value, self.stored(value)) for value in self.graph.inputs]
        self._numbers.update(zip(self.graph.inputs, inputs, strict=True))
        for node in self.graph.nodes:
            if node.op_type == "Constant" or node.output[0] in self._done:
                continue
            append = OPERATORS.get(node.op_type)
            if append is None:
                raise no_operation(node)
            append(self, node)
        outputs = [self._numbers[value] for value in self.graph.outputs]
        entries = {key: text.encode() for key, text in metadata.items()}
        return self.writer.finish(name, description, inputs, outputs, entries)

    def stored(self, value: str) -> tuple[int, ...]:
        """The shape of a value as it is kept: maps as NHWC."""
        shape = self.graph.shape(value)
        return tuple(shape[axis] for axis in TO_NHWC) if len(shape) == 4 else shape

    def number(self, value: str, rank: int | None = None) -> int:
        """The tensor of a value; a constant is added as it is first asked for, with leading axes up to `rank`."""
        if value in self._numbers:
            return self._numbers[value]
        array = self.graph.constants[value].astype(np.float32)
        if rank is not None and 0 < array.ndim < rank:
            array = array.reshape(*[1] * (rank - array.ndim), *array.shape)
        return self.writer.constant(self.fresh(value), array.transpose(TO_NHWC) if array.ndim == 4 else array)

    def fresh(self, about: str) -> str:
        self._names += 1
        return f"{about}.{self._names}"

    def whole(self, values: Sequence[int] | NDArray[Any], about: str) -> int:
        return self.writer.constant(self.fresh(about), np.asarray(values, np.int32))

    def finish(
        self,
        node: onnx.NodeProto,
        kind: str,
        inputs: Sequence[int],
        options: dict[str, Any] | None = None,
        version: int = 1,
    ) -> None:
        """The operation whose output is the node's first."""
        output = node.output[0]
        self._numbers[output] = self.writer.operation(kind, inputs, output, self.stored(output), options, version)

    def alias(self, node: onnx.NodeProto, number: int) -> None:
        self._numbers[node.output[0]] = number

    def activation(self, node: onnx.NodeProto) -> dict[str, int]:
        """The option of the ReLU or ReLU6 that alone reads what the node gives; that one's output is then this one's."""
        reader = self.graph.sole_reader(node.output[0])
        kind = None if reader is None else self.activation_kind(reader)
        if reader is None or kind not in ("RELU", "RELU6"):
            return {"activation": 0}
        self._done.add(reader.output[0])
        node.output[0] = reader.output[0]
        return {"activation": ACTIVATIONS.index(kind)}

    def activation_kind(self, node: onnx.NodeProto) -> str | None:
        if node.op_type == "Clip":
            low, high = (self.graph.constant(node, place) for place in (1, 2))
            if low is not None and high is not None and (float(low), float(high)) == (0.0, 6.0):
                return "RELU6"
            return None
        return PLAIN.get(node.op_type)

    def padded(self, x: int, window: Window, about: str, filler: float = 0.0) -> tuple[int, str]:
        """The tensor and the kind of padding with which an operation reads it."""
        shape = self.writer.shape(x)
        if window.is_same(shape[1:3]):
            return x, "SAME"
        if not window.pads:
            return x, "VALID"
        amounts = np.array([[0, 0], *zip(window.before, window.after, strict=True), [0, 0]])
        grown = tuple(side + int(more) for side, more in zip(shape, amounts.sum(axis=1), strict=True))
        inputs = [x, self.whole(amounts, about)]
        if filler:
            inputs.append(self.writer.constant(self.fresh(about), np.full((1,), filler, np.float32)))
        kind = "PADV2" if filler else "PAD"
        return self.writer.operation(kind, inputs, self.fresh(about), grown, {}), "VALID"

    def transposed(self, x: int, order: Sequence[int], about: str) -> int:
        name = self.fresh(about)
        return self.writer.transpose(x, order, name, f"{name}.order")

    def as_written(self, value: str) -> int:
        """The tensor of a value with its axes in ONNX's order."""
        x, shape = self.number(value), self.graph.shape(value)
        if len(shape) != 4 or value in self.graph.constants:
            return x
        if shape[1] == 1 or shape[2:] == (1, 1):  # the numbers lie in the same order
            return self.writer.reshape(x, shape, self.fresh(value))
        return self.transposed(x, TO_NCHW, value)


def _convolution(to: _Converter, node: onnx.NodeProto) -> None:
    found, weight, bias = attributes(node), to.graph.constant(node, 1), to.graph.constant(node, 2)
    assert weight is not None
    if weight.ndim != 4:
        raise no_operation(node, "of other than two axes")
    groups, wide, out = found.get("group", 1), to.graph.shape(node.input[0])[1], len(weight)
    deep = groups == wide > 1 and out % wide == 0
    window = to.graph.window(node, weight.shape[2:])
    x, padding = to.padded(to.number(node.input[0]), window, node.output[0])
    options = _strides(window, padding) | {"dilation_w": window.dilation[1], "dilation_h": window.dilation[0]}
    order = (1, 2, 3, 0) if deep else (0, 2, 3, 1)
    inputs = [x, _constant(to, node, weight.transpose(order)), _constant(to, node, _bias(bias, out))]
    options |= to.activation(node)
    if deep:
        to.finish(node, "DEPTHWISE_CONV_2D", inputs, options | {"multiplier": out // wide})
    else:
        to.finish(node, "CONV_2D", inputs, options, GROUPED if groups > 1 else 1)


def _transposed_convolution(to: _Converter, node: onnx.NodeProto) -> None:
    found, weight, bias = attributes(node), to.graph.constant(node, 1), to.graph.constant(node, 2)
    assert weight is not None
    if found.get("group", 1) != 1 or any(found.get("pads", [0])) or any(found.get("output_padding", [0])):
        raise no_operation(node, "with groups or padding")
    if max(found.get("dilations", [1])) > 1:
        raise no_operation(node, "with dilation")
    out = weight.shape[1]
    stride = found.get("strides", [1, 1])
    options = {"padding": PADDINGS.index("VALID"), "stride_h": stride[0], "stride_w": stride[1]} | to.activation(
        node
    )
    filters = _constant(to, node, weight.transpose(1, 2, 3, 0))
    size = to.whole(to.stored(node.output[0]), node.output[0])
    x = to.number(node.input[0])
    to.finish(node, "TRANSPOSE_CONV", [size, filters, x, _constant(to, node, _bias(bias, out))], options)


def _pool(to: _Converter, node: onnx.NodeProto) -> None:
    found, mean = attributes(node), node.op_type == "AveragePool"
    window = to.graph.window(node, found["kernel_shape"])
    if max(window.dilation) > 1 or len(node.output) > 1:
        raise no_operation(node, "with dilation or indices")
    counted = any(found.get("pads", [0])) and found.get(
        "count_include_pad"
    )  # what ceil_mode reaches over never counts
    if mean and window.pads and (counted or not window.is_same(to.graph.shape(node.input[0])[2:])):
        raise no_operation(node, "with this padding")
    x, padding = to.padded(to.number(node.input[0]), window, node.output[0], 0.0 if mean else LOWEST)
    options = _strides(window, padding) | {
        "filter_h": window.kernel[0],
        "filter_w": window.kernel[1],
        "activation": 0,
    }
    to.finish(node, "AVERAGE_POOL_2D" if mean else "MAX_POOL_2D", [x], options)


def _mean(to: _Converter, node: onnx.NodeProto) -> None:
    found, rank = attributes(node), len(to.graph.shape(node.input[0]))
    axes: tuple[int, ...] = (2, 3)
    keep = True
    if node.op_type == "ReduceMean":
        given = found.get("axes") if len(node.input) < 2 else to.graph.constant(node, 1)
        axes, keep = tuple(int(axis) % rank for axis in np.asarray(given).ravel()), bool(found.get("keepdims", 1))
    if rank == 4 and not (keep or axes in ((2, 3), (3, 2))):
        raise no_operation(node, "over these axes")
    places = [PLACE[axis] if rank == 4 else axis for axis in axes]
    to.finish(node, "MEAN", [to.number(node.input[0]), to.whole(places, node.output[0])], {"keep_dims": keep})


def _linear(to: _Converter, node: onnx.NodeProto) -> None:
    """Gemm, and MatMul with a constant on the right."""
    found, weight = attributes(node), to.graph.constant(node, 1)
    bias = to.graph.constant(node, 2) if node.op_type == "Gemm" else None
    if found.get("transA") or found.get("alpha", 1.0) != 1.0 or found.get("beta", 1.0) != 1.0:
        raise no_operation(node, "with factors or a transposed input")
    if weight is None or weight.ndim != 2 or len(to.graph.shape(node.input[0])) == 4:
        raise no_operation(node, "of more than a matrix")
    weight = weight if found.get("transB") else weight.T
    inputs = [to.number(node.input[0]), _constant(to, node, weight), _constant(to, node, _bias(bias, len(weight)))]
    options = {"weights_format": 0, "keep_num_dims": len(to.graph.shape(node.input[0])) > 2} | to.activation(node)
    to.finish(node, "FULLY_CONNECTED", inputs, options)


def _binary(to: _Converter, node: onnx.NodeProto) -> None:
    rank = len(to.graph.shape(node.output[0]))
    for value in node.input:
        if value not in to.graph.constants and len(to.graph.shape(value)) != rank:
            raise no_operation(node, "of values with different numbers of axes")
    inputs = [to.number(value, rank) for value in node.input]
    to.finish(node, BINARY[node.op_type], inputs, to.activation(node))


def _batch_norm(to: _Converter, node: onnx.NodeProto) -> None:
    scale, shift, mean, variance = (
        np.asarray(to.graph.constant(node, place), np.float64) for place in range(1, 5)
    )
    gain = scale / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    rest = _constant(to, node, (shift - mean * gain).astype(np.float32))
    x = to.number(node.input[0])
    name = to.fresh(node.output[0])
    inputs = [x, _constant(to, node, gain.astype(np.float32))]
    scaled = to.writer.operation("MUL", inputs, name, to.writer.shape(x), {"activation": 0})
    to.finish(node, "ADD", [scaled, rest], to.activation(node))


def _activation(to: _Converter, node: onnx.NodeProto) -> None:
    kind = to.activation_kind(node)
    if kind is None:
        raise no_operation(node, "with these bounds")
    to.finish(node, kind, [to.number(node.input[0])])


def _softmax(to: _Converter, node: onnx.NodeProto) -> None:
    rank = len(to.graph.shape(node.input[0]))
    if attributes(node).get("axis", -1) % rank != (1 if rank == 4 else rank - 1):
        raise no_operation(node, "over this axis")
    to.finish(node, "SOFTMAX", [to.number(node.input[0])], {"beta": 1.0})


def _concatenate(to: _Converter, node: onnx.NodeProto) -> None:
    rank = len(to.graph.shape(node.output[0]))
    axis = attributes(node)["axis"] % rank
    options = {"axis": PLACE[axis] if rank == 4 else axis, "activation": 0}
    to.finish(node, "CONCATENATION", [to.number(value) for value in node.input], options)


def _reshape(to: _Converter, node: onnx.NodeProto) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: of numbers in ONNX's order."""
    shape, output = to.graph.shape(node.output[0]), node.output[0]
    x = to.as_written(node.input[0])
    if len(shape) != 4:
        to.alias(node, to.writer.reshape(x, shape, output))
    elif shape[1] == 1 or shape[2:] == (1, 1):
        to.alias(node, to.writer.reshape(x, to.stored(output), output))
    else:
        x = to.writer.reshape(x, shape, to.fresh(output))
        to.alias(node, to.writer.transpose(x, TO_NHWC, output, to.fresh(output)))


def _transpose(to: _Converter, node: onnx.NodeProto) -> None:
    shape = to.graph.shape(node.input[0])
    order = list(attributes(node).get("perm", range(len(shape))[::-1]))
    if len(shape) == 4:
        order = [PLACE[order[axis]] for axis in TO_NHWC]
    x = to.number(node.input[0])
    to.alias(node, to.writer.transpose(x, order, node.output[0], to.fresh(node.output[0])))


def _resize(to: _Converter, node: onnx.NodeProto) -> None:
    found = {
        name: value.decode() if isinstance(value, bytes) else value for name, value in attributes(node).items()
    }
    mode, centres = found.get("mode", "nearest"), found.get("coordinate_transformation_mode", "half_pixel")
    plain = {"linear": ("half_pixel", "pytorch_half_pixel", "align_corners"), "nearest": ("asymmetric",)}
    if centres not in plain.get(mode, ()) or (mode == "nearest" and found.get("nearest_mode") != "floor"):
        raise no_operation(node, f"with {mode} and {centres}")
    options = {"half_pixel": centres.endswith("half_pixel"), "align_corners": centres == "align_corners"}
    size = to.whole(to.stored(node.output[0])[1:3], node.output[0])
    kind = "RESIZE_BILINEAR" if mode == "linear" else "RESIZE_NEAREST_NEIGHBOR"
    to.finish(node, kind, [to.number(node.input[0]), size], options)


def _pad(to: _Converter, node: onnx.NodeProto) -> None:
    found, rank = attributes(node), len(to.graph.shape(node.input[0]))
    amounts, value = to.graph.constant(node, 1), to.graph.constant(node, 2)
    assert amounts is not None
    if (
        found.get("mode", b"constant") != b"constant"
        or (value is not None and float(value) != 0)
        or len(node.input) > 3
    ):
        raise no_operation(node, "with anything but zeros")
    if amounts.min() < 0:
        raise no_operation(node, "that cuts")
    rows = amounts.reshape(2, rank).T
    rows = rows[list(TO_NHWC)] if rank == 4 else rows
    to.finish(node, "PAD", [to.number(node.input[0]), to.whole(rows, node.output[0])], {})


def _slice(to: _Converter, node: onnx.NodeProto) -> None:
    shape = to.graph.shape(node.input[0])
    starts, _, axes, steps = (to.graph.constant(node, place) for place in range(1, 5))
    assert starts is not None
    if steps is not None and (steps != 1).any():
        raise no_operation(node, "with steps")
    begin = [0] * len(shape)
    for start, axis in zip(starts, range(len(starts)) if axes is None else axes, strict=True):
        begin[axis] = min(int(start) + (shape[axis] if start < 0 else 0), shape[axis])
    _cut(to, node, node.output[0], begin)


def _split(to: _Converter, node: onnx.NodeProto) -> None:
    axis = attributes(node).get("axis", 0) % len(to.graph.shape(node.input[0]))
    begin = [0] * len(to.graph.shape(node.input[0]))
    for output in node.output:
        _cut(to, node, output, begin)
        begin[axis] += to.graph.shape(output)[axis]


def _cut(to: _Converter, node: onnx.NodeProto, output: str, begin: Sequence[int]) -> None:
    first = [begin[axis] for axis in TO_NHWC] if len(begin) == 4 else list(begin)
    size = to.stored(output)
    inputs = [to.number(node.input[0]), to.whole(first, output), to.whole(size, output)]
    to._numbers[output] = to.writer.operation("SLICE", inputs, output, size, {})


def _same(to: _Converter, node: onnx.NodeProto) -> None:
    to.alias(node, to.number(node.input[0]))


def _strides(window: Window, padding: str) -> dict[str, int]:
    return {"padding": PADDINGS.index(padding), "stride_h": window.stride[0], "stride_w": window.stride[1]}


def _bias(bias: NDArray[Any] | None, out: int) -> NDArray[np.float32]:
    return np.zeros(out, np.float32) if bias is None else np.asarray(bias, np.float32)


def _constant(to: _Converter, node: onnx.NodeProto, values: NDArray[Any]) -> int:
    return to.writer.constant(to.fresh(node.output[0]), np.ascontiguousarray(values, np.float32))


OPERATORS: dict[str, Callable[[_Converter, onnx.NodeProto], None]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _mean,
    "ReduceMean": _mean,
    "Gemm": _linear,
    "MatMul": _linear,
    "BatchNormalization": _batch_norm,
    "Clip": _activation,
    "Softmax": _softmax,
    "Concat": _concatenate,
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _transpose,
    "Resize": _resize,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Identity": _same,
    "Dropout": _same,
    **dict.fromkeys(PLAIN, _activation),
    **dict.fromkeys(BINARY, _binary),
}
"""ONNX's operators, and what each becomes."""
