"""Figures of files: ours, Google's, and files with what ours never have; damage in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.inspection import open_model
from blazeface.tflite.gpu_delegate import refusals, undocumented
from blazeface.tflite.gpu_operators import DOCUMENTED
from blazeface.tflite.gpu_operators import OPERATORS as GPU_OPERATORS
from blazeface.tflite.names import DTYPES, OPERATORS

sys.path.append(str(Path(__file__).parents[1] / "models"))

from google_files import altered, google_file

FRONT = Path(__file__).parents[2] / "blazeface" / "weights" / "front-128.onnx"


def made(
    path: Path, nodes: list[object], inputs: dict[str, object], held: dict[str, object], **extra: object
) -> Path:
    """An ONNX file of float32 tensors; its output is "y"."""
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = make.make_graph(
        nodes,
        "made",
        [make.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [make.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    opsets = [make.make_opsetid("", 18), make.make_opsetid("elsewhere", 1)]
    path.write_bytes(make.make_model(graph, opset_imports=opsets, **extra).SerializeToString())
    return path


def floats(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("short-range", 101_390, 30_760_960),
        ("back-camera", 136_240, 188_749_824),
        ("full-range-dense", 514_069, 105_671_232),
    ],
)
def test_googles_networks_cost_what_is_known_of_them(name: str, parameters: int, macs: int) -> None:
    model = open_model(google_file(name))
    assert (model.parameters, model.macs, model.uncounted) == (parameters, macs, [])
    assert refusals(model) == [] and undocumented(model) == ["DEQUANTIZE"]
    assert [tensor.dtype for tensor in model.graphs[0].tensors[:1]] == ["float32"]


def test_front_128_and_the_same_network_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    from torch.utils.flop_counter import FlopCounterMode

    from blazeface.models.weights import load_weights

    model = open_model(FRONT)
    network = load_weights(FRONT.with_suffix(".safetensors")).folded().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 128, 128))
    # Shortcuts that append channels cost the file nothing (see export/formats/onnx_shortcuts.py).
    assert counter.get_total_flops() // 2 == 34_523_136 == model.macs
    graph = model.graphs[0]
    assert [graph.tensors[number].shape for number in (*graph.inputs, *graph.outputs)] == [
        ("batch", 3, "height", "width"),
        ("batch", "anchors"),
        ("batch", "anchors", 16),
    ]
    assert json.loads(model.metadata["blazeface.spec"])["name"] == "front-128"
    # Free height and width are all that a phone's GPU would not take; the .tflite file has fixed ones.
    assert {refusal.about for refusal in refusals(model)} == {"shape"} and undocumented(model) == ["Transpose"]


@pytest.mark.parametrize("layer", ["conv", "depthwise", "grouped", "transposed", "linear"])
def test_each_rule_counts_as_pytorch_does(layer: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    modules: dict[str, Any] = {
        "conv": nn.Conv2d(6, 10, 3, stride=2, padding=1),
        "depthwise": nn.Conv2d(6, 6, 5, padding=2, groups=6),
        "grouped": nn.Conv2d(6, 9, 3, groups=3),
        "transposed": nn.ConvTranspose2d(6, 4, 3, stride=2),
        "linear": nn.Linear(20, 7),
    }
    module = modules[layer]
    shape = [2, 20] if layer == "linear" else [1, 6, 20, 24]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(shape))
    weight, bias = (module.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
    if layer == "linear":
        node = onnx.helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    else:
        numbers = {"strides": module.stride, "pads": [*module.padding, *module.padding], "group": module.groups}
        node = onnx.helper.make_node(
            "ConvTranspose" if layer == "transposed" else "Conv", ["x", "w", "b"], ["y"], **numbers
        )
    model = open_model(made(tmp_path / "x.onnx", [node], {"x": shape}, {"w": weight, "b": bias}))
    assert model.macs == counter.get_total_flops() // 2
    assert model.parameters == sum(value.numel() for value in module.parameters())


def test_matrix_products_branches_and_foreign_operators(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    node = onnx.helper.make_node
    branch = onnx.helper.make_graph(
        [node("MatMul", ["x", "w"], ["t"])], "then", [], [onnx.helper.make_tensor_value_info("t", 1, None)]
    )
    other = onnx.helper.make_graph(
        [node("Identity", ["x"], ["e"])], "else", [], [onnx.helper.make_tensor_value_info("e", 1, None)]
    )
    nodes = [
        node("Constant", [], ["yes"], value=onnx.numpy_helper.from_array(np.array(True))),
        node("If", ["yes"], ["z"], then_branch=branch, else_branch=other, name="choice"),
        node("Odd", ["z"], ["u"], domain="elsewhere"),
        node("Sin", ["u"], ["y"]),
    ]
    model = open_model(made(tmp_path / "x.onnx", nodes, {"x": [5, 4, 8]}, {"w": floats(8, 3)}))
    assert model.graphs[0].name == "main"
    names = {"main / choice: then_branch", "main / choice: else_branch"}
    assert {graph.name for graph in model.graphs[1:]} == names
    assert (model.macs, model.parameters, model.uncounted) == (5 * 4 * 3 * 8, 24, ["elsewhere.Odd"])
    assert {(refusal.layer.operator, refusal.about) for refusal in refusals(model)} == {
        *(("If", "operator"), ("elsewhere.Odd", "operator")),
        *(("MatMul", "operator"), ("Identity", "operator")),
    }


def test_open_shapes_are_not_guessed(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    model = open_model(made(tmp_path / "x.onnx", [node], {"x": ["n", 3, "h", "w"]}, {"w": floats(4, 3, 3, 3)}))
    assert (model.macs, model.uncounted, model.parameters) == (0, ["Conv"], 108)
    assert refusals(model)[0].reason.startswith("tensor 'x' has an open shape, (n, 3, h, w)")


def test_weights_beside_the_file_are_measured_and_others_not_followed(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    path = made(tmp_path / "x.onnx", [node], {"x": [1, 3, 8, 8]}, {"w": floats(4, 3, 3, 3)})
    for place, expected in (("x.data", 432), ("../secret", 0), ("/etc/passwd", 0)):
        model = onnx.load(str(path), load_external_data=False)
        weights = model.graph.initializer[0]
        weights.data_location = onnx.TensorProto.EXTERNAL
        del weights.external_data[:]
        weights.external_data.add(key="location", value=place)
        (tmp_path / "x.data").write_bytes(b"\0" * 432)
        (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
        found = open_model(tmp_path / "other.onnx")
        assert found.external == {place: expected}
        assert found.macs == 4 * 6 * 6 * 27


def test_what_a_gpu_would_refuse_is_said_with_the_reason(tmp_path: Path) -> None:
    def change(model: object, schema: object) -> None:
        graph = model.subgraphs[0]  # type: ignore[attr-defined]
        first = graph.operators[-1]  # a concatenation
        model.operatorCodes[first.opcodeIndex].deprecatedBuiltinCode = 32  # type: ignore[attr-defined]
        model.operatorCodes[first.opcodeIndex].builtinCode = 32  # type: ignore[attr-defined]
        model.operatorCodes[first.opcodeIndex].customCode = b"Odd\x1b[2J"  # type: ignore[attr-defined]
        reshape = next(step for step in graph.operators if len(graph.tensors[step.outputs[0]].shape) == 3)
        graph.tensors[reshape.outputs[0]].shape = [1, 1, 1, 512, 1]
        pool = next(
            step for step in graph.operators if graph.tensors[step.outputs[0]].name.startswith(b"max_pool")
        )
        graph.tensors[pool.outputs[0]].type = schema.TensorType.INT64  # type: ignore[attr-defined]

    model = open_model(altered(google_file("short-range"), tmp_path / "odd.tflite", change))
    found = {(refusal.layer.operator, refusal.about) for refusal in refusals(model)}
    assert {("CUSTOM:Odd\x1b[2J", "operator"), ("RESHAPE", "rank"), ("MAX_POOL_2D", "dtype")} <= found
    assert model.uncounted == ["CUSTOM:Odd\x1b[2J"]


def test_the_tables_of_names_are_the_schemas() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the tflite extra is not installed")
    for names, numbers in ((OPERATORS, schema.BuiltinOperator), (DTYPES, schema.TensorType)):
        expected = {value: name for name, value in vars(numbers).items() if isinstance(value, int)}
        assert [name.upper() for name in names] == [expected[i] for i in range(len(names))]
    assert set(OPERATORS) >= set(GPU_OPERATORS) >= DOCUMENTED


@pytest.mark.parametrize("name", ["x.tflite", "x.onnx"])
def test_files_cut_short_and_turned_over_end_in_one_sentence(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    source = google_file("short-range") if name.endswith("tflite") else FRONT
    data = source.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / name
    refused = 0
    for round_ in range(60):
        damaged = bytearray(data[: int(rng.integers(0, len(data)))] if round_ % 2 else data)
        for place in rng.integers(0, max(1, len(damaged)), 200):
            if damaged and round_ % 2 == 0:
                damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            model = open_model(path)
            refusals(model)
        except BlazeFaceError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 5


def test_the_command_prints_words_or_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = google_file("short-range")
    assert run_command("inspect", [str(path), "--layers"]) == 0
    text = capsys.readouterr().out
    assert "parameters 101,390" in text and "LiteRT's GPU delegate takes all 164 operators" in text
    assert run_command("inspect", [str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["macs"] == sum(layer["macs"] for layer in told["graphs"][0]["layers"]) == 30_760_960
    assert told["operators"]["CONV_2D"] == 21 and told["gpu_delegate"]["takes_all"] is True
    (tmp_path / "x.tflite").write_bytes(b"not a model at all")
    assert run_command("inspect", [str(tmp_path / "x.tflite")]) == 1
    assert "expected a TensorFlow Lite file (TFL3 at byte 4)" in capsys.readouterr().err
