"""A float32 .tflite file made int8: weights per channel, activations by the ranges seen on pictures.

The rules are those of TensorFlow Lite's quantisation specification: real = scale * (q - zero_point), q from -128 to
127; weights symmetric, -127 to 127, with a scale for each output channel; biases int32 with the scale of the input
times that of the weight; operations that only move values have one scale for what goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.tflite.schema import kind_names, operator_code, operator_table, pack, quantization, unpack

Array = NDArray[Any]

WEIGHTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Operations with weights as their second and a bias as their third input, and the axis of output channels."""

MOVING = {"MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "RESHAPE", "TRANSPOSE", "CONCATENATION", "RESIZE_BILINEAR"}
"""Operations with one scale for all that goes in and comes out."""

VERSIONS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "ADD": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "PAD": 2, "TRANSPOSE": 2,
    "CONCATENATION": 2, "RESIZE_BILINEAR": 3, "DEQUANTIZE": 2,
}  # fmt: skip
"""Version of each operation that knows int8; 1 for the others."""


@dataclass(frozen=True)
class Scale:
    """real = scale * (q - zero_point)."""

    scale: float
    zero_point: int


def activation_scale(low: float, high: float) -> Scale:
    """The int8 scale for real values from low to high. Zero always has a q of its own, since padding is made of it."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / 255)) or 1.0
    return Scale(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def quantise_weights(values: Array, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as int8, -127 to 127, with a scale for each place on an axis: (same shape, (C,))."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    return np.clip(np.round(values / scales.reshape(shape)), -127, 127).astype(np.int8), scales


def quantise_bias(values: Array, scales: NDArray[np.float64]) -> NDArray[np.int32]:
    """Biases (C,) as int32 in units of scales (C,)."""
    limit = 2**31 - 1
    return np.clip(np.round(values.astype(np.float64) / scales), -limit, limit).astype(np.int32)


def seen_ranges(data: bytes, batch: Array) -> dict[int, tuple[float, float]]:
    """Lowest and highest value of each float32 tensor of a file, over pictures (N, S, S, 3), each run alone. The type is that of the file's input."""
    runtime = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    runtime.allocate_tensors()
    numbers = [tensor["index"] for tensor in runtime.get_tensor_details() if tensor["dtype"] == np.float32]
    lows, highs = np.full(len(numbers), np.inf), np.full(len(numbers), -np.inf)
    entry = runtime.get_input_details()[0]["index"]
    for picture in tqdm(batch, desc="calibrating", unit="picture", leave=False, disable=None):
        runtime.set_tensor(entry, picture[None])
        runtime.invoke()
        values = [runtime.get_tensor(number) for number in numbers]
        lows = np.minimum(lows, [value.min() for value in values])
        highs = np.maximum(highs, [value.max() for value in values])
    if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
        raise BlazeFaceError("it gives values that are not finite on the calibration pictures")
    return {n: (float(low), float(high)) for n, low, high in zip(numbers, lows, highs, strict=True)}


def to_int8(data: bytes, batch: Array, is_float: Callable[[str, str], bool]) -> bytes:
    """A float32 file for one picture, quantised. The same arguments give the same bytes.

    batch: (N, S, S, 3), pictures as the file takes them. is_float(kind, name): whether the operation of that kind
    whose output has that name stays in float32. Input and output stay float32; QUANTIZE and DEQUANTIZE stand where
    int8 begins and ends.
    """
    model = unpack(data)
    _Rewriter(model, seen_ranges(data, batch), is_float).rewrite()
    return pack(model)


