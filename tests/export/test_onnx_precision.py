"""ONNX in float16 and int8: float32 outside, what was asked for inside; the same from OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxconverter_common", reason="the export extra is not installed")

from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import _floating, to_onnx
from blazeface.export.formats.onnx_precision import to_float16, to_int8
from blazeface.export.verify import compare
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace


@pytest.fixture(scope="module")
def graph(network: BlazeFace) -> onnx.ModelProto:
    return to_onnx(network.folded())


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Of each initializer, by its name, the type of its numbers."""
    return {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def int8_weights(model: onnx.ModelProto) -> list[bool]:
    """Of each convolution in order: whether its weights are int8 with a scale for each output channel."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node}
    found = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            source = made.get(node.input[1])
            found.append(source is not None)
            if source is not None:
                assert source.op_type == "DequantizeLinear"
                weights, scales = (tensors[name] for name in source.input[:2])
                assert weights.data_type == onnx.TensorProto.INT8 and list(scales.dims) == [weights.dims[0]]
    return found


def test_float16_halves_the_weights_and_keeps_float32_outside(
    graph: onnx.ModelProto, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    model = to_float16(copy)
    assert onnx.TensorProto.FLOAT not in kinds(model).values()
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    gap = compare(network, OnnxBackend(tmp_path / "x.onnx", 1).run, photographs)
    assert 1e-6 < gap.largest < 1e-2


def test_weights_that_float16_cannot_hold_are_refused(graph: onnx.ModelProto) -> None:
    large = onnx.ModelProto()
    large.CopyFrom(graph)
    tensor = next(t for t in large.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    values = np.full(onnx.numpy_helper.to_array(tensor).shape, 70000, np.float32)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    with pytest.raises(BlazeFaceError, match="beyond float16's range"):
        to_float16(large)


@pytest.mark.parametrize("float_stem", [True, False])
def test_int8_everywhere_but_where_it_hurts(
    float_stem: bool, graph: onnx.ModelProto, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    model = to_int8(graph, network.spec, photographs, _floating(graph, float_stem))
    first, *others = int8_weights(model)
    assert first is not float_stem and all(others) and len(others) > 5
    # The heads' answers are put in a row as floats: none of these steps has a quantised input.
    made = {node.output[0]: node.op_type for node in model.graph.node}
    rows = [node for node in model.graph.node if node.op_type == "Concat"]
    assert rows and all(made[name] == "Reshape" for node in rows for name in node.input)
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    gap = compare(network, OnnxBackend(tmp_path / "x.onnx", 1).run, photographs)
    assert 1e-4 < gap.mean < 0.02
