"""TensorFlow Lite files as a table of layers. Field numbers are those of the format's public schema (version 3)."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

from blazeface.errors import BlazeFaceError
from blazeface.inspection import macs
from blazeface.inspection.table import Graph, Layer, ModelFile, Shape, Tensor
from blazeface.inspection.text import as_text, read_bytes
from blazeface.tflite.flatbuffer import Damaged, Table
from blazeface.tflite.names import DTYPES, OPERATORS

MARK = b"TFL3"
MAX_LAYERS = 200_000
CUSTOM = 32

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

WITHOUT_A_RULE = {
    *("LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    *("BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "STABLEHLO_CONVOLUTION"),
    *("STABLEHLO_DOT_GENERAL", "CUSTOM", "DELEGATE"),
}
"""Operators with multiply-accumulates that are not counted here, or that may have some."""

CARRIERS = {"DEQUANTIZE", "DENSIFY", "CAST", "TRANSPOSE", "RESHAPE", "QUANTIZE"}
"""A constant that goes through one of them is still a constant."""

OPTIONS: dict[str, tuple[tuple[str, int, str, int], ...]] = {
    "CONV_2D": (("activation", 3, "b", 0),),
    "DEPTHWISE_CONV_2D": (("multiplier", 3, "i", 0), ("activation", 4, "b", 0)),
    "SOFTMAX": (("beta", 0, "f", 0),),
    "STRIDED_SLICE": (("ellipsis", 2, "i", 0), ("new_axis", 3, "i", 0), ("shrink_axis", 4, "i", 0)),
    "BATCH_MATMUL": (("transposed", 0, "?", 0),),
    "RESIZE_BILINEAR": (("align_corners", 2, "?", 0), ("half_pixel", 3, "?", 0)),
}
"""Name, field, kind of number and default of the options that rules here ask for."""


def read_tflite(path: Path) -> ModelFile:
    """Read a file of any origin. Raises BlazeFaceError for what is no such file, or a damaged one."""
    data = read_bytes(path)
    if data[4:8] != MARK:
        raise BlazeFaceError(
            f"{path}: expected a TensorFlow Lite file ({MARK.decode()} at byte 4), found {len(data)} bytes with"
            f" {data[4:8]!r} there"
        )
    try:
        return _read(path, data)
    except (Damaged, struct.error, IndexError, ValueError, OverflowError) as error:
        raise BlazeFaceError(f"{path}: a damaged TensorFlow Lite file: {error}") from error


def _read(path: Path, data: bytes) -> ModelFile:
    model = Table.root(data)
    buffers = list(model.tables(4))
    codes = [_operator_name(code) for code in model.tables(1)]
    graphs, budget = [], MAX_LAYERS
    for number, table in enumerate(model.tables(2)):
        graph = _graph(table, number, buffers, codes)
        budget -= len(graph.layers)
        if budget < 0:
            raise Damaged(f"it promises more than {MAX_LAYERS} operators")
        graphs.append(graph)
    if not graphs:
        raise Damaged("it has no graph")
    return ModelFile(
        path,
        "tflite",
        f"TensorFlow Lite, version {model.whole(0, 'I')} of the format",
        len(data),
        {},
        tuple(graphs),
        _metadata(model, buffers),
    )


def _operator_name(code: Table) -> str:
    number = max(code.whole(0, "b"), code.whole(3, "i"))
    if number == CUSTOM:
        return f"CUSTOM:{code.text(1)}"
    return OPERATORS[number] if 0 <= number < len(OPERATORS) else f"OPERATOR_{number}"


def _graph(table: Table, number: int, buffers: list[Table], codes: list[str]) -> Graph:
    tensors = tuple(_tensor(entry, buffers) for entry in table.tables(0))
    layers = []
    sources = {place: place for place, tensor in enumerate(tensors) if tensor.constant}
    seen: set[int] = set()
    for entry in table.tables(3):
        place = entry.whole(0, "I")
        if place >= len(codes):
            raise Damaged(f"an operator has the kind {place}, of {len(codes)}")
        inputs = _numbers(entry.numbers(1, "i"), len(tensors), -1)
        outputs = _numbers(entry.numbers(2, "i"), len(tensors), 0)
        name = codes[place]
        options = _options(name, entry.table(4))
        if name in CARRIERS and inputs and inputs[0] in sources:
            sources |= dict.fromkeys(outputs, sources[inputs[0]])
        parameters = 0
        for slot in WEIGHTED.get(name, ()):
            source = sources.get(inputs[slot]) if slot < len(inputs) else None
            if source is not None and source not in seen:
                seen.add(source)
                parameters += math.prod(tensors[source].fixed or (0,))
        title = tensors[outputs[0]].name if outputs else ""
        count = _macs(name, inputs, outputs, tensors, options)
        layers.append(Layer(title, name, inputs, outputs, parameters, count, options))
    ends = [_numbers(table.numbers(field, "i"), len(tensors), 0) for field in (1, 2)]
    return Graph(table.text(4) or f"graph {number}", tensors, ends[0], ends[1], tuple(layers))


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    sizes = table.numbers(0, "i") or ()
    if len(sizes) > 64 or any(size < -1 for size in sizes):
        raise Damaged(f"a tensor has the shape {sizes[:8]}")
    signature = table.numbers(7, "i") or ()
    open_axes = signature if len(signature) == len(sizes) else sizes
    shape: Shape = tuple("?" if -1 in pair else pair[0] for pair in zip(sizes, open_axes, strict=True))
    kind, buffer = table.whole(1, "b"), table.whole(2, "I")
    constant = buffer < len(buffers) and (buffers[buffer].count_bytes(0) > 0 or buffers[buffer].whole(1, "Q") > 1)
    quantisation = table.table(4)
    scales = quantisation is not None and quantisation.count(2) > 0
    dtype = DTYPES[kind] if 0 <= kind < len(DTYPES) else f"type {kind}"
    return Tensor(table.text(3), shape, dtype, bool(constant), scales and "float" not in dtype)


def _macs(
    name: str,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    tensors: tuple[Tensor, ...],
    options: dict[str, Any],
) -> int | None:
    if name in WITHOUT_A_RULE or name.startswith(("CUSTOM", "OPERATOR_")):
        return None
    if name not in WEIGHTED or name in ("PRELU", "EMBEDDING_LOOKUP"):
        return 0

    def shape(numbers: tuple[int, ...], slot: int) -> tuple[int, ...] | None:
        return one_picture(tensors[numbers[slot]]) if slot < len(numbers) and numbers[slot] >= 0 else None

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
    return macs.matrix_product(shape(inputs, 0), output, bool(options.get("transposed")))


def one_picture(tensor: Tensor) -> tuple[int, ...] | None:
    """The shape with a batch of one where only the batch is open."""
    if tensor.shape and isinstance(tensor.shape[0], str) and len(tensor.shape) > 1:
        return Tensor("", (1, *tensor.shape[1:]), "").fixed
    return tensor.fixed


def _options(name: str, table: Table | None) -> dict[str, Any]:
    if table is None:
        return {}
    return {word: table.number(field, kind, default) for word, field, kind, default in OPTIONS.get(name, ())}


def _numbers(values: tuple[int, ...] | None, tensors: int, lowest: int) -> tuple[int, ...]:
    for number in values or ():
        if not lowest <= number < tensors:
            raise Damaged(f"a graph of {tensors} tensors names number {number}")
    return values or ()


def _metadata(model: Table, buffers: list[Table]) -> dict[str, str]:
    found = {}
    if model.text(3):
        found["description"] = model.text(3)
    for entry in model.tables(6):
        place = entry.whole(1, "I")
        if place >= len(buffers):
            raise Damaged(f"metadata lies in buffer {place}, of {len(buffers)}")
        found.setdefault(entry.text(0), as_text(bytes(buffers[place].raw(0))))
    return found
