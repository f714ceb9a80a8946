"""Structured mutants of model files: whole files whose graph says something else, where flips of bytes mostly break them."""

from __future__ import annotations

import random
from typing import Any

NUMBERS = (-1, 0, 1, 2, 3, 7, 64, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**62, -(2**31))
KINDS = (
    "Conv", "Relu", "MaxPool", "Add", "Concat", "Pad", "Reshape", "Transpose", "Resize", "Slice", "Gather", "Loop", "If",
    "ConvTranspose", "DequantizeLinear", "NonMaxSuppression", "Expand", "Tile", "Range", "LSTM", "TopK", "Einsum",
)  # fmt: skip


def mutate_onnx(data: bytes, seed: int, number: int) -> bytes:
    """Mutant `number` of a series: one to four changes of nodes, attributes, shapes or constants."""
    import onnx

    rng = random.Random(seed * 1_000_003 + number)
    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.randint(1, 4)):
        _change(model.graph, rng)
    return bytes(model.SerializeToString())


def _change(graph: Any, rng: random.Random) -> None:
    node = rng.choice(graph.node)
    match rng.randrange(9):
        case 0:
            node.op_type = rng.choice(KINDS)
        case 1 if node.input:
            node.input[rng.randrange(len(node.input))] = _some_name(graph, rng)
        case 2 if node.input:
            del node.input[rng.randrange(len(node.input))]
        case 3:
            node.input.append(_some_name(graph, rng))
        case 4 if node.attribute:
            attribute = rng.choice(node.attribute)
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
            else:
                attribute.i = rng.choice(NUMBERS)
        case 5 if node.attribute:
            del node.attribute[rng.randrange(len(node.attribute))]
        case 6 if graph.initializer:
            tensor = rng.choice(graph.initializer)
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
        case 7:
            _change_constant(graph, rng)
        case 8 if len(graph.node) > 1:
            a, b = rng.randrange(len(graph.node)), rng.randrange(len(graph.node))
            graph.node[a].output[0], graph.node[b].output[0] = graph.node[b].output[0], graph.node[a].output[0]


def _some_name(graph: Any, rng: random.Random) -> str:
    names = [name for node in graph.node for name in node.output] + [tensor.name for tensor in graph.initializer]
    return str(rng.choice([*names, "", "nowhere"]))


def _change_constant(graph: Any, rng: random.Random) -> None:
    """A number in a constant of integers: a shape, a padding, an axis."""
    from onnx import TensorProto

    constants = [
        tensor for tensor in graph.initializer if tensor.data_type == TensorProto.INT64 and tensor.raw_data
    ]
    if constants:
        tensor = rng.choice(constants)
        values = bytearray(tensor.raw_data)
        place = 8 * rng.randrange(len(values) // 8)
        values[place : place + 8] = rng.choice(NUMBERS).to_bytes(8, "little", signed=True)
        tensor.raw_data = bytes(values)


def mutate_tflite(data: bytes, seed: int, number: int) -> bytes:
    """The same of a .tflite file: kinds, tensors' numbers, shapes, types, scales, options and constants."""
    from blazeface.tflite.reader import parse_model
    from blazeface.tflite.writer import model_bytes

    rng = random.Random(seed * 1_000_003 + number)
    model = parse_model(data)
    for _ in range(rng.randint(1, 4)):
        _change_tflite(model, rng)
    return bytes(model_bytes(model))


def _change_tflite(model: Any, rng: random.Random) -> None:
    from blazeface.tflite.schema import OPTIONS

    graph = model.graphs[0]
    operator, tensor = rng.choice(graph.operators), rng.choice(graph.tensors)
    numbers = list(operator.inputs)
    match rng.randrange(9):
        case 0:
            operator.kind = rng.choice([*OPTIONS, "RELU", "LOGISTIC", "GATHER", "WHILE", "TOPK_V2"])
        case 1 if numbers:
            numbers[rng.randrange(len(numbers))] = rng.randrange(-1, len(graph.tensors))
            operator.inputs = tuple(numbers)
        case 2 if numbers:
            del numbers[rng.randrange(len(numbers))]
            operator.inputs = tuple(numbers)
        case 3:
            operator.inputs = (*numbers, rng.randrange(len(graph.tensors)))
        case 4 if tensor.shape:
            shape = list(tensor.shape)
            shape[rng.randrange(len(shape))] = rng.choice([0, 1, 2, 3, 7, 64, 1 << 12, 1 << 20])
            tensor.shape = tuple(shape)
        case 5:
            tensor.dtype = rng.choice(["float32", "float16", "int8", "uint8", "int32", "int64", "bool", "string"])
        case 6 if operator.options:
            name = rng.choice(list(operator.options))
            operator.options = dict(operator.options) | {name: rng.choice([0, 1, 2, 3, 64, 127])}
        case 7:
            tensor.buffer = rng.randrange(len(model.buffers))
        case 8 if tensor.quantization is not None:
            tensor.quantization.axis = rng.randrange(4)
