"""The reader and the writer, held against the code that LiteRT generates from the format's schema; damage."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface.errors import BlazeFaceError
from blazeface.tflite.flatbuffer import Damaged
from blazeface.tflite.model import Graph, Model, Operator, Quantization, Tensor
from blazeface.tflite.reader import parse_model, read_model
from blazeface.tflite.schema import ACTIVATIONS, NUMBERS, OPTIONS, PADDINGS, TABLES
from blazeface.tflite.writer import GraphWriter, model_bytes, set_batch

flatbuffers = pytest.importorskip("flatbuffers", reason="the tflite extra is not installed")


def litert_schema() -> Any:
    return pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the tflite extra is not installed")


def small_model() -> Model:
    """A picture through a convolution and a reshape."""
    writer = GraphWriter()
    x = writer.picture("image", (1, 4, 6, 3), 0.5, 128)
    moving = writer.dequantize(x, "image.float")
    weight = writer.constant("weight", np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3))
    bias = writer.constant("bias", np.array([1, 2], np.float32))
    maps = writer.convolution(moving, weight, bias, "maps", stride=(2, 3), activation="RELU6")
    rows = writer.reshape(maps, (1, 4, 2), "rows")
    return writer.finish("small", "a description", [x], [rows], {"key": b"value"})


LITERT_NAMES = {
    "activation": "FusedActivationFunction",
    "multiplier": "DepthMultiplier",
    "dilation_w": "DilationWFactor",
    "dilation_h": "DilationHFactor",
    "filter_w": "FilterWidth",
    "filter_h": "FilterHeight",
    "half_pixel": "HalfPixelCenters",
    "begin": "BeginMask",
    "end": "EndMask",
    "ellipsis": "EllipsisMask",
    "new_axis": "NewAxisMask",
    "shrink_axis": "ShrinkAxisMask",
    "transpose_x": "AdjX",
    "transpose_y": "AdjY",
}
NO_LONGER_USED = {("ResizeBilinearOptions", "new_height"), ("ResizeBilinearOptions", "new_width")}


def test_field_numbers_types_and_defaults_are_the_schemas() -> None:
    source = inspect.getsource(litert_schema())
    for table, fields in TABLES.items():
        add = rf"def {table}Add(\w+)\(builder.*?\):\n\s+builder\.Prepend(\w+)Slot\((\d+), .*?, ([^)]+)\)"
        expected = {int(number): (name, kind, default) for name, kind, number, default in re.findall(add, source)}
        for field in fields:
            if (table, field.name) in NO_LONGER_USED:
                continue
            name, kind, default = expected[field.number]
            spelled = "".join(word.capitalize() for word in field.name.split("_"))
            assert LITERT_NAMES.get(field.name, spelled) == name, table
            assert NUMBERS.get(field.type, "UOffsetTRelative") == kind, (table, name)
            assert float(default) == field.default, (table, name)


def test_enums_and_unions_are_the_schemas() -> None:
    schema = litert_schema()
    for name, number in OPTIONS.values():
        assert getattr(schema.BuiltinOptions, name) == number
    assert [getattr(schema.ActivationFunctionType, name) for name in ACTIVATIONS] == list(range(len(ACTIVATIONS)))
    assert [getattr(schema.Padding, name) for name in PADDINGS] == [0, 1]


def test_litert_reads_what_is_written() -> None:
    schema = litert_schema()
    found = schema.ModelT.InitFromPackedBuf(model_bytes(small_model()), 0)
    graph = found.subgraphs[0]
    assert (found.version, found.description, graph.name) == (3, b"a description", b"small")
    assert [(tensor.name.decode(), list(tensor.shape)) for tensor in graph.tensors] == [
        ("image", [1, 4, 6, 3]),
        ("image.float", [1, 4, 6, 3]),
        ("weight", [2, 2, 2, 3]),
        ("bias", [2]),
        ("maps", [1, 2, 2, 2]),
        ("rows.shape", [3]),
        ("rows", [1, 4, 2]),
    ]
    kinds = schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.RESHAPE
    assert [(code.builtinCode, code.version) for code in found.operatorCodes] == list(
        zip(kinds, (3, 1, 1), strict=True)
    )
    options = graph.operators[1].builtinOptions
    assert (options.strideH, options.strideW, options.dilationHFactor, options.padding) == (2, 3, 1, 0)
    assert options.fusedActivationFunction == schema.ActivationFunctionType.RELU6
    assert graph.operators[2].builtinOptions.newShape.tolist() == [1, 4, 2]
    scales = graph.tensors[0].quantization
    assert (scales.scale.tolist(), scales.zeroPoint.tolist()) == ([0.5], [128])
    weights = np.asarray(found.buffers[graph.tensors[2].buffer].data, np.uint8)
    assert weights.view(np.float32).tolist() == list(range(24))
    assert bytes(found.buffers[found.metadata[0].buffer].data) == b"value"


def test_the_generated_code_writes_the_same_bytes() -> None:
    """But for the alignment of buffers, which it does not see to: here each is as long as its alignment."""
    schema = litert_schema()
    model = Model(
        [Graph("g", [Tensor("t", (4,), "int8", 1, Quantization([0.5], [3]))], (0,), (0,), [])],
        [b"", b"x" * 16],
        [],
    )
    data = model_bytes(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(schema.ModelT.InitFromPackedBuf(data, 0).Pack(builder), b"TFL3")
    again = parse_model(bytes(builder.Output()))
    assert again.graphs == parse_model(data).graphs


def test_what_is_written_is_read_again() -> None:
    written = small_model()
    found = parse_model(model_bytes(written))
    tensors = [(t.name, t.shape, t.dtype, t.buffer) for t in found.graphs[0].tensors]
    assert tensors == [(t.name, t.shape, t.dtype, t.buffer) for t in written.graphs[0].tensors]
    assert [bytes(data) for data in found.buffers] == written.buffers
    assert (found.metadata, found.description) == (written.metadata, "a description")
    steps = [(step.kind, step.inputs, step.outputs, step.version) for step in found.graphs[0].operators]
    assert steps == [(s.kind, s.inputs, s.outputs, s.version) for s in written.graphs[0].operators]
    options = found.graphs[0].operators[1].options
    assert options == {
        "padding": 0,
        "stride_h": 2,
        "stride_w": 3,
        "activation": 3,
        "dilation_w": 1,
        "dilation_h": 1,
    }
    assert model_bytes(found) == model_bytes(written)


@given(
    st.text(max_size=9),
    st.lists(st.integers(0, 2**31 - 1), max_size=5),
    st.binary(max_size=40),
    st.integers(0, 100),
    st.sampled_from(["ADD", "RESIZE_BILINEAR", "SOFTMAX", "STABLEHLO_CASE"]),
)
def test_any_model_is_read_as_it_was_written(
    name: str, shape: list[int], data: bytes, axis: int, kind: str
) -> None:
    known: dict[str, dict[str, Any]] = {"SOFTMAX": {"beta": 0.5}, "ADD": {"activation": 1}}
    options = known.get(kind)
    tensor = Tensor(name, tuple(shape), "uint4", 1, Quantization((0.25,), (-7,), axis))
    operator = Operator(kind, (-1, 0), (0,), options, version=4)
    model = Model([Graph(name or "graph 0", [tensor], (0,), (), [operator])], [b"", data], [(name, 1)], name)
    found = parse_model(model_bytes(model))
    assert found.graphs == model.graphs and found.metadata == model.metadata and found.description == name
    assert bytes(found.buffers[1]) == data


def test_a_larger_batch_reaches_all_that_is_computed() -> None:
    model = small_model()
    set_batch(model, 5)
    shapes = {tensor.name: tensor.shape for tensor in model.graphs[0].tensors}
    assert (shapes["image"], shapes["maps"], shapes["rows"]) == ((5, 4, 6, 3), (5, 2, 2, 2), (5, 4, 2))
    assert (shapes["weight"], shapes["bias"]) == ((2, 2, 2, 3), (2,))
    assert np.frombuffer(model.buffers[model.graphs[0].tensors[5].buffer], np.int32).tolist() == [5, 4, 2]


def test_every_cut_and_every_flipped_byte_ends_in_a_model_or_in_damage() -> None:
    data = model_bytes(small_model())
    refused = 0
    for place in range(len(data)):
        for value in (0, 0x7F, 0xFF):
            altered = bytearray(data)
            altered[place] = value
            for spoiled in (bytes(altered), data[:place]):
                try:
                    parse_model(spoiled)
                except Damaged:
                    refused += 1
    assert refused > len(data)


def test_a_small_file_cannot_have_itself_copied_over_and_over() -> None:
    """1,000 entries in the list of tensors, all of them the one tensor, whose name is a megabyte long."""
    builder = flatbuffers.Builder(1 << 16)
    name = builder.CreateString("n" * 2**20)
    tensor = _table(builder, 3, name)
    graph = _table(builder, 0, _vector(builder, [tensor] * 1000))
    builder.Finish(_table(builder, 2, _vector(builder, [graph])), b"TFL3")
    with pytest.raises(Damaged, match="name the same bytes over and over"):
        parse_model(bytes(builder.Output()))


def _table(builder: Any, number: int, content: int) -> int:
    builder.StartObject(number + 1)
    builder.PrependUOffsetTRelativeSlot(number, content, 0)
    return int(builder.EndObject())


def _vector(builder: Any, entries: list[int]) -> int:
    builder.StartVector(4, len(entries), 4)
    for entry in reversed(entries):
        builder.PrependUOffsetTRelative(entry)
    return int(builder.EndVector())


def test_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    with pytest.raises(BlazeFaceError, match=r"x\.tflite: no such file"):
        read_model(path)
    path.write_bytes(model_bytes(small_model()))
    assert read_model(path).size == path.stat().st_size
    with pytest.raises(BlazeFaceError, match=r"x\.tflite: expected at most 0 MiB, found [\d,]+ bytes"):
        read_model(path, max_bytes=100)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BlazeFaceError, match=r"x\.tflite: a damaged TensorFlow Lite file: "):
        read_model(path)
