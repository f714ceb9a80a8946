"""Structured mutants of model files: whole files whose graph says something else, where flips of bytes mostly break them."""

from __future__ import annotations

import random
import re
from typing import Any

from blazeface.guard.ncnn_check import LAYERS
from blazeface.guard.openvino_rules import RULES

NUMBERS = (-1, 0, 1, 2, 3, 7, 64, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**62, -(2**31))
WORDS = (
    "-1",
    "0",
    "1",
    "2",
    "3",
    "5",
    "7",
    "16",
    "17",
    "63",
    "64",
    "255",
    "1024",
    "65536",
    "-233",
    "1.5",
    "2147483647",
)
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


def mutate_ncnn(data: bytes, seed: int, number: int) -> bytes:
    """Mutant `number` of a series: one to four changes of kinds, settings, blobs and the order of layers."""
    rng = random.Random(seed * 1_000_003 + number)
    lines = data.decode().splitlines()
    layers = [line.split() for line in lines[2:-1]]
    for _ in range(rng.randint(1, 4)):
        words = rng.choice(layers)
        settings = [place for place, word in enumerate(words) if "=" in word]
        blobs = [place for place in range(4, len(words)) if place not in settings]
        match rng.randrange(7):
            case 0:
                words[0] = rng.choice([*LAYERS, "Crop", "MemoryData", "LSTM", "Deconvolution"])
            case 1 | 2 if settings:
                place = rng.choice(settings)
                words[place] = f"{words[place].partition('=')[0]}={rng.choice(WORDS)}"
            case 3:
                words.append(f"{rng.randrange(20)}={rng.choice(WORDS)}")
            case 4 if blobs:
                words[rng.choice(blobs)] = rng.choice(
                    [word for line in layers for word in line[4:] if "=" not in word]
                )
            case 5 if settings:
                del words[rng.choice(settings)]
            case 6:
                a, b = rng.randrange(len(layers)), rng.randrange(len(layers))
                layers[a], layers[b] = layers[b], layers[a]
    made = {word for line in layers for word in line[4 + int(line[2]) :][: int(line[3])]}
    head = [lines[0], f"{len(layers)} {len(made)}"]  # what announces them is looked at before, and apart
    return "\n".join([*head, *(" ".join(line) for line in layers), lines[-1], ""]).encode()


def mutate_openvino(data: bytes, seed: int, number: int) -> bytes:
    """The same of an .xml file: kinds, attributes, edges and versions."""
    rng = random.Random(seed * 1_000_003 + number)
    text = data.decode()
    for _ in range(rng.randint(1, 4)):
        name = rng.choice(
            ("type", "shape", "strides", "pads_begin", "pads_end", "dilations", "axis", "offset", "size", "from-layer",
             "from-port", "to-layer", "to-port", "version", "kernel", "element_type", "special_zero", "mode", "rounding_type")
        )  # fmt: skip
        places = list(re.finditer(rf' {name}="([^"]*)"', text))
        if not places:
            continue
        place = rng.choice(places)
        if name == "type":
            new = rng.choice([*RULES, "Loop", "ReadValue", "Tile", "NonMaxSuppression", "LSTMSequence"])
        elif name == "version":
            new = f"opset{rng.randint(1, 15)}"
        elif name == "element_type":
            new = rng.choice(["f32", "f16", "i64", "i32", "u8", "i8", "boolean", "u1", "string"])
        elif name == "special_zero":
            new = rng.choice(["true", "false"])
        else:
            parts = re.findall(r"[^, ]+", place[1]) or ["0"]
            parts[rng.randrange(len(parts))] = rng.choice(WORDS)
            new = ", ".join(parts)
        text = f"{text[: place.start(1)]}{new}{text[place.end(1) :]}"
    return text.encode()
