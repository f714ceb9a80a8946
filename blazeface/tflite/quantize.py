"""A float32 model made int8: weights per channel, activations by their ranges on calibration pictures.

The rules are those of TensorFlow Lite's quantisation specification: real = scale * (q - zero_point), q from -128 to
127; weights symmetric, -127 to 127, with a scale for each output channel; biases int32 with the scale of the input
times that of the weight; operations that only move values have one scale for what goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.tflite.model import Model, Operator, Quantization, Tensor
from blazeface.tflite.writer import model_bytes

Array = NDArray[Any]

WEIGHTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Operations with weights as their second and a bias as their third input, and the axis of output channels."""

SHARED_SCALE = {
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "PAD",
    "RESHAPE",
    "TRANSPOSE",
    "CONCATENATION",
    "RESIZE_BILINEAR",
}
"""Operations with one scale for all that goes in and comes out."""

VERSIONS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "ADD": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "PAD": 2, "TRANSPOSE": 2,
    "CONCATENATION": 2, "RESIZE_BILINEAR": 3, "DEQUANTIZE": 2,
}  # fmt: skip
"""Version of each operation that knows int8; 1 for the others."""


@dataclass(frozen=True)
class ActivationScale:
    """real = scale * (q - zero_point)."""

    scale: float
    zero_point: int


def activation_scale(low: float, high: float) -> ActivationScale:
    """The int8 scale for real values from low to high. Zero always has a q of its own, since padding is made of it."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / 255)) or 1.0
    return ActivationScale(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


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


def activation_ranges(data: bytes, batch: Array) -> dict[int, tuple[float, float]]:
    """Lowest and highest value of each float32 tensor of a file, by its number, over pictures (N, S, S, 3) of the type of
    the file's input, each run alone."""
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


def quantise(model: Model, batch: Array, is_float: Callable[[str, str], bool]) -> None:
    """Make a float32 model for one picture int8. The same arguments give the same model.

    batch: (N, S, S, 3), pictures as the file takes them. is_float(kind, name): whether the operation of that kind
    whose output has that name stays in float32. Input and output stay float32; QUANTIZE and DEQUANTIZE stand where
    int8 begins and ends.
    """
    _Quantizer(model, activation_ranges(model_bytes(model), batch), is_float).rewrite()


class _Quantizer:
    """Walks the operations in order. A tensor keeps its number in the form in which it is made, float32 or int8; its
    other form, where an operation needs that, is made by QUANTIZE or DEQUANTIZE and has a number of its own."""

    def __init__(
        self, model: Model, ranges: Mapping[int, tuple[float, float]], is_float: Callable[[str, str], bool]
    ):
        self._model, self._graph = model, model.graphs[0]
        self._is_float = is_float
        self._operators: list[Operator] = []
        self._other: dict[int, int] = {}
        self._int8: set[int] = set()
        self._scales = self._share_scales(ranges)

    def rewrite(self) -> None:
        for step in self._graph.operators:
            if self._stays_float(step):
                inputs = [self._in_float(number) for number in step.inputs]
            else:
                inputs = [self._in_int8(number) if number in self._scales else number for number in step.inputs]
                if step.kind in WEIGHTS:
                    self._quantise_constants(inputs, WEIGHTS[step.kind])
                self._mark(step.outputs[0])
                step.version = max(step.version, VERSIONS.get(step.kind, 1))
            step.inputs = tuple(inputs)
            self._operators.append(step)
        self._graph.outputs = tuple(self._in_float(number) for number in self._graph.outputs)
        self._graph.operators = self._operators

    def _stays_float(self, step: Operator) -> bool:
        return self._is_float(step.kind, self._graph.tensors[step.outputs[0]].name)

    def _share_scales(self, ranges: Mapping[int, tuple[float, float]]) -> dict[int, ActivationScale]:
        """A scale for each computed tensor; one for all tensors that an int8 operation of SHARED_SCALE joins."""
        tensors = self._graph.tensors  # the runtime has temporary ones behind them
        joined = {number: {number} for number in ranges if number < len(tensors) and tensors[number].buffer == 0}
        for step in self._graph.operators:
            if step.kind in SHARED_SCALE and not self._stays_float(step):
                group = set().union(*(joined[n] for n in (*step.inputs, *step.outputs) if n in joined))
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
            suffix = "float" if kind == "DEQUANTIZE" else "int8"
            self._graph.tensors.append(Tensor(f"{source.name}.{suffix}", source.shape))
            self._other[number] = len(self._graph.tensors) - 1
            if kind == "QUANTIZE":
                self._scales[self._other[number]] = self._scales[number]
                self._mark(self._other[number])
            self._operators.append(Operator(kind, (number,), (self._other[number],), {}, version))
        return self._other[number]

    def _mark(self, number: int) -> None:
        """Make a computed tensor int8."""
        self._int8.add(number)
        tensor, scale = self._graph.tensors[number], self._scales[number]
        tensor.dtype, tensor.quantization = "int8", Quantization([scale.scale], [scale.zero_point])

    def _quantise_constants(self, inputs: Sequence[int], axis: int) -> None:
        """Weights and bias of a convolution whose input has its scale."""
        weight, bias = (self._graph.tensors[number] for number in inputs[1:])
        values, scales = quantise_weights(self._values(weight), axis)
        weight.dtype, weight.quantization = "int8", Quantization(scales.tolist(), [0] * len(scales), axis)
        self._model.buffers[weight.buffer] = values.tobytes()
        units = np.float32(self._scales[inputs[0]].scale) * scales.astype(np.float64)
        whole = quantise_bias(self._values(bias), units)
        bias.dtype, bias.quantization = "int32", Quantization(units.tolist(), [0] * len(scales), 0)
        self._model.buffers[bias.buffer] = whole.tobytes()

    def _values(self, tensor: Tensor) -> NDArray[np.float32]:
        return np.frombuffer(self._model.buffers[tensor.buffer], np.float32).reshape(tensor.shape)
