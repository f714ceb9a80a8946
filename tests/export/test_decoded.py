"""Files with normalisation, decoding and suppression inside, against the code that does it outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import as_pictures, as_raw, in_batches_of
from blazeface.backends.onnx_backend import OnnxBackend
from blazeface.blend import hard_nms
from blazeface.decode import decode, sigmoid
from blazeface.detector import prepare
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats.onnx_decode import add_decoding
from blazeface.export.make import export_network
from blazeface.export.verify import inference_copy
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.spec import METADATA_KEY, ModelSpec


def square(network: BlazeFace, photographs: list[Image]) -> np.ndarray:
    return np.stack([prepare(picture, network.spec)[0] for picture in photographs])


def by_hand(network: BlazeFace, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, keypoints, scores by PyTorch and `blazeface.decode`."""
    with torch.no_grad():
        logits, regressions = inference_copy(network)(torch.from_numpy(batch))
    centers = anchor_centers(network.spec.anchor_maps)
    each = [decode(row, centers, network.spec.decode_scale) for row in regressions.numpy()]
    return (
        np.stack([boxes for boxes, _ in each]),
        np.stack([points for _, points in each]),
        sigmoid(logits.numpy()),
    )


def test_pictures_come_back_as_they_were(network: BlazeFace) -> None:
    values = np.arange(256, dtype=np.uint8)
    picture = np.broadcast_to(values.reshape(16, 16, 1), (16, 16, 3)).copy()
    picture[..., 2] = picture[..., 2].T
    spec = replace(network.spec, input_size=16)
    found = as_pictures(prepare(picture, spec)[0][None], spec)
    np.testing.assert_array_equal(found[0], picture[:, :, ::-1])  # RGB
    assert found.dtype == np.uint8 and found.shape == (1, 16, 16, 3)


def test_raw_values_come_back_as_they_were(network: BlazeFace) -> None:
    spec, rng = network.spec, np.random.default_rng(0)
    logits = rng.uniform(-10, 10, size=(2, 144)).astype(np.float32)
    regressions = rng.normal(0, 20, size=(2, 144, 16)).astype(np.float32)
    centers = anchor_centers(spec.anchor_maps)
    each = [decode(row, centers, spec.decode_scale) for row in regressions]
    boxes, points = np.stack([b for b, _ in each]), np.stack([p for _, p in each])
    found = as_raw(boxes, points, sigmoid(logits), centers, spec)
    np.testing.assert_allclose(found[0], logits, atol=0.01)
    np.testing.assert_allclose(found[1], regressions, atol=1e-4)
    sure, _ = as_raw(boxes[:1], points[:1], np.array([[0, 1] * 72], np.float32), centers, spec)
    assert sigmoid(sure[0, :2]).tolist() == pytest.approx([0, 1])


def test_batches_of_a_fixed_size_are_filled_up() -> None:
    sizes = []

    def run(part: np.ndarray) -> tuple[np.ndarray, ...]:
        sizes.append(len(part))
        return part.sum(axis=1), part * 2

    batch = np.arange(14, dtype=np.float32).reshape(7, 2)
    sums, doubled = in_batches_of(3, run, batch)
    assert sizes == [3, 3, 3]
    np.testing.assert_array_equal(sums, batch.sum(axis=1))
    np.testing.assert_array_equal(doubled, batch * 2)


@pytest.fixture(scope="module")
def suppressed(network: BlazeFace, photographs: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nms") / "x.onnx"
    export_network(network, path, "onnx", Options(batch=None, decode=True, nms=True), photographs)
    return path


def test_an_onnx_file_suppresses_as_hard_nms_does(
    suppressed: Path, network: BlazeFace, photographs: list[Image]
) -> None:
    batch = square(network, photographs)
    boxes, points, scores = by_hand(network, batch)
    session = onnxruntime.InferenceSession(str(suppressed))
    names = [output.name for output in session.get_outputs()]
    assert names == ["boxes", "keypoints", "scores", "picture"]
    found = dict(zip(names, session.run(names, {"image": as_pictures(batch, network.spec)}), strict=True))
    assert len(found["scores"]) > 3
    for i in range(3):
        sound = (scores[i] >= 0.5) & (boxes[i][:, 2:] > boxes[i][:, :2]).all(axis=1)
        expected = hard_nms(boxes[i][sound], scores[i][sound], points[i][sound], 0.3)
        mine = found["picture"] == i
        for name, values in zip(("boxes", "scores", "keypoints"), expected, strict=True):
            np.testing.assert_allclose(found[name][mine], values, atol=1e-5)
    with pytest.raises(BlazeFaceError, match=r"exported with --nms .* export it without --nms"):
        OnnxBackend(suppressed, 1)


def test_an_onnx_file_says_what_it_takes(suppressed: Path, network: BlazeFace) -> None:
    model = onnx.load(suppressed)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["blazeface.image"] == "NHWC uint8 RGB"
    assert properties["blazeface.nms"] == "score >= 0.5, IoU <= 0.3"
    assert ModelSpec.from_json(properties[METADATA_KEY]) == network.spec
    assert "uint8, RGB" in model.doc_string
    (image,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["batch", 32, 32, 3]
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_a_wrong_decoding_is_noticed(
    network: BlazeFace, photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfaithful(model: onnx.ModelProto, spec: ModelSpec, nms: bool) -> onnx.ModelProto:
        return add_decoding(model, replace(spec, decode_scale=spec.decode_scale * 1.01), nms)

    monkeypatch.setattr("blazeface.export.formats.onnx.add_decoding", unfaithful)
    with pytest.raises(BlazeFaceError, match=r"x\.onnx: not written: onnxruntime: it and PyTorch differ"):
        export_network(network, tmp_path / "x.onnx", "onnx", Options(decode=True), photographs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("precision", "batch"), [("float32", 1), ("float16", 2)])
def test_a_tflite_file_decodes_with_these_operators_and_no_other(
    precision: str, batch: int, network: BlazeFace, photographs: list[Image], tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the tflite extra is not installed")
    from blazeface.backends.tflite_backend import TfliteBackend
    from blazeface.tflite.graph import read_graph

    path = tmp_path / "x.tflite"
    export_network(network, path, "tflite", Options(precision, batch, decode=True), photographs)
    graph = read_graph(path)
    added = {"DEQUANTIZE", "LOGISTIC"}
    plain = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "PAD", "RESHAPE", "CONCATENATION"}
    assert {step.name for step in graph.operations} == plain | added
    assert sum(step.name == "DEQUANTIZE" for step in graph.operations) == 1  # the weights' are not counted
    assert graph.metadata["blazeface.image"] == b"NHWC uint8 RGB"
    tensors = square(network, photographs)
    found = TfliteBackend(path, 1)._invoke(as_pictures(tensors[:batch], network.spec))
    for ours, expected in zip(found, by_hand(network, tensors[:batch]), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5 if precision == "float32" else 1e-2)
