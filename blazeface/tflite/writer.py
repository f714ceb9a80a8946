"""The one writer of .tflite files: `model.Model` as bytes, and the operations that networks here are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.tflite.flatbuffer import pack
from blazeface.tflite.model import Graph, Model, Operator, Quantization, Tensor
from blazeface.tflite.names import DTYPES, OPERATORS
from blazeface.tflite.schema import ACTIVATIONS, OPTIONS, PADDINGS

VERSIONS = {
    "DEQUANTIZE": 3,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "TRANSPOSE_CONV": 3,
    "FULLY_CONNECTED": 5,
}
"""Version of an operation that knows float16, half-pixel centres, a bias, or more than two axes; the others are of version 1."""

GROUPED = 6
"""Version of CONV_2D that knows groups."""

SAME = PADDINGS.index("SAME")


def model_bytes(model: Model, share: bool = False) -> bytes:
    """The whole file. The same model gives the same bytes. `size`, `signature` and `sparse` are not written. share: equal lists
    of numbers are written once, which readers do not notice."""
    codes = list(dict.fromkeys((step.kind, step.version) for graph in model.graphs for step in graph.operators))
    return pack(
        {
            "version": model.version,
            "operator_codes": [_operator_code(*code) for code in codes],
            "subgraphs": [_graph(graph, codes) for graph in model.graphs],
            "description": model.description,
            "buffers": [{"data": data} for data in model.buffers],
            "metadata": [{"name": name, "buffer": number} for name, number in model.metadata],
        },
        share,
    )


def _operator_code(kind: str, version: int) -> dict[str, Any]:
    number = OPERATORS.index(kind)
    # Older runtimes read the deprecated field alone.
    return {"deprecated_builtin_code": min(number, 127), "version": version, "builtin_code": number}


def _graph(graph: Graph, codes: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "tensors": [_tensor(tensor) for tensor in graph.tensors],
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [_operator(step, codes.index((step.kind, step.version))) for step in graph.operators],
        "name": graph.name,
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    scales = tensor.quantization
    return {
        "shape": tensor.shape,
        "type": DTYPES.index(tensor.dtype),
        "buffer": tensor.buffer,
        "name": tensor.name,
        "quantization": scales
        and {"scale": scales.scales, "zero_point": scales.zero_points, "quantized_dimension": scales.axis},
    }


def _operator(step: Operator, code: int) -> dict[str, Any]:
    values: dict[str, Any] = {"opcode_index": code, "inputs": step.inputs, "outputs": step.outputs}
    if step.options is not None:
        table, number = OPTIONS[step.kind]
        values |= {"builtin_options_type": number, "builtin_options": (table, step.options)}
    return values


def set_batch(model: Model, batch: int) -> None:
    """Make a model for one picture take `batch` at once: all that is computed from the input grows along its first axis,
    and so do the target shapes of RESHAPE."""
    graph = model.graphs[0]
    grown = set(graph.inputs)
    for step in graph.operators:
        if grown.isdisjoint(step.inputs):
            continue  # weights being widened
        grown |= set(step.outputs)
        if step.kind == "RESHAPE":
            assert step.options is not None
            shape = (batch, *step.options["new_shape"][1:])
            step.options = {"new_shape": shape}
            model.buffers[graph.tensors[step.inputs[1]].buffer] = np.array(shape, np.int32).tobytes()
    for number in grown:
        graph.tensors[number].shape = (batch, *graph.tensors[number].shape[1:])


class GraphWriter:
    """Collects tensors and operations in the order in which they run. Tensors are known by number; computed ones are
    float32, and maps are NHWC. Each operation gives the number of its output, and has the output's name."""

    def __init__(self) -> None:
        self._buffers: list[bytes | memoryview] = [b""]  # the first stands for "computed"
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._names: set[str] = set()

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self._tensors[tensor].shape

    def tensor(self, name: str, shape: Sequence[int]) -> int:
        """A float32 tensor that is computed, or filled by the caller."""
        return self._append_tensor(Tensor(name, tuple(shape)))

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """values: float32, float16 or int32."""
        buffer = self._append_buffer(np.ascontiguousarray(values).tobytes())
        return self._append_tensor(Tensor(name, values.shape, values.dtype.name, buffer))

    def picture(self, name: str, shape: Sequence[int], scale: float, zero_point: int) -> int:
        """A uint8 tensor to be filled by the caller; `dequantize` makes scale * (value - zero_point) of it."""
        return self._append_tensor(
            Tensor(name, tuple(shape), "uint8", quantization=Quantization([scale], [zero_point]))
        )

    def convolution(
        self,
        x: int,
        weight: int,
        bias: int,
        name: str,
        stride: tuple[int, int] = (1, 1),
        activation: str = "NONE",
        grouped: bool = False,
        dilation: tuple[int, int] = (1, 1),
    ) -> int:
        """CONV_2D, SAME. weight: (out, height, width, in); grouped: in is less than the input has."""
        options = {**_window(*stride), **_dilation(dilation), **_activation(activation)}
        shape = (*self._strided(x, stride), self.shape(weight)[0])
        return self.operation("CONV_2D", [x, weight, bias], name, shape, options, GROUPED if grouped else 1)

    def depthwise(
        self,
        x: int,
        weight: int,
        bias: int,
        name: str,
        stride: tuple[int, int] = (1, 1),
        activation: str = "NONE",
        dilation: tuple[int, int] = (1, 1),
    ) -> int:
        """DEPTHWISE_CONV_2D, SAME. weight: (1, height, width, channels)."""
        options = {**_window(*stride), **_dilation(dilation), "multiplier": 1, **_activation(activation)}
        shape = (*self._strided(x, stride), self.shape(weight)[3])
        return self.operation("DEPTHWISE_CONV_2D", [x, weight, bias], name, shape, options)

    def pool(self, kind: str, x: int, name: str, size: int, stride: int) -> int:
        """MAX_POOL_2D or AVERAGE_POOL_2D, SAME: padding neither wins a maximum nor counts in a mean."""
        options = {**_window(stride, stride), "filter_w": size, "filter_h": size}
        return self.operation(kind, [x], name, (*self._strided(x, (stride, stride)), self.shape(x)[3]), options)

    def add(self, one: int, other: int, name: str, activation: str = "NONE") -> int:
        return self.operation("ADD", [one, other], name, self.shape(one), _activation(activation))

    def elementwise(self, kind: str, x: int, name: str) -> int:
        """An operation without options on each number: RELU, RELU6, LOGISTIC."""
        return self.operation(kind, [x], name, self.shape(x))

    def pad_channels(self, x: int, channels: int, name: str) -> int:
        """PAD: channels of zeros appended to the others."""
        amounts = np.array([[0, 0], [0, 0], [0, 0], [0, channels]], np.int32)
        inputs = [x, self.constant(f"{name}.amounts", amounts)]
        *sides, before = self.shape(x)
        return self.operation("PAD", inputs, name, (*sides, before + channels), {})

    def upscale(self, x: int, name: str, size_name: str) -> int:
        """RESIZE_BILINEAR to twice the size, with half-pixel centres. size_name: of the constant that says so."""
        _, height, width, channels = self.shape(x)
        inputs = [x, self.constant(size_name, np.array([2 * height, 2 * width], np.int32))]
        shape = (1, 2 * height, 2 * width, channels)
        return self.operation("RESIZE_BILINEAR", inputs, name, shape, {"half_pixel": True})

    def reshape(self, x: int, shape: tuple[int, ...], name: str) -> int:
        inputs = [x, self.constant(f"{name}.shape", np.array(shape, np.int32))]
        return self.operation("RESHAPE", inputs, name, shape, {"new_shape": shape})

    def transpose(self, x: int, order: Sequence[int], name: str, order_name: str) -> int:
        """order_name: of the constant that holds the order."""
        inputs = [x, self.constant(order_name, np.array(order, np.int32))]
        return self.operation("TRANSPOSE", inputs, name, [self.shape(x)[axis] for axis in order], {})

    def concatenate(self, parts: list[int], axis: int, name: str) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self.operation("CONCATENATION", parts, name, shape, {"axis": axis})

    def dequantize(self, x: int, name: str) -> int:
        """A picture, or a float16 constant, in float32."""
        return self.operation("DEQUANTIZE", [x], name, self.shape(x), {})

    def finish(
        self,
        name: str,
        description: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        metadata: Mapping[str, bytes],
    ) -> Model:
        """The model of what was collected. An operation of one kind gets the highest version that any of its kind needs."""
        versions: dict[str, int] = {}
        for step in self._operators:
            versions[step.kind] = max(step.version, versions.get(step.kind, 1))
        for step in self._operators:
            step.version = versions[step.kind]
        entries = [(key, self._append_buffer(value)) for key, value in metadata.items()]
        graph = Graph(name, self._tensors, tuple(inputs), tuple(outputs), self._operators)
        return Model([graph], self._buffers, entries, description)

    def operation(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        options: Mapping[str, Any] | None = None,
        version: int = 1,
    ) -> int:
        """An operation of one output, a float32 tensor of this name and shape, with the options as `schema` names them."""
        output = self.tensor(name, shape)
        version = max(version, VERSIONS.get(kind, 1))
        self._operators.append(Operator(kind, tuple(inputs), (output,), options, version))
        return output

    def _append_tensor(self, tensor: Tensor) -> int:
        if tensor.name in self._names:
            raise ValueError(f"two tensors are called {tensor.name!r}")
        self._names.add(tensor.name)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _append_buffer(self, data: bytes) -> int:
        self._buffers.append(data)
        return len(self._buffers) - 1

    def _strided(self, x: int, stride: tuple[int, int]) -> tuple[int, int, int]:
        """Batch, height and width after a SAME window of this stride (vertical, horizontal)."""
        batch, height, width, _ = self.shape(x)
        return batch, -(-height // stride[0]), -(-width // stride[1])


def _window(stride_h: int, stride_w: int) -> dict[str, int]:
    return {"padding": SAME, "stride_w": stride_w, "stride_h": stride_h}


def _dilation(dilation: tuple[int, int]) -> dict[str, int]:
    return {"dilation_w": dilation[1], "dilation_h": dilation[0]}


def _activation(name: str) -> dict[str, int]:
    return {"activation": ACTIVATIONS.index(name)}
