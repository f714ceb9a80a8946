"""FaceDetector: the contract, with an ONNX file made by hand whose outputs are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface import BlazeFaceError, FaceDetector
from blazeface.anchors import anchor_centers
from blazeface.blend import hard_nms
from blazeface.detector import postprocess, prepare
from blazeface.geometry import letterbox_image
from blazeface.spec import FRONT_128, METADATA_KEY, NAMED_SPECS

onnx = pytest.importorskip("onnx")

ANCHORS = 896
CENTERS = anchor_centers(FRONT_128.anchor_maps)

ModelMaker = Callable[..., Path]


def one_face() -> tuple[np.ndarray, np.ndarray]:
    """Raw outputs of a face of logit 2 in the middle of the input, 32 x 48 input pixels large."""
    logits = np.full(ANCHORS, -20, np.float32)
    regressions = np.zeros((ANCHORS, 16), np.float32)
    anchor = 512 + 6 * (8 * 4 + 4)  # the first of the cell right below the middle of the 8 x 8 map
    x, y = 64 - 128 * CENTERS[anchor]
    logits[anchor] = 2
    regressions[anchor] = [x, y, 32, 48, x - 8, y - 8, x + 8, y - 8, *(x, y) * 4]
    return logits, regressions


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """make_model(logits, regressions, metadata=..., name=...): a network that answers so to any picture.

    To the logits it adds the mean of the picture, so that pictures of a batch can be told apart.
    """
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    folder = tmp_path_factory.mktemp("models")

    def make(
        logits: np.ndarray,
        regressions: np.ndarray,
        metadata: dict[str, str] | None = None,
        outputs: tuple[str, str] = ("logits", "regressions"),
    ) -> Path:
        count, coords = regressions.shape
        nodes = [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "one"], ["means"]),
            helper.make_node("Add", ["means", "raw_logits"], [outputs[0]]),
            helper.make_node("Mul", ["means", "zero"], ["zeros"]),
            helper.make_node("Unsqueeze", ["zeros", "one"], ["flat"]),
            helper.make_node("Add", ["flat", "raw_regressions"], [outputs[1]]),
        ]
        constants = {
            "axes": np.array([1, 2, 3]),
            "one": np.array([1]),
            "zero": np.array(0, np.float32),
            "raw_logits": logits[None],
            "raw_regressions": regressions[None],
        }
        float32 = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            nodes,
            "known",
            [helper.make_tensor_value_info("image", float32, ["batch", 3, 128, 128])],
            [
                helper.make_tensor_value_info(outputs[0], float32, ["batch", count]),
                helper.make_tensor_value_info(outputs[1], float32, ["batch", count, coords]),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        for key, value in ({METADATA_KEY: FRONT_128.to_json()} if metadata is None else metadata).items():
            model.metadata_props.add(key=key, value=value)
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture(scope="module")
def known(make_model: ModelMaker) -> FaceDetector:
    return FaceDetector(make_model(*one_face()))


def grey(height: int, width: int, value: int = 127) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_a_face_in_pixels_of_the_picture(known: FaceDetector) -> None:
    faces = known.detect(grey(256, 512))  # four picture pixels to an input pixel, bars above and below
    assert faces.boxes.tolist() == [[192, 32, 320, 224]]
    assert faces.keypoints.tolist() == [[[224, 96], [288, 96], [256, 128], [256, 128], [256, 128], [256, 128]]]
    assert {part.dtype for part in (faces.boxes, faces.scores, faces.keypoints)} == {np.dtype(np.float32)}
    mean = -0.5 / 127.5 / 2 - 0.5  # half of the input is the bars, black as -1
    assert faces.scores[0] == pytest.approx(1 / (1 + np.exp(-(2 + mean))), abs=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (127, 129), (128, 128), (720, 1280)])
def test_any_size_from_one_pixel_up(known: FaceDetector, size: tuple[int, int]) -> None:
    faces = known.detect(grey(*size, 255))
    assert len(faces) == 1
    height, width = size
    x1, y1, x2, y2 = faces.boxes[0]
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == (
        pytest.approx(width / 2, abs=0.51),
        pytest.approx(height / 2, abs=0.51),
    )


def test_a_batch_gives_the_same_answers_as_one_by_one(known: FaceDetector) -> None:
    pictures = [grey(100, 200, 250), grey(50, 50, 0), grey(300, 10, 90)]
    together = known.detect_batch(pictures)
    assert len({float(faces.scores[0]) for faces in together if len(faces)}) >= 2
    for picture, faces in zip(pictures, together, strict=True):
        alone = known.detect(picture)
        np.testing.assert_array_equal(alone.boxes, faces.boxes)
        np.testing.assert_array_equal(alone.scores, faces.scores)
    assert known.detect_batch([]) == []


def test_parts_of_other_pictures_are_read_in_place(known: FaceDetector) -> None:
    """A view (a crop, a mirror image) is as good as a picture of its own."""
    wide = np.random.default_rng(0).integers(0, 255, (90, 200, 3), np.uint8)
    for view in (wide[10:80, 20:90], wide[::-1], wide[:, ::2], np.asfortranarray(wide)):
        expected = known.detect(np.ascontiguousarray(view))
        np.testing.assert_array_equal(known.detect(view).scores, expected.scores)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(known: FaceDetector, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="image must be a BGR uint8 array"):
        known.detect(image)


def test_blue_comes_last_in_the_networks_input() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, :] = (255, 0, 51)  # blue, green, red
    tensor, _ = prepare(image, FRONT_128)
    assert tensor.shape == (3, 128, 128)
    np.testing.assert_allclose(tensor[:, 5, 7], [51 / 127.5 - 1, -1, 1], atol=1e-6)


def test_the_threshold_is_the_models_own_unless_given(make_model: ModelMaker) -> None:
    logits, regressions = one_face()
    logits[0], regressions[0, 2:4] = 0.2, 10  # a second face, score about .43 on a grey picture
    path = make_model(logits, regressions)
    picture = grey(128, 128, 64)
    assert FaceDetector(path).score_threshold == 0.5
    assert len(FaceDetector(path).detect(picture)) == 1
    assert len(FaceDetector(path, score_threshold=0.3).detect(picture)) == 2
    assert len(FaceDetector(path, score_threshold=0.99).detect(picture)) == 0


def test_overlapping_candidates_are_blended_or_the_best_is_kept(make_model: ModelMaker) -> None:
    logits, regressions = one_face()
    best = int(logits.argmax())
    logits[best + 1] = logits[best] - 1
    regressions[best + 1] = regressions[best]
    regressions[best + 1, 0] += 6
    path = make_model(logits, regressions)
    blended, kept = FaceDetector(path), FaceDetector(path, reduce=hard_nms)
    picture = grey(128, 128)
    assert kept.detect(picture).boxes[0, 0] == pytest.approx(48, abs=1e-4)
    shift = blended.detect(picture).boxes[0, 0] - 48
    first, second = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))
    assert shift == pytest.approx(6 * second / (first + second), abs=0.01)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_impossible_flags(make_model: ModelMaker, value: float) -> None:
    path = make_model(*one_face())
    with pytest.raises(BlazeFaceError, match="score_threshold must lie in"):
        FaceDetector(path, score_threshold=value)
    with pytest.raises(BlazeFaceError, match="threads must be a whole number, 0 or more"):
        FaceDetector(path, threads=-1)
    with pytest.raises(BlazeFaceError, match="unknown backend 'abacus'"):
        FaceDetector(path, backend="abacus")


def test_files_that_are_no_model_of_ours(make_model: ModelMaker, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "empty.onnx").touch()
    logits, regressions = one_face()
    for path, message in (
        (tmp_path / "missing.onnx", "no such model file"),
        (tmp_path / "text.onnx", "a damaged ONNX file, or none"),
        (tmp_path / "empty.onnx", "is empty"),
        (make_model(logits, regressions, metadata={}), "was not exported by blazeface"),
        (make_model(logits, regressions, metadata={METADATA_KEY: "{"}), "ModelSpec metadata cannot be read"),
        (make_model(logits[:100], regressions[:100]), "its ModelSpec promises"),
        (make_model(logits, regressions, outputs=("scores", "boxes")), "its ModelSpec promises"),
    ):
        with pytest.raises(BlazeFaceError, match=message) as caught:
            FaceDetector(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


EXTREMES = [0.0, -1.0, 10.0, 300.0, 1e5, 1e7, 3e38, -3e38, float("inf"), float("-inf"), float("nan")]


@pytest.mark.filterwarnings("error")
@given(
    st.lists(st.tuples(st.integers(0, ANCHORS - 1), st.sampled_from(EXTREMES)), max_size=20),
    st.lists(st.tuples(st.integers(0, ANCHORS - 1), st.integers(0, 15), st.sampled_from(EXTREMES)), max_size=40),
    st.tuples(st.sampled_from([1, 100, 5000]), st.sampled_from([1, 100, 5000])),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_no_output_of_a_damaged_network_gets_through(
    logits: list[tuple[int, float]],
    values: list[tuple[int, int, float]],
    size: tuple[int, int],
    threshold: float,
) -> None:
    """Whatever a network says, infinities and NaN included, the result is a sound Detections."""
    raw_logits = np.full(ANCHORS, -1, np.float32)
    regressions = np.tile(np.array([0, 0, 20, 20] + [0] * 12, np.float32), (ANCHORS, 1))
    for anchor, value in logits:
        raw_logits[anchor] = value
    for anchor, coordinate, value in values:
        regressions[anchor, coordinate] = value
    _, letterbox = letterbox_image(np.zeros((*size, 3), np.uint8), 128)
    faces = postprocess(raw_logits, regressions, letterbox, FRONT_128, CENTERS, threshold)
    assert np.isfinite(faces.boxes).all()
    assert (faces.boxes[:, 2:] > faces.boxes[:, :2]).all()
    assert (faces.scores >= threshold - 1e-6).all()


def test_values_that_would_overflow_are_dropped() -> None:
    _, letterbox = letterbox_image(np.zeros((4000, 100, 3), np.uint8), 128)
    for coordinate in (2, 4):
        logits, regressions = one_face()
        regressions[logits.argmax(), coordinate] = 3e38
        assert len(postprocess(logits, regressions, letterbox, FRONT_128, CENTERS, 0.5)) == 0


@pytest.mark.parametrize("name", sorted(NAMED_SPECS))
def test_a_name_finds_its_shipped_weights_or_says_there_are_none(name: str) -> None:
    try:
        detector: Any = FaceDetector(name)
    except BlazeFaceError as error:
        assert str(error).startswith(f"no weights for {name} are shipped")
    else:
        assert detector.spec.name == name
