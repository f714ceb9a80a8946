"""TensorFlow Lite files as a table of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blazeface.inspection import macs
from blazeface.inspection.table import Graph, Layer, ModelFile, Shape, Tensor
from blazeface.inspection.text import as_text
from blazeface.tflite import model as tflite
from blazeface.tflite.reader import read_model

WEIGHTED = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "CONV_3D": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
    "CONV_3D_TRANSPOSE": (1, 3),
    "FULLY_CONNECTED": (1, 2),
    "BATCH_MATMUL": (0, 1),
    "PRELU": (1,),
    "EMBEDDING_LOOKUP": (1,),
}
"""Which inputs of an operator are parameters, where they are constants."""

NOT_COUNTED = {
    *("LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    *("BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "STABLEHLO_CONVOLUTION"),
    *("STABLEHLO_DOT_GENERAL", "CUSTOM", "DELEGATE"),
}
"""Operators with multiply-accumulates that are not counted here, or that may have some."""

KEEP_CONSTANT = {"DEQUANTIZE", "DENSIFY", "CAST", "TRANSPOSE", "RESHAPE", "QUANTIZE"}
"""A constant that goes through one of them is still a constant."""


def read_tflite(path: Path) -> ModelFile:
    """Read a file of any origin. Raises BlazeFaceError for what is no such file, or a damaged one."""
    model = read_model(path)
    return ModelFile(
        path,
        "tflite",
        f"TensorFlow Lite, version {model.version} of the format",
        model.size,
        {},
        tuple(_graph(model, graph) for graph in model.graphs),
        _metadata(model),
    )


def _graph(model: tflite.Model, graph: tflite.Graph) -> Graph:
    tensors = tuple(_tensor(model, tensor) for tensor in graph.tensors)
    layers = []
    sources = {place: place for place, tensor in enumerate(tensors) if tensor.constant}
    seen: set[int] = set()
    for operator in graph.operators:
        inputs, outputs = operator.inputs, operator.outputs
        name = f"CUSTOM:{operator.custom}" if operator.kind == "CUSTOM" else operator.kind
        if name in KEEP_CONSTANT and inputs and inputs[0] in sources:
            sources |= dict.fromkeys(outputs, sources[inputs[0]])
        parameters = 0
        for slot in WEIGHTED.get(name, ()):
            source = sources.get(inputs[slot]) if slot < len(inputs) else None
            if source is not None and source not in seen:
                seen.add(source)
                parameters += math.prod(tensors[source].fixed or (0,))
        title = tensors[outputs[0]].name if outputs else ""
        options = operator.options or {}
        count = _macs(name, inputs, outputs, tensors, options)
        layers.append(Layer(title, name, inputs, outputs, parameters, count, options, operator.version))
    return Graph(graph.name, tensors, graph.inputs, graph.outputs, tuple(layers))


def _tensor(model: tflite.Model, tensor: tflite.Tensor) -> Tensor:
    open_axes = tensor.signature if len(tensor.signature) == len(tensor.shape) else tensor.shape
    shape: Shape = tuple("?" if -1 in pair else pair[0] for pair in zip(tensor.shape, open_axes, strict=True))
    number = tensor.buffer
    constant = number < len(model.buffers) and (len(model.buffers[number]) > 0 or number in model.external)
    quantised = tensor.quantization is not None and "float" not in tensor.dtype
    return Tensor(tensor.name, shape, tensor.dtype, constant, quantised)


def _macs(
    name: str,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    tensors: tuple[Tensor, ...],
    options: Mapping[str, Any],
) -> int | None:
    if name in NOT_COUNTED or name.startswith(("CUSTOM", "OPERATOR_")):
        return None
    if name not in WEIGHTED or name in ("PRELU", "EMBEDDING_LOOKUP"):
        return 0

    def shape(numbers: tuple[int, ...], slot: int) -> tuple[int, ...] | None:
        return with_batch_of_one(tensors[numbers[slot]]) if slot < len(numbers) and numbers[slot] >= 0 else None

    output, weights = shape(outputs, 0), shape(inputs, 1)
    match name:
        case "CONV_2D":
            return macs.convolution(output, weights)
        case "DEPTHWISE_CONV_2D":  # (1, height, width, channels)
            return macs.convolution(output, weights, 3)
        case "CONV_3D":  # (depth, height, width, in, out)
            return macs.convolution(output, weights, 4)
        case "TRANSPOSE_CONV":  # (out, height, width, in), its input third
            return macs.transposed_convolution(shape(inputs, 2), weights, 3)
        case "CONV_3D_TRANSPOSE":  # (depth, height, width, out, in)
            return macs.transposed_convolution(shape(inputs, 2), weights, 4)
        case "FULLY_CONNECTED":
            return macs.fully_connected(output, weights)
    return macs.matrix_product(shape(inputs, 0), output, bool(options.get("transpose_x")))


def with_batch_of_one(tensor: Tensor) -> tuple[int, ...] | None:
    """The shape with a batch of one where only the batch is open."""
    if tensor.shape and isinstance(tensor.shape[0], str) and len(tensor.shape) > 1:
        return Tensor("", (1, *tensor.shape[1:]), "").fixed
    return tensor.fixed


def _metadata(model: tflite.Model) -> dict[str, str]:
    found = {"description": model.description} if model.description else {}
    for name, number in model.metadata:
        found.setdefault(name, as_text(bytes(model.buffers[number])))
    return found
