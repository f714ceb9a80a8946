"""An ONNX file as plain data, read by the core packages alone, so that it can be checked before onnxruntime sees it.

Field numbers are those of onnx.proto (IR version 13). What no face detector needs is refused while it is read: graphs
within graphs (branches and loops), functions, weights in other files, sparse and quoted tensors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.guard import Refused
from blazeface.guard.protobuf import Field, Malformed, data_of, fields, integer, integers, real, text

MAX_NODES = 10_000
"""Nodes, and tensors held in the file, of one graph."""

TWICE = "a part that comes twice, which readers put together in their own ways"

SMALL = 64
"""Numbers of a constant that are kept: of shapes, paddings, axes and scales."""

DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"), 2: np.dtype("u1"), 3: np.dtype("i1"), 6: np.dtype("<i4"), 7: np.dtype("<i8"),
    9: np.dtype("?"), 10: np.dtype("<f2"), 11: np.dtype("<f8"),
}  # fmt: skip
"""TensorProto.DataType: the kinds of number that may stand in a file."""


@dataclass(frozen=True)
class Tensor:
    """A constant. values: of one of up to SMALL numbers that are integers or float32, None for others."""

    name: str
    shape: tuple[int, ...]
    kind: int
    values: NDArray[Any] | None = None


Value = int | float | str | tuple[int, ...] | tuple[float, ...] | Tensor
"""What an attribute may be."""


@dataclass(frozen=True)
class Node:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Value]


@dataclass(frozen=True)
class OnnxGraph:
    """inputs: names and shapes, None for an axis of any length; constants by name; outputs: names."""

    opset: int
    nodes: tuple[Node, ...]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    constants: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_onnx_graph(data: bytes) -> OnnxGraph:
    """Raises Refused for what no face detector needs, Malformed for what cannot be read."""
    opset, graph, metadata = 0, b"", {}
    for number, value in fields(data):
        if number == 7:
            if graph:
                raise Refused("two graphs")
            graph = data_of(value)
        elif number == 8:
            domain, version = "", 0
            for inner, part in fields(data_of(value)):
                domain = text(part) if inner == 1 else domain
                version = integer(part) if inner == 2 else version
            if domain not in ("", "ai.onnx"):
                continue  # a set of operators that no node may use
            opset = version
        elif number == 14:
            entry = {inner: text(part) for inner, part in fields(data_of(value)) if inner in (1, 2)}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif number in (20, 25):
            raise Refused("functions or training steps of its own")
    if not graph:
        raise Malformed("no graph")
    return _graph(graph, opset, metadata)


def _graph(data: bytes, opset: int, metadata: Mapping[str, str]) -> OnnxGraph:
    nodes, inputs, outputs, constants = [], {}, [], {}
    for number, value in fields(data):
        if number == 1:
            nodes.append(_node(data_of(value)))
        elif number == 5:
            tensor = _tensor(data_of(value))
            if tensor.name in constants:
                raise Refused(f"two constants of the name {tensor.name[:60]!r}")
            constants[tensor.name] = tensor
        elif number == 11:
            name, shape = _end(data_of(value))
            inputs[name] = shape
        elif number == 12:
            outputs.append(_end(data_of(value))[0])
        elif number == 15:
            raise Refused("sparse tensors")
        if len(nodes) + len(constants) > MAX_NODES:
            raise Refused(f"more than {MAX_NODES} nodes and constants")
    inputs = {name: shape for name, shape in inputs.items() if name not in constants}
    return OnnxGraph(opset, tuple(nodes), inputs, tuple(outputs), constants, metadata)


def _node(data: bytes) -> Node:
    kind, inputs, outputs, attributes = "", [], [], {}
    for number, value in fields(data):
        if number == 1:
            inputs.append(text(value))
        elif number == 2:
            outputs.append(text(value))
        elif number == 4:
            kind = text(value)
        elif number == 5:
            name, setting = _attribute(data_of(value))
            attributes[name] = setting
        elif number == 7 and text(value) not in ("", "ai.onnx"):
            raise Refused(f"an operator of the domain {text(value)[:60]!r}")
    return Node(kind, tuple(inputs), tuple(outputs), attributes)


def _attribute(data: bytes) -> tuple[str, Value]:
    """AttributeProto: the value by its `type` (1 FLOAT, 2 INT, 3 STRING, 4 TENSOR, 6 FLOATS, 7 INTS)."""
    name, kind = "", 0
    single: dict[int, Field] = {}
    numbers: list[int] = []
    reals: list[float] = []
    for number, value in fields(data):
        if number == 1:
            name = text(value)
        elif number == 20:
            kind = integer(value)
        elif number == 8:
            numbers += integers(value)
        elif number == 7:
            part = data_of(value)
            reals += [real(part[i : i + 4]) for i in range(0, len(part), 4)]
        elif number in (2, 3, 4, 5):
            if number in single:
                raise Refused(TWICE)
            single[number] = value
        elif number in (6, 11):
            raise Refused(f"a graph within the graph ({name[:60] or 'without a name'})")
    if len(numbers) > SMALL or len(reals) > SMALL:
        raise Refused(f"an attribute of more than {SMALL} numbers")
    match kind:
        case 1:
            return name, real(single.get(2, bytes(4)))
        case 2:
            return name, integer(single.get(3, 0))
        case 3:
            return name, text(single.get(4, b""))
        case 4:
            return name, _tensor(data_of(single.get(5, b"")))
        case 6:
            return name, tuple(reals)
        case 7:
            return name, tuple(numbers)
    raise Refused(f"an attribute of the kind {kind}")


def _tensor(data: bytes) -> Tensor:
    dims: list[int] = []
    name, kind, raw = "", 0, b""
    plain: list[int] = []
    reals: list[float] = []
    others = 0
    for number, value in fields(data):
        if number == 1:
            dims += integers(value)
        elif number == 2:
            kind = integer(value)
        elif number == 8:
            name = text(value)
        elif number == 9:
            raw = data_of(value)
        elif number in (5, 7):
            plain += integers(value)
        elif number == 4:
            reals += np.frombuffer(data_of(value), "<f4").tolist()
        elif number == 10:
            others += len(data_of(value)) // 8
        elif number == 13 or (number == 14 and integer(value) != 0):
            raise Refused("weights in another file")
        elif number in (3, 6, 11):
            raise Refused("a tensor in parts or of a kind that is not known")
    if kind not in DTYPES:
        raise Refused(f"a tensor of the kind {kind}")
    if len(dims) > 8 or any(size < 0 for size in dims):
        raise Refused(f"a tensor of the shape {dims[:9]}")
    count = math.prod(dims)
    held = len(raw) // DTYPES[kind].itemsize if raw else len(plain) + len(reals) + others
    if held != count:
        raise Refused(f"a tensor of the shape {dims} that holds {held} numbers")
    values: NDArray[Any] | None = None
    if kind in (1, 6, 7) and count <= SMALL:
        wide = np.float64 if kind == 1 else np.int64
        found = np.frombuffer(raw, DTYPES[kind]) if raw else np.array(reals or plain)
        values = found.astype(wide).reshape(dims)
    return Tensor(name, tuple(dims), kind, values)


def _end(data: bytes) -> tuple[str, tuple[int | None, ...]]:
    """Name and shape of an input or output (ValueInfoProto); only tensors are known."""
    name, shape = "", []
    parts = 0
    for number, value in fields(data):
        if number == 1:
            name = text(value)
        elif number == 2:
            for kind, tensor in fields(data_of(value)):
                if kind != 1:
                    raise Refused("an input or output that is no tensor")
                for part, inner in fields(data_of(tensor)):
                    if part == 2:
                        parts += 1
                        if parts > 1:
                            raise Refused(TWICE)
                        shape = [_axis(data_of(axis)) for number_, axis in fields(data_of(inner)) if number_ == 1]
    if len(shape) > 8:
        raise Refused("an input of more than 8 axes")
    return name, tuple(shape)


def _axis(data: bytes) -> int | None:
    size = next((integer(value) for number, value in fields(data) if number == 1), None)
    if size is not None and size < 0:
        raise Refused(f"an axis of {size}")
    return size
