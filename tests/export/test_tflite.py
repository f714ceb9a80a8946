"""TensorFlow Lite export: only the operators that phones take whole, same answers, whole or not at all."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_network import small_network

pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
sys.path.append(str(Path(__file__).parents[1] / "models"))

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from google_files import google_file

from blazeface.backends.tflite_backend import TfliteBackend
from blazeface.detector import FaceDetector, prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.formats import tflite as export
from blazeface.export.formats.onnx import export_onnx
from blazeface.export.formats.tflite import export_tflite, to_model, to_tflite
from blazeface.geometry import Image
from blazeface.models.google_weights import fingerprint, import_tflite
from blazeface.models.layouts import Block, Layout
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY, Origin
from blazeface.models.weights import load_weights
from blazeface.spec import METADATA_KEY, AnchorMap, ModelSpec
from blazeface.tflite.graph import read_graph
from blazeface.tflite.model import Model

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "blazeface" / "weights" / "front-128.safetensors"


def up_network() -> BlazeFace:
    """With an up-block and a block without a shortcut, which front-128 lacks."""
    spec = ModelSpec("up", 32, (AnchorMap(8, (0.2,)),), decode_scale=32.0)
    blocks = (
        Block(12, stride=2),
        Block(16, stride=2, residual=False),
        Block(8, skip_from=0),
        Block(8, feeds_head=True),
    )
    torch.manual_seed(1)
    return BlazeFace(spec, Layout(8, 5, blocks))


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 1e-2)])
def test_answers_are_pytorchs(
    precision: str, limit: float, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "small.tflite"
    differences = export_tflite(network, path, photographs, precision).differences
    assert differences
    assert 0 < differences.largest < limit and differences.pictures == 3
    batch = np.random.default_rng(2).normal(size=(2, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        logits, regressions = network.eval()(torch.from_numpy(batch))
    found_logits, found_regressions = TfliteBackend(path, threads=1).run(batch)
    tolerance = 1e-4 if precision == "float32" else 5e-2
    np.testing.assert_allclose(found_logits, logits.numpy(), atol=tolerance)
    np.testing.assert_allclose(found_regressions, regressions.numpy(), atol=tolerance)


def test_front_128_holds_these_operators_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(to_tflite(load_weights(FRONT).folded()))
    graph = read_graph(tmp_path / "x.tflite")
    # Stem, dense block, twelve single blocks, the two convolutions of the way up, two heads on each of two maps.
    assert Counter(step.name for step in graph.operations) == {
        "CONV_2D": 1 + 1 + 12 + 2 + 4,
        "DEPTHWISE_CONV_2D": 12,
        "ADD": 12 + 1,
        "MAX_POOL_2D": 2,
        "PAD": 3,
        "RESIZE_BILINEAR": 1,
        "RESHAPE": 4,
        "CONCATENATION": 2,
    }
    fused = Counter(step.name for step in graph.operations if step.options.get("activation") == "RELU")
    assert fused == {"CONV_2D": 1 + 1 + 2, "ADD": 12}
    assert {step.options["padding"] for step in graph.operations if "padding" in step.options} == {"SAME"}


def test_float16_weights_are_widened_and_half_the_size(network: BlazeFace) -> None:
    model = schema.ModelT.InitFromPackedBuf(to_tflite(network.folded(), "float16"), 0)
    kinds = Counter(model.operatorCodes[step.opcodeIndex].builtinCode for step in model.subgraphs[0].operators)
    convolutions = kinds[schema.BuiltinOperator.CONV_2D] + kinds[schema.BuiltinOperator.DEPTHWISE_CONV_2D]
    assert kinds[schema.BuiltinOperator.DEQUANTIZE] == 2 * convolutions
    float16 = [t for t in model.subgraphs[0].tensors if t.type == schema.TensorType.FLOAT16]
    held = sum(len(model.buffers[tensor.buffer].data) for tensor in float16)
    assert held == 2 * sum(parameter.numel() for parameter in network.folded().parameters())


def test_weights_lie_where_a_runtime_can_use_them_in_place(network: BlazeFace) -> None:
    data = to_tflite(network.folded())
    model = schema.Model.GetRootAsModel(data, 0)
    assert data[4:8] == b"TFL3"
    starts = []
    for index in range(model.BuffersLength()):
        table: Any = model.Buffers(index)
        if table.DataLength():
            starts.append(table._tab.Vector(table._tab.Offset(4)))
    assert len(starts) > 20 and all(start % 16 == 0 for start in starts)


def test_names_order_and_metadata_are_those_that_mediapipe_expects(
    network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "small.tflite"
    export_tflite(network, path, photographs)
    runtime = Interpreter(model_path=str(path))
    inputs = [(tensor["name"], tensor["shape"].tolist()) for tensor in runtime.get_input_details()]
    outputs = [(tensor["name"], tensor["shape"].tolist()) for tensor in runtime.get_output_details()]
    assert inputs == [("input", [1, 32, 32, 3])]
    assert outputs == [("regressors", [1, 144, 16]), ("classificators", [1, 144, 1])]
    metadata = read_graph(path).metadata
    assert metadata.keys() == {METADATA_KEY, "TFLITE_METADATA"}
    assert ModelSpec.from_json(metadata[METADATA_KEY].decode()) == network.spec
    task = metadata["TFLITE_METADATA"]
    assert task[4:8] == b"M001"
    assert task.count(np.float32(127.5).tobytes()) == 2  # mean and std


def test_the_licence_of_the_weights_goes_along(photographs: list[Image], tmp_path: Path) -> None:
    network = small_network()
    network.origin = Origin("here", "CC0", "drawings")
    export_tflite(network, tmp_path / "small.tflite", photographs)
    metadata = read_graph(tmp_path / "small.tflite").metadata
    assert Origin.from_json(metadata[ORIGIN_KEY].decode()) == Origin("here", "CC0", "drawings")


def test_same_weights_give_the_same_bytes_and_no_trace_of_the_machine(network: BlazeFace) -> None:
    data = to_tflite(network.folded())
    assert data == to_tflite(small_network().folded())
    for folder in (Path.cwd(), Path.home(), Path(sys.prefix)):
        assert f"{folder}/".encode() not in data


def test_an_up_path_and_a_block_without_shortcut(photographs: list[Image], tmp_path: Path) -> None:
    differences = export_tflite(up_network(), tmp_path / "up.tflite", photographs).differences
    assert differences and differences.largest < 1e-5
    kinds = {step.name for step in read_graph(tmp_path / "up.tflite").operations}
    assert kinds == {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "PAD", "RESHAPE", "RESIZE_BILINEAR"}


def test_same_faces_as_the_onnx_file(photographs: list[Image], tmp_path: Path) -> None:
    network = load_weights(FRONT)
    export_onnx(network, tmp_path / "x.onnx", photographs)
    export_tflite(network, tmp_path / "x.tflite", photographs)
    export_tflite(network, tmp_path / "half.tflite", photographs, "float16")
    expected = FaceDetector(tmp_path / "x.onnx").detect(photographs[0])
    assert len(expected.scores) > 0
    for name, pixels, score in (("x", 0.01, 1e-5), ("half", 1, 1e-2)):
        found = FaceDetector(tmp_path / f"{name}.tflite").detect(photographs[0])
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=pixels)
        np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=pixels)
        np.testing.assert_allclose(found.scores, expected.scores, atol=score)


def test_google_s_short_range_comes_out_as_it_went_in(photographs: list[Image], tmp_path: Path) -> None:
    source = google_file("short-range")
    network = import_tflite(source)
    export_tflite(network, tmp_path / "again.tflite", photographs, "float16")
    assert fingerprint(import_tflite(tmp_path / "again.tflite")) == fingerprint(network)
    for picture in photographs:
        planes, _ = prepare(picture, network.spec)
        answers = []
        for path in (source, tmp_path / "again.tflite"):
            runtime = Interpreter(model_path=str(path), num_threads=1)
            runtime.allocate_tensors()
            runtime.set_tensor(runtime.get_input_details()[0]["index"], planes.transpose(1, 2, 0)[None].copy())
            runtime.invoke()
            answers.append([runtime.get_tensor(tensor["index"]) for tensor in runtime.get_output_details()])
        for google, ours in zip(*answers, strict=True):
            np.testing.assert_allclose(ours, google, rtol=1e-5, atol=5e-4)


def test_a_file_that_differs_too_much_is_not_written(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"the one before")

    def unfaithful(plain: BlazeFace, precision: str, decode: bool) -> Model:
        altered = small_network().folded()
        with torch.no_grad():
            altered.get_parameter("score_heads.0.bias").add_(0.01)
        return to_model(altered, precision)

    monkeypatch.setattr(export, "to_model", unfaithful)
    with pytest.raises(BlazeFaceError, match=r"not written: LiteRT: it and PyTorch differ by more than 1e-04"):
        export_tflite(network, path, photographs)
    assert path.read_bytes() == b"the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]


def test_weights_beyond_float16_are_refused(photographs: list[Image], tmp_path: Path) -> None:
    huge = small_network()
    with torch.no_grad():
        huge.get_parameter("score_heads.0.bias")[0] = 1e5
    export_tflite(huge, tmp_path / "x.tflite", photographs)
    with pytest.raises(BlazeFaceError, match=r"y\.tflite: not written: classificators\.0\.bias .*float16"):
        export_tflite(huge, tmp_path / "y.tflite", photographs, "float16")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tflite"]


def test_a_network_without_keypoints_is_written_but_not_decoded() -> None:
    network = small_network()
    plain = BlazeFace(replace(network.spec, keypoint_names=()), network.layout).folded()
    assert to_tflite(plain)
    with pytest.raises(BlazeFaceError, match=r"^small has no keypoints, .* leave out --decode$"):
        to_tflite(plain, decode=True)
