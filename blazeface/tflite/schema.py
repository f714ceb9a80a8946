"""A .tflite file as the schema's objects, and as bytes."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

ALIGNMENT = 16
"""Bytes: runtimes map the file into memory and compute on the weights where they lie."""


def unpack(data: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(data, 0)


def pack(model: Any) -> bytes:
    """The whole file. The same model gives the same bytes."""
    model.buffers = [
        Buffer(b"" if b.data is None else np.asarray(b.data, np.uint8).tobytes()) for b in model.buffers
    ]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_code(kind: str, version: int) -> Any:
    """kind: as in the schema's BuiltinOperator."""
    table = schema.OperatorCodeT()
    table.builtinCode = getattr(schema.BuiltinOperator, kind)
    table.deprecatedBuiltinCode = min(table.builtinCode, 127)  # older runtimes read only this one
    table.version = version
    return table


def operator_table(inputs: list[int], output: int, options: Any) -> Any:
    """An operation; its kind is set by whoever numbers the kinds. options: a table of the schema, or None."""
    table = schema.OperatorT()
    table.inputs, table.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    if options is not None:
        table.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        table.builtinOptions = options
    return table


def kind_names(model: Any) -> list[str]:
    """The name of each kind of operation, by the number that operations call it by."""
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]


def quantization(scales: Any, zero_points: Any, axis: int = 0) -> Any:
    """real = scale * (q - zero_point), for the whole tensor or for each place on an axis."""
    table = schema.QuantizationParametersT()
    table.scale, table.zeroPoint = np.asarray(scales, np.float32), np.asarray(zero_points, np.int64)
    table.quantizedDimension = axis
    return table


def with_batch(data: bytes, batch: int) -> bytes:
    """A file for one picture, made to take `batch` at once: all that is computed from the input grows along its first
    axis, and so do the shapes that RESHAPE is told."""
    model = unpack(data)
    graph, kinds = model.subgraphs[0], kind_names(model)
    grown = {int(number) for number in graph.inputs}
    for operation in graph.operators:
        if grown.isdisjoint(int(number) for number in operation.inputs):
            continue  # weights being widened
        grown |= {int(number) for number in operation.outputs}
        if kinds[operation.opcodeIndex] == "RESHAPE":
            shape = np.array([batch, *operation.builtinOptions.newShape[1:]], np.int32)
            operation.builtinOptions.newShape = shape
            model.buffers[graph.tensors[operation.inputs[1]].buffer].data = shape.view(np.uint8)
    for number in grown:
        graph.tensors[number].shape = np.array([batch, *graph.tensors[number].shape[1:]], np.int32)
    return pack(model)


class Buffer(schema.BufferT):  # type: ignore[misc]  # the schema is not typed
    """Bytes at an aligned place, which the schema's own class does not see to."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = np.frombuffer(data, np.uint8) if data else None

    def Pack(self, builder: Any) -> Any:
        data = b"" if self.data is None else self.data.tobytes()
        size = len(data)
        if size:
            builder.StartVector(1, size, ALIGNMENT)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if size:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)
