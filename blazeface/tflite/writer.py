"""Writes a .tflite file: a flatbuffer, by the schema that LiteRT itself ships.

Of that schema (`ai_edge_litert.schema_py_generated`) only what these networks need is used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from blazeface.tflite.schema import Buffer, operator_code, operator_table, pack, quantization

VERSIONS = {"DEQUANTIZE": 3, "RESIZE_BILINEAR": 3}
"""Version of an operation that knows float16, or half-pixel centres; the others are of version 1."""

KINDS: Mapping[np.dtype[Any], int] = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
}


class GraphWriter:
    """Collects tensors and operations in the order in which they run; tensors are known by number."""

    def __init__(self) -> None:
        self._buffers = [Buffer(b"")]  # the first is empty and stands for "computed"
        self._tensors: list[Any] = []
        self._operations: list[Any] = []
        self._codes: list[str] = []
        self._versions: dict[str, int] = {}
        self._names: set[str] = set()

    def tensor(self, name: str, shape: Sequence[int], values: NDArray[Any] | None = None) -> int:
        """A float32 tensor that is computed, or a constant with its values' type."""
        table = schema.TensorT()
        table.name = name
        table.shape = np.array(shape, np.int32)
        table.type = KINDS[np.dtype(np.float32) if values is None else values.dtype]
        table.buffer = 0 if values is None else self._buffer(np.ascontiguousarray(values).tobytes())
        if name in self._names:
            raise ValueError(f"two tensors are called {name!r}")
        self._names.add(name)
        self._tensors.append(table)
        return len(self._tensors) - 1

    def picture(self, name: str, shape: Sequence[int], scale: float, zero_point: int) -> int:
        """A uint8 tensor to be filled by the caller; DEQUANTIZE makes scale * (value - zero_point) of it."""
        number = self.tensor(name, shape)
        self._tensors[number].type = schema.TensorType.UINT8
        self._tensors[number].quantization = quantization([scale], [zero_point])
        return number

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(int(side) for side in self._tensors[tensor].shape)

    def constant(self, name: str, values: NDArray[Any]) -> int:
        return self.tensor(name, values.shape, values)

    def operation(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        options: Any = None,
        version: int = 1,
    ) -> int:
        """Append an operation with one output, a float32 tensor of this name and shape; give its number.

        kind: as in the schema's BuiltinOperator. options: a table of the schema, such as AddOptionsT. version:
        of the operation, where it uses what came later; all of one kind get the highest asked for.
        """
        output = self.tensor(name, shape)
        if kind not in self._codes:
            self._codes.append(kind)
        self._versions[kind] = max(version, self._versions.get(kind, VERSIONS.get(kind, 1)))
        table = operator_table(list(inputs), output, options)
        table.opcodeIndex = self._codes.index(kind)
        self._operations.append(table)
        return output

    def finish(
        self,
        name: str,
        description: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        metadata: Mapping[str, bytes],
    ) -> bytes:
        """The whole file. The same calls give the same bytes."""
        graph = schema.SubGraphT()
        graph.name = name
        graph.tensors, graph.operators = self._tensors, self._operations
        graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        model = schema.ModelT()
        model.version = 3
        model.description = description
        model.subgraphs = [graph]
        model.operatorCodes = [operator_code(kind, self._versions[kind]) for kind in self._codes]
        model.metadata = [self._metadata(key, value) for key, value in metadata.items()]
        model.buffers = self._buffers
        return pack(model)

    def _buffer(self, data: bytes) -> int:
        self._buffers.append(Buffer(data))
        return len(self._buffers) - 1

    def _metadata(self, key: str, value: bytes) -> Any:
        table = schema.MetadataT()
        table.name, table.buffer = key, self._buffer(value)
        return table
