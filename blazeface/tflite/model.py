"""A .tflite file as plain data: what `reader` gives and `writer` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Quantization:
    """real = scale * (q - zero_point), for the whole tensor or for each place on an axis."""

    scales: Sequence[float]
    zero_points: Sequence[int]
    axis: int = 0


@dataclass
class Tensor:
    """shape: -1 for an open size in files of others, where `signature`, the shape before it was fixed for one batch, may
    say so too. dtype: of `names.DTYPES`. buffer: number of the buffer with its values; 0, or an empty one: computed."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    buffer: int = 0
    quantization: Quantization | None = None
    signature: tuple[int, ...] = ()
    sparse: bool = False


@dataclass
class Operator:
    """kind: of `names.OPERATORS`, or "OPERATOR_N" for one that is newer. inputs, outputs: numbers of tensors; -1 for an
    input that is left out. options: fields of the kind's table in `schema`; None where the file has no such table, or
    `schema` does not know it. custom: the name of an operator of kind "CUSTOM"."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] | None = None
    version: int = 1
    custom: str = ""


@dataclass
class Graph:
    """inputs, outputs: numbers of tensors. Operators stand in the order in which they run."""

    name: str
    tensors: list[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[Operator]


@dataclass
class Model:
    """graphs: the main one first. buffers: the first is empty. external: numbers of buffers whose bytes lie behind the
    tables (files of more than 2 GiB). metadata: names, and numbers of buffers. size: of the file, in bytes."""

    graphs: list[Graph]
    buffers: list[bytes | memoryview]
    metadata: list[tuple[str, int]]
    description: str = ""
    version: int = 3
    external: frozenset[int] = field(default_factory=frozenset)
    size: int = 0