class _Rewriter:
    """Walks the operations in order. A tensor keeps its number in the form in which it is made, float32 or int8; its
    other form, where an operation wants that, is made by QUANTIZE or DEQUANTIZE and has a number of its own."""

    def __init__(
        self, model: Any, ranges: Mapping[int, tuple[float, float]], is_float: Callable[[str, str], bool]
    ):
        self._model, self._graph = model, model.subgraphs[0]
        self._kinds = kind_names(model)
        self._versions = [code.version for code in model.operatorCodes]
        self._codes: list[tuple[str, int]] = []
        self._is_float = is_float
        self._operations: list[Any] = []
        self._other: dict[int, int] = {}
        self._int8: set[int] = set()
        self._scales = self._share_scales(ranges)

    def rewrite(self) -> None:
        operations = list(self._graph.operators)
        for operation in operations:
            kind, inputs = self._kinds[operation.opcodeIndex], [int(number) for number in operation.inputs]
            version = self._versions[operation.opcodeIndex]
            if self._stays_float(operation):
                new = [self._in_float(number) for number in inputs]
            else:
                new = [self._in_int8(number) if number in self._scales else number for number in inputs]
                if kind in WEIGHTS:
                    self._quantise_constants(new, WEIGHTS[kind])
                self._mark(int(operation.outputs[0]))
                version = max(version, VERSIONS.get(kind, 1))
            self._append(operation, kind, version)
            operation.inputs = np.array(new, np.int32)
        self._graph.outputs = np.array([self._in_float(int(n)) for n in self._graph.outputs], np.int32)
        self._graph.operators = self._operations
        self._model.operatorCodes = [operator_code(kind, version) for kind, version in self._codes]

    def _stays_float(self, operation: Any) -> bool:
        name = self._graph.tensors[operation.outputs[0]].name.decode()
        return self._is_float(self._kinds[operation.opcodeIndex], name)

    def _share_scales(self, ranges: Mapping[int, tuple[float, float]]) -> dict[int, Scale]:
        """A scale for each computed tensor; one for all tensors that an int8 operation of MOVING joins."""
        tensors = self._graph.tensors  # the runtime has temporary ones behind them
        joined = {number: {number} for number in ranges if number < len(tensors) and tensors[number].buffer == 0}
        for operation in self._graph.operators:
            if self._kinds[operation.opcodeIndex] in MOVING and not self._stays_float(operation):
                group = set().union(
                    *(joined[int(n)] for n in (*operation.inputs, *operation.outputs) if n in joined)
                )
                joined.update(dict.fromkeys(group, group))
        return {
            number: activation_scale(min(ranges[n][0] for n in group), max(ranges[n][1] for n in group))
            for number, group in joined.items()
        }

    def _in_float(self, number: int) -> int:
        return self._convert(number, "DEQUANTIZE", 2) if number in self._int8 else number

    def _in_int8(self, number: int) -> int:
        return number if number in self._int8 else self._convert(number, "QUANTIZE", 1)

    def _convert(self, number: int, kind: str, version: int) -> int:
        if number not in self._other:
            source = self._graph.tensors[number]
            target = schema.TensorT()
            target.name = f"{source.name.decode()}.{'float' if kind == 'DEQUANTIZE' else 'int8'}".encode()
            target.shape, target.type, target.buffer = source.shape, schema.TensorType.FLOAT32, 0
            self._graph.tensors.append(target)
            self._other[number] = len(self._graph.tensors) - 1
            if kind == "QUANTIZE":
                self._scales[self._other[number]] = self._scales[number]
                self._mark(self._other[number])
            options = schema.DequantizeOptionsT() if kind == "DEQUANTIZE" else schema.QuantizeOptionsT()
            self._append(operator_table([number], self._other[number], options), kind, version)
        return self._other[number]

    def _mark(self, number: int) -> None:
        """Make a computed tensor int8."""
        self._int8.add(number)
        tensor, scale = self._graph.tensors[number], self._scales[number]
        tensor.type = schema.TensorType.INT8
        tensor.quantization = quantization([scale.scale], [scale.zero_point])

    def _quantise_constants(self, inputs: Sequence[int], axis: int) -> None:
        """Weights and bias of a convolution whose input has its scale."""
        weight, bias = (self._graph.tensors[number] for number in inputs[1:])
        values, scales = quantise_weights(self._values(weight), axis)
        weight.type, weight.quantization = schema.TensorType.INT8, quantization(scales, [0] * len(scales), axis)
        self._model.buffers[weight.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
        units = np.float32(self._scales[inputs[0]].scale) * scales.astype(np.float64)
        whole = quantise_bias(self._values(bias), units)
        bias.type, bias.quantization = schema.TensorType.INT32, quantization(units, [0] * len(scales), 0)
        self._model.buffers[bias.buffer].data = np.frombuffer(whole.tobytes(), np.uint8)

    def _values(self, tensor: Any) -> NDArray[np.float32]:
        data = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8)
        return np.frombuffer(data.tobytes(), np.float32).reshape(tensor.shape)

    def _append(self, operation: Any, kind: str, version: int) -> None:
        if (kind, version) not in self._codes:
            self._codes.append((kind, version))
        operation.opcodeIndex = self._codes.index((kind, version))
        self._operations.append(operation)
