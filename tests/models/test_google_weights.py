"""Google's released networks: read, refused when altered or damaged, equal to LiteRT and to MediaPipe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from google_files import FILES, altered, first, fuse_relu, google_file, to_float32
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blazeface.backends.torch_backend import TorchBackend
from blazeface.detector import FaceDetector, prepare
from blazeface.errors import BlazeFaceError
from blazeface.models.google_weights import fingerprint, import_tflite, is_released
from blazeface.models.network import BlazeFace
from blazeface.models.weights import load_weights, save_weights

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "data" / "pictures" / "astronaut.png"
VAL = ROOT.parent / "shared" / "faces" / "WIDER_val" / "images"

# What MediaPipe 0.10.21 finds in a piece of the astronaut picture (benchmarks/peers/mediapipe_faces.py): score; x, y, width,
# height; six keypoints, in units of the piece. Its sides are odd on purpose: scaled by a round number, a warp that
# places pixels a little differently would not show.
PIECE = (slice(20, 205), slice(110, 260))
MEDIAPIPE = {
    "short-range": (
        0.9183535,
        (0.4211987, 0.2919769, 0.6781654, 0.5498086),
        (
            (0.628072, 0.44978),
            (0.9057403, 0.4541053),
            (0.76968, 0.5981109),
            (0.7653534, 0.7025744),
            (0.4747443, 0.4868686),
            (1.0432273, 0.4926778),
        ),
    ),
    "back-camera": (
        0.9008286,
        (0.4220795, 0.2959718, 0.6597007, 0.5349227),
        (
            (0.6212953, 0.4545012),
            (0.8988945, 0.4510879),
            (0.7718455, 0.5917178),
            (0.769887, 0.699847),
            (0.4725126, 0.4976543),
            (1.0266546, 0.4890216),
        ),
    ),
    "full-range-dense": (
        0.7959665,
        (0.396615, 0.2432704, 0.7421301, 0.6016973),
        (
            (0.6274097, 0.4434281),
            (0.912991, 0.4519945),
            (0.7741782, 0.6033993),
            (0.7651055, 0.7102783),
            (0.4708925, 0.4835861),
            (1.0415621, 0.498745),
        ),
    ),
}


@pytest.mark.parametrize(
    ("name", "parameters", "size", "anchors", "threshold"),
    [
        ("short-range", 101_390, 128, 896, 0.5),
        ("back-camera", 136_240, 256, 896, 0.65),
        ("full-range-dense", 514_069, 192, 2304, 0.6),
    ],
)
def test_reads_the_released_files(name: str, parameters: int, size: int, anchors: int, threshold: float) -> None:
    network = import_tflite(google_file(name))
    assert network.spec.name == name
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert (network.spec.input_size, network.spec.num_anchors) == (size, anchors)
    assert (network.spec.score_threshold, network.spec.blend_iou) == (threshold, 0.3)
    assert (network.spec.mean, network.spec.std, network.spec.resampling) == (127.5, 127.5, "corner")
    assert network.spec.decode_scale == size
    assert is_released(network) and not network.training
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


def test_the_old_name_of_short_range_holds_the_same_weights() -> None:
    old = import_tflite(google_file("face_detection_front.tflite"))
    assert fingerprint(old) == fingerprint(import_tflite(google_file("short-range")))


def litert(path: Path, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    image = np.ascontiguousarray(tensor.transpose(1, 2, 0)[None])
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    values = {detail["shape"][-1]: detail["index"] for detail in interpreter.get_output_details()}
    return interpreter.get_tensor(values[1])[0, :, 0], interpreter.get_tensor(values[16])[0]


def few_pictures() -> list[Any]:
    """The astronaut, its mirror image, a corner of it without a face; and some of val where the data is."""
    astronaut = cv2.imread(str(ASTRONAUT))
    assert astronaut is not None
    return [astronaut, astronaut[:, ::-1].copy(), astronaut[300:, :200].copy(), *val_pictures(every=600)]


def val_pictures(every: int) -> list[Any]:
    files = sorted(VAL.rglob("*.jpg"))[::every] if VAL.is_dir() else []
    return [cv2.imread(str(file)) for file in files]


def hold_against_litert(name: str, pictures: list[Any]) -> None:
    path = google_file(name)
    network = import_tflite(path)
    for picture in pictures:
        tensor, _ = prepare(picture, network.spec)
        with torch.inference_mode():
            logits, regressions = (output[0].numpy() for output in network(torch.from_numpy(tensor[None])))
        expected_logits, expected_regressions = litert(path, tensor)
        # Where no face can be, logits reach -30,000 and float32 itself is coarser than these limits.
        hopeful = expected_logits > -9.2
        np.testing.assert_allclose(logits[hopeful], expected_logits[hopeful], rtol=0, atol=5e-3)
        np.testing.assert_allclose(regressions[hopeful], expected_regressions[hopeful], rtol=0, atol=1e-3)
        for values, expected in ((logits, expected_logits), (regressions, expected_regressions)):
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("name", FILES)
def test_gives_the_numbers_of_litert(name: str) -> None:
    hold_against_litert(name, few_pictures())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_gives_the_numbers_of_litert_on_many_pictures(name: str) -> None:
    pictures = val_pictures(every=12)
    if len(pictures) < 200:
        pytest.skip("the labelled faces are not beside the repository")
    hold_against_litert(name, pictures)


@pytest.mark.parametrize("name", FILES)
def test_finds_the_face_that_mediapipe_finds(name: str, tmp_path: Path) -> None:
    save_weights(import_tflite(google_file(name)), tmp_path / "model.safetensors")
    detector = FaceDetector.from_backend(TorchBackend(tmp_path / "model.safetensors", threads=1))
    image = cv2.imread(str(ASTRONAUT))
    assert image is not None
    piece = image[PIECE]
    faces = detector.detect(piece)
    score, (x, y, width, height), keypoints = MEDIAPIPE[name]
    side = [piece.shape[1], piece.shape[0]]
    assert faces.scores.tolist() == pytest.approx([score], abs=1e-5)
    np.testing.assert_allclose(faces.boxes / (side * 2), [[x, y, x + width, y + height]], rtol=0, atol=1e-5)
    np.testing.assert_allclose(faces.keypoints / side, [keypoints], rtol=0, atol=1e-5)


def test_exported_to_onnx_it_is_a_model_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="the export extra is not installed")
    from blazeface.export.formats.onnx import export_onnx

    image: Any = cv2.imread(str(ASTRONAUT))
    export_onnx(import_tflite(google_file("short-range")), tmp_path / "short-range.onnx", [image])
    faces = FaceDetector(model=tmp_path / "short-range.onnx").detect(image[PIECE])
    score, (x, y, width, height), _ = MEDIAPIPE["short-range"]
    assert faces.scores.tolist() == pytest.approx([score], abs=1e-5)
    expected = np.array([x, y, x + width, y + height]) * [150, 185, 150, 185]
    np.testing.assert_allclose(faces.boxes, [expected], rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [to_float32, fuse_relu])
def test_reads_other_ways_to_write_the_same_network(name: str, change: Any, tmp_path: Path) -> None:
    path = altered(google_file(name), tmp_path / "other.tflite", change)
    assert is_released(import_tflite(path))


def test_weights_survive_the_safetensors_file(tmp_path: Path) -> None:
    network = import_tflite(google_file("full-range-dense"))
    save_weights(network, tmp_path / "full.safetensors")
    again = load_weights(tmp_path / "full.safetensors")
    assert fingerprint(again) == fingerprint(network)
    assert (again.spec, again.layout) == (network.spec, network.layout)


def test_tells_retrained_weights_from_the_released_ones() -> None:
    network = import_tflite(google_file("short-range"))
    bias = network.stem[0].bias
    assert isinstance(bias, torch.Tensor)
    with torch.no_grad():
        bias[0] = torch.nextafter(bias[0], torch.tensor(9.0))
    assert not is_released(network)


def wrong_stride(model: Any, schema: Any) -> None:
    first(model, schema.BuiltinOperator.DEPTHWISE_CONV_2D).builtinOptions.strideW = 2


def wrong_padding(model: Any, schema: Any) -> None:
    first(model, schema.BuiltinOperator.DEPTHWISE_CONV_2D, nth=2).builtinOptions.padding = schema.Padding.VALID


def extra_activation(model: Any, schema: Any) -> None:
    options = first(model, schema.BuiltinOperator.DEPTHWISE_CONV_2D).builtinOptions
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU


def dilation(model: Any, schema: Any) -> None:
    first(model, schema.BuiltinOperator.DEPTHWISE_CONV_2D, nth=1).builtinOptions.dilationHFactor = 2


def other_shortcut(model: Any, schema: Any) -> None:
    add = first(model, schema.BuiltinOperator.ADD, nth=1)
    add.inputs = [add.inputs[1], add.inputs[1]]


def channels_padded_in_front(model: Any, schema: Any) -> None:
    pad = first(model, schema.BuiltinOperator.PAD)
    buffer = model.buffers[model.subgraphs[0].tensors[pad.inputs[1]].buffer]
    buffer.data = np.array([[0, 0], [0, 0], [0, 0], [4, 0]], np.int32).view(np.uint8).ravel()


def maps_swapped(model: Any, schema: Any) -> None:
    joined = first(model, schema.BuiltinOperator.CONCATENATION)
    joined.inputs = joined.inputs[::-1]


def operation_behind_the_output(model: Any, schema: Any) -> None:
    graph = model.subgraphs[0]
    relu = first(model, schema.BuiltinOperator.RELU)
    graph.operators.append(
        schema.OperatorT(opcodeIndex=relu.opcodeIndex, inputs=[graph.outputs[0]], outputs=[graph.outputs[0]])
    )


def weight_not_finite(model: Any, schema: Any) -> None:
    constant = first(model, schema.BuiltinOperator.DEQUANTIZE)
    buffer = model.buffers[model.subgraphs[0].tensors[constant.inputs[0]].buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    buffer.data.view(np.float16)[0] = np.nan


def quantised(model: Any, schema: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.FLOAT16:
            tensor.type = schema.TensorType.INT8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_stride, r"expected stride \(1, 1\) at a DEPTHWISE_CONV_2D, found \(1, 2\)"),
        (wrong_padding, "expected padding SAME at a DEPTHWISE_CONV_2D, found VALID"),
        (extra_activation, "expected activation NONE at a DEPTHWISE_CONV_2D, found RELU"),
        (dilation, r"expected dilation \(1, 1\) at a DEPTHWISE_CONV_2D, found \(2, 1\)"),
        (other_shortcut, "expected one ADD of block and shortcut on its 1x64x64x28 tensor"),
        (channels_padded_in_front, r"expected padding .*\[0, 4\]\], found"),
        (maps_swapped, "from the larger to the smaller, found another order"),
        (operation_behind_the_output, "expected no operation beside the short-range network, found RELU"),
        (weight_not_finite, "expected finite weights for .*, found some that are not"),
        (quantised, "expected float16 or float32 weights at a .*, found none"),
    ],
)
def test_refuses_a_network_that_is_wired_otherwise(change: Any, message: str, tmp_path: Path) -> None:
    path = altered(google_file("short-range"), tmp_path / "altered.tflite", change)
    with pytest.raises(BlazeFaceError, match=message) as error:
        import_tflite(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "iris_landmark.tflite",
            "expected one of Google's face detectors (short-range: 1x128x128x3 to 1x896x16 and 1x896x1;"
            " back-camera: 1x256x256x3 to 1x896x16 and 1x896x1; full-range-dense: 1x192x192x3 to 1x2304x16 and"
            " 1x2304x1), found 1x64x64x3 to 1x213 and 1x15",
        ),
        (
            "face_detection_full_range_sparse.tflite",
            "expected dense weights, found a sparse model (of full range there is a dense file too)",
        ),
    ],
)
def test_refuses_other_models_of_google(file: str, message: str) -> None:
    path = google_file(file)
    with pytest.raises(BlazeFaceError, match=f"^{re.escape(f'{path}: {message}')}$"):
        import_tflite(path)


def test_says_what_is_not_a_tflite_file(tmp_path: Path) -> None:
    google_file("short-range")  # skips where the schema is not installed
    path = tmp_path / "model.tflite"
    with pytest.raises(BlazeFaceError, match="no such file"):
        import_tflite(path)
    with pytest.raises(BlazeFaceError, match="no such file"):
        import_tflite(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(BlazeFaceError, match=r"expected a TensorFlow Lite file \(TFL3 at byte 4\), found 0 bytes"):
        import_tflite(path)
    path.write_bytes(b"PK\x03\x04 a zip archive")
    with pytest.raises(BlazeFaceError, match=r"found 18 bytes with b' a z' there"):
        import_tflite(path)


def outcome(path: Path) -> BlazeFace | str:
    """The network, or the one sentence of the error; anything else fails the test."""
    try:
        return import_tflite(path)
    except BlazeFaceError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return str(error)


@settings(max_examples=25, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_refused_in_one_sentence(share: float, tmp_path: Path) -> None:
    whole = google_file("short-range").read_bytes()
    path = tmp_path / "short.tflite"
    path.write_bytes(whole[: int(share * len(whole))])
    assert isinstance(outcome(path), str)


@settings(max_examples=40, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_end_in_a_network_or_one_sentence(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(google_file("short-range").read_bytes())
    # The tables lie at both ends of the file, the weights between them, where most flips would only alter a number.
    near_the_ends = st.integers(0, 2999) | st.integers(len(content) - 40_000, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(near_the_ends)] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.tflite"
    path.write_bytes(content)
    result = outcome(path)
    if isinstance(result, BlazeFace):
        assert all(torch.isfinite(parameter).all() for parameter in result.parameters())


def test_files_are_read_without_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    path = google_file("short-range")
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    monkeypatch.setitem(__import__("sys").modules, "flatbuffers", None)
    assert is_released(import_tflite(path))
