"""The graph of a .tflite file that LiteRT can be given: `reader`'s tables, checked against each other.

LiteRT does not check what a file says: with a filter that does not fit it reads memory out of bounds, and a padding of
gigabytes is allocated. So a file is read and checked here first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.tflite import model, reader
from blazeface.tflite.schema import ACTIVATIONS, PADDINGS

MAX_BYTES = 64 << 20
MAX_OPERATIONS = 10_000
MAX_ELEMENTS = 2**26
CONSTANT_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "int32": np.dtype("<i4"),
}

NEED_OPTIONS = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"),
    *("ADD", "CONCATENATION", "RESIZE_BILINEAR"),
}

Array = NDArray[Any]


@dataclass(frozen=True)
class Operation:
    """One operation. inputs, outputs: tensor numbers.

    options: those that its kind has of padding ("SAME", "VALID"), stride, dilation and filter (two
    numbers each, height first), activation (the fused one: "NONE", "RELU"), axis, half_pixel (bool).
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """inputs, outputs: tensor numbers. shapes: of all tensors. constants: values of those that have any.
    metadata: bytes that were put in under a name.

    Float16 constants that the file turns into float32 as its first act (DEQUANTIZE) are given under
    the number of the float32 tensor, and those operations left out.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    constants: Mapping[int, Array]
    metadata: Mapping[str, bytes]


def read_graph(path: Path) -> Graph:
    """Read and check a .tflite file of one graph. Raises BlazeFaceError, naming the file and the fault."""
    return graph_of(reader.read_model(path, MAX_BYTES), path)


def graph_of(found: model.Model, path: Path) -> Graph:
    """The same of the tables that `reader` gives; `path` is named in sentences."""
    try:
        return _checked(found)
    except BlazeFaceError as error:
        raise BlazeFaceError(f"{path}: {error}") from error


def _checked(found: model.Model) -> Graph:
    if len(found.graphs) != 1:
        raise BlazeFaceError(f"expected a model of one graph, found {len(found.graphs)}")
    graph = found.graphs[0]
    for what, count in (("operations", len(graph.operators)), ("tensors", len(graph.tensors))):
        if not 0 < count <= MAX_OPERATIONS:
            raise BlazeFaceError(f"expected 1 to {MAX_OPERATIONS} {what}, found {count}")
    for tensor in graph.tensors:
        _check_shape(tensor.shape)
    shapes = [tensor.shape for tensor in graph.tensors]
    constants = {
        number: values
        for number, tensor in enumerate(graph.tensors)
        if (values := _constant(found, tensor)) is not None
    }
    operations = []
    for operator in graph.operators:
        operation = Operation(operator.kind, operator.inputs, operator.outputs, _options(operator))
        _check_inputs(operation, shapes)
        _check_sizes(operation, shapes, constants)
        if operation.name == "DEQUANTIZE" and operation.inputs and operation.inputs[0] in constants:
            if len(operation.outputs) != 1:
                raise BlazeFaceError(f"expected one output for DEQUANTIZE, found {len(operation.outputs)}")
            constants[operation.outputs[0]] = constants[operation.inputs[0]].astype(np.float32)
        else:
            operations.append(operation)
    return Graph(tuple(operations), graph.inputs, graph.outputs, tuple(shapes), constants, _metadata(found))


def _metadata(found: model.Model) -> dict[str, bytes]:
    """Of each name the first entry that has bytes."""
    values: dict[str, bytes] = {}
    for name, number in found.metadata[:MAX_OPERATIONS]:
        if len(found.buffers[number]):
            values.setdefault(name, bytes(found.buffers[number]))
    return values


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) > 8:
        raise BlazeFaceError(f"expected tensors of at most 8 axes, found one of {len(shape)}")
    # LiteRT would take the memory, or compute for ever.
    if math.prod(max(1, abs(side)) for side in shape) > MAX_ELEMENTS:
        raise BlazeFaceError(f"expected tensors of at most {MAX_ELEMENTS:,} numbers, found one of shape {shape}")


def _constant(found: model.Model, tensor: model.Tensor) -> Array | None:
    """The values that the file holds for a tensor; None for one that is computed, or of a kind not read here."""
    if tensor.buffer >= len(found.buffers):
        raise BlazeFaceError(f"a tensor lies in buffer {tensor.buffer}, of {len(found.buffers)}")
    raw = found.buffers[tensor.buffer]
    dtype = CONSTANT_DTYPES.get(tensor.dtype)
    if len(raw) == 0 or dtype is None or tensor.sparse:
        return None
    expected = math.prod(tensor.shape) * dtype.itemsize
    if len(raw) != expected:
        raise BlazeFaceError(f"expected {expected} bytes for a tensor of shape {tensor.shape}, found {len(raw)}")
    return np.frombuffer(raw, dtype).reshape(tensor.shape)


def _check_inputs(operation: Operation, shapes: list[tuple[int, ...]]) -> None:
    """LiteRT takes for granted that a convolution has a filter that fits; without one it reads memory out of bounds."""
    name, inputs = operation.name, operation.inputs
    # A bias may be left out, and it is always the third.
    if -1 in inputs[:2]:
        raise BlazeFaceError(f"{name} is without its input {inputs.index(-1)}")
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return
    if len(inputs) < 2 or len(operation.outputs) != 1:
        raise BlazeFaceError(f"expected an input, a filter and one output for {name}")
    maps, weights, result = shapes[inputs[0]], shapes[inputs[1]], shapes[operation.outputs[0]]
    ranks = len(maps) == len(weights) == len(result) == 4
    depthwise = name == "DEPTHWISE_CONV_2D"
    if (
        not ranks
        or weights[3 if depthwise else 0] != result[3]
        or (not depthwise and maps[3] % max(weights[3], 1))
    ):
        raise BlazeFaceError(f"{name}: a filter of shape {weights} does not take {maps} to {result}")


def _check_sizes(operation: Operation, shapes: list[tuple[int, ...]], constants: Mapping[int, Array]) -> None:
    """LiteRT allocates what padding, resizing and pooling ask for, even where the tensors' shapes say otherwise."""
    name, inputs = operation.name, operation.inputs
    if name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        sides = shapes[inputs[0]][1:3] if inputs else ()
        if any(reach > max(side, 16) for side, reach in zip(sides, operation.options["filter"], strict=False)):
            raise BlazeFaceError(f"{name}: a window of {operation.options['filter']} over a map of {sides}")
    if name not in ("PAD", "PADV2", "MIRROR_PAD", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return
    if len(inputs) < 2 or inputs[1] not in constants or len(operation.outputs) != 1:
        raise BlazeFaceError(f"expected an input, a constant size and one output for {name}")
    before, asked, result = shapes[inputs[0]], constants[inputs[1]], shapes[operation.outputs[0]]
    if name.startswith("RESIZE"):
        fits = len(before) == len(result) == 4 and asked.tolist() == list(result[1:3])
    else:
        pairs = asked.tolist() if asked.shape == (len(before), 2) else []
        fits = [side + low + high for side, (low, high) in zip(before, pairs, strict=False)] == list(result)
        fits = fits and bool((asked >= 0).all())
    if not fits:
        raise BlazeFaceError(f"{name}: {asked.tolist()} does not take {before} to {result}")


def _options(operator: model.Operator) -> dict[str, Any]:
    if operator.kind not in NEED_OPTIONS:
        return {}
    found = operator.options
    if found is None:
        raise BlazeFaceError(f"expected options for {operator.kind}, found none")
    options: dict[str, Any] = {}
    if "padding" in found:
        number = found["padding"]
        options["padding"] = PADDINGS[number] if 0 <= number < len(PADDINGS) else "unknown"
    for name in ("stride", "dilation", "filter"):
        if f"{name}_h" in found:
            options[name] = (found[f"{name}_h"], found[f"{name}_w"])
    if "activation" in found:
        number = found["activation"]
        known = 0 <= number < len(ACTIVATIONS)
        options["activation"] = ACTIVATIONS[number] if known else f"activation {number}"
    if "axis" in found:
        options["axis"] = found["axis"]
    if "half_pixel" in found:
        options["half_pixel"] = found["half_pixel"] and not found["align_corners"]
    return options
