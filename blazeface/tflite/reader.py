"""The one reader of .tflite files, of any origin. It needs no runtime, and nothing in the file is trusted."""

from __future__ import annotations

import struct
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.tflite.flatbuffer import Damaged, Source, Table
from blazeface.tflite.model import Graph, Model, Operator, Quantization, Tensor
from blazeface.tflite.names import DTYPES, OPERATORS
from blazeface.tflite.schema import MARK, OPTIONS

MAX_BYTES = 2 << 30
"""The format's offsets have 31 bits."""

MAX_OPERATORS = 200_000
"""Of all graphs together."""

MAX_AXES = 64
CUSTOM = OPERATORS.index("CUSTOM")


def read_model(path: Path, max_bytes: int = MAX_BYTES) -> Model:
    """Read a file. Raises BlazeFaceError, naming it and the fault, for what is missing, larger than `max_bytes`, no such
    file, or damaged."""
    return model_of(read_bytes(path, max_bytes), path)


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The file as it is. Raises BlazeFaceError for what is missing, or larger than `max_bytes`."""
    if not path.is_file():
        raise BlazeFaceError(f"{path}: no such file")
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise BlazeFaceError(f"{path}: expected at most {max_bytes >> 20:,} MiB, found {size:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error


def model_of(data: bytes, path: Path) -> Model:
    """The tables of a file that was read, whose buffers are views of it. Raises BlazeFaceError, naming `path`."""
    if data[4:8] != MARK:
        raise BlazeFaceError(
            f"{path}: expected a TensorFlow Lite file ({MARK.decode()} at byte 4), found {len(data)} bytes"
            f" with {data[4:8]!r} there"
        )
    try:
        return parse_model(data)
    except Damaged as error:
        raise BlazeFaceError(f"{path}: a damaged TensorFlow Lite file: {error}") from error


def parse_model(data: bytes) -> Model:
    """The same of a file's bytes; raises Damaged. Buffers are views of them."""
    try:
        return _model(data)
    except Damaged:
        raise
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise Damaged(f"a table that cannot be read ({error})") from error


def _model(data: bytes) -> Model:
    root = Source(data).root("Model")
    codes = [_operator_code(code) for code in root.tables("operator_codes")]
    graphs: list[Graph] = []
    left = MAX_OPERATORS
    for number, table in enumerate(root.tables("subgraphs")):
        graphs.append(_graph(table, number, codes, left))
        left -= len(graphs[-1].operators)
    if not graphs:
        raise Damaged("it has no graph")
    tables = list(root.tables("buffers"))
    metadata = [(entry.text("name"), entry.integer("buffer")) for entry in root.tables("metadata")]
    for _, number in metadata:
        if number >= len(tables):
            raise Damaged(f"metadata lies in buffer {number}, of {len(tables)}")
    return Model(
        graphs,
        [table.content("data") for table in tables],
        metadata,
        root.text("description"),
        root.integer("version"),
        frozenset(number for number, table in enumerate(tables) if table.integer("offset") > 1),
        len(data),
    )


def _operator_code(table: Table) -> tuple[str, int, str]:
    """Kind, version and custom name. Files from before 2020 have the kind in the older field alone."""
    number = max(table.integer("deprecated_builtin_code"), table.integer("builtin_code"))
    kind = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"OPERATOR_{number}"
    return kind, table.integer("version"), table.text("custom_code") if number == CUSTOM else ""


def _graph(table: Table, number: int, codes: list[tuple[str, int, str]], most: int) -> Graph:
    tensors = [_tensor(entry) for entry in table.tables("tensors")]
    count = len(tensors)
    return Graph(
        table.text("name") or f"graph {number}",
        tensors,
        _tensor_numbers(table, "inputs", count),
        _tensor_numbers(table, "outputs", count),
        [_operator(entry, codes, count) for entry in table.tables("operators", most)],
    )


def _tensor(table: Table) -> Tensor:
    shape = table.numbers("shape")
    if len(shape) > MAX_AXES or any(size < -1 for size in shape):
        raise Damaged(f"a tensor has the shape {shape[:8]}")
    kind = table.integer("type")
    quantization = table.table("quantization")
    return Tensor(
        table.text("name"),
        shape,
        DTYPES[kind] if 0 <= kind < len(DTYPES) else f"type {kind}",
        table.integer("buffer"),
        None if quantization is None else _quantization(quantization),
        table.numbers("shape_signature"),
        table.table("sparsity") is not None,
    )


def _quantization(table: Table) -> Quantization | None:
    scales = table.numbers("scale")
    zero_points, axis = table.numbers("zero_point"), table.integer("quantized_dimension")
    return Quantization(scales, zero_points, axis) if scales else None


def _operator(table: Table, codes: list[tuple[str, int, str]], tensors: int) -> Operator:
    place = table.integer("opcode_index")
    if place >= len(codes):
        raise Damaged(f"an operator has the kind {place}, of {len(codes)}")
    kind, version, custom = codes[place]
    inputs = _tensor_numbers(table, "inputs", tensors, lowest=-1)
    return Operator(
        kind, inputs, _tensor_numbers(table, "outputs", tensors), _options(kind, table), version, custom
    )


def _options(kind: str, table: Table) -> dict[str, object] | None:
    """None also where the file says that they are another operator's: LiteRT does not look at them then."""
    if kind not in OPTIONS or table.integer("builtin_options_type") != OPTIONS[kind][1]:
        return None
    options = table.table("builtin_options", OPTIONS[kind][0])
    if options is None:
        return None
    values = options.scalars()
    return {**values, "new_shape": options.numbers("new_shape")} if kind == "RESHAPE" else values


def _tensor_numbers(table: Table, name: str, tensors: int, lowest: int = 0) -> tuple[int, ...]:
    numbers = table.numbers(name)
    for number in numbers:
        if not lowest <= number < tensors:
            raise Damaged(f"a graph of {tensors} tensors names number {number}")
    return numbers
