"""Cutting faces out for the second stage, the way back, and files that are none of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from no_search import NoSearch

from blazeface.crop import CropSpec, cut, face_matrix, normalised
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image, inverse_map, map_points, view_matrix
from blazeface.refine import KeypointRefiner, RefinedDetector
from blazeface.spec import KEYPOINT_NAMES

WEIGHTS = Path(__file__).parents[1] / "blazeface" / "weights"
FACE_BOX = np.array([10, 20, 50, 60], np.float32)
LEVEL = np.array([[20, 35], [40, 35], [30, 42], [30, 50], [12, 38], [48, 38]], np.float32)


def test_a_level_face_is_scaled_and_shifted_only() -> None:
    matrix = face_matrix(FACE_BOX, LEVEL, CropSpec(size=64, context=2.0))
    # 80 pixels around (30, 40) become 64.
    np.testing.assert_allclose(matrix, [[0.8, 0, 8], [0, 0.8, 0]], atol=1e-9)


def test_eyes_come_out_level() -> None:
    turned = LEVEL.copy()
    turned[:2] = np.array([[25, 30], [35, 47.32]])  # the left eye 60 degrees lower
    eyes = map_points(face_matrix(FACE_BOX, turned, CropSpec()), turned[:2])
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3) and eyes[0, 0] < eyes[1, 0]


@given(
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.floats(1, 2000),
    st.floats(-4, 4),
    st.integers(8, 256),
)
def test_there_and_back(center: tuple[float, float], side: float, angle: float, size: int) -> None:
    matrix = view_matrix(np.array(center), side, angle, size)
    points = np.array([[0.0, 0], [3, 700], [-20, 15]])
    np.testing.assert_allclose(map_points(inverse_map(matrix), map_points(matrix, points)), points, atol=1e-6)
    np.testing.assert_allclose(map_points(matrix, np.array([center])), [[size / 2, size / 2]], atol=1e-6)


def test_points_at_one_place_are_no_direction() -> None:
    same = np.tile(LEVEL[:1], (6, 1))
    assert face_matrix(FACE_BOX, same, CropSpec())[0, 1] == 0
    flat = np.array([10, 20, 10, 60], np.float32)
    assert np.isfinite(face_matrix(flat, LEVEL, CropSpec())).all()


@pytest.mark.parametrize("side", [32.0, 100.0, 400.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, math.pi])
def test_what_is_cut_lies_where_the_matrix_says(side: float, angle: float) -> None:
    """A bright blob in the picture is found in the crop at the mapped place, to a tenth of a crop pixel."""
    place = np.array([231.3, 187.8]) + 0.2 * side * np.array([math.cos(1), math.sin(1)])
    y, x = np.mgrid[:400, :400] + 0.5
    width = max(1.0, side / 16)
    blob = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * width**2))
    image = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, axis=2)
    matrix = view_matrix(np.array([231.3, 187.8]), side, angle, 32)
    crop = cut(image, matrix, 32)[..., 0].astype(float)
    y, x = np.mgrid[:32, :32] + 0.5
    found = [(crop * x).sum() / crop.sum(), (crop * y).sum() / crop.sum()]
    np.testing.assert_allclose(found, map_points(matrix, place), atol=0.1)


def test_beyond_the_picture_all_is_black() -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    crop = cut(image, view_matrix(np.array([-20.0, 5]), 10, 0.0, 16), 16)
    assert crop.shape == (16, 16, 3) and crop.max() == 0


def test_normalised_is_rgb_planes() -> None:
    crop = np.zeros((1, 8, 8, 3), np.uint8)
    crop[..., 0], crop[..., 2] = 255, 51  # blue, red
    planes = normalised(crop, CropSpec(size=8))
    assert planes.shape == (1, 3, 8, 8) and planes.dtype == np.float32
    assert planes[0, :, 0, 0].tolist() == pytest.approx([-0.6, -1.0, 1.0])


def test_a_spec_finds_back_and_a_damaged_one_is_one_sentence() -> None:
    spec = CropSpec(size=48, context=1.7)
    assert CropSpec.from_json(spec.to_json(), "x") == spec
    for text in (
        "",
        "[]",
        '{"size": 4}',
        '{"size": 64.0}',
        '{"context": null}',
        '{"std": 0}',
        '{"colour": 1}',
        '{"mean": NaN}',
        f'{{"std": 1{"0" * 400}}}',
    ):
        with pytest.raises(BlazeFaceError, match="file: its crop metadata cannot be read"):
            CropSpec.from_json(text, "file")


def test_files_that_are_no_second_stage(tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match="no such model file"):
        KeypointRefiner(tmp_path / "none.onnx")
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(BlazeFaceError, match=r"junk\.onnx: a damaged ONNX file, or none"):
        KeypointRefiner(tmp_path / "junk.onnx")
    with pytest.raises(BlazeFaceError, match=r"front-128\.onnx: it has no blazeface\.refine metadata"):
        KeypointRefiner(WEIGHTS / "front-128.onnx")


class Middle(KeypointRefiner):
    """Finds every keypoint in the middle of its crop, or at a place that is no number."""

    def __init__(self, value: float = 0.5):
        self.spec, self.value = CropSpec(), value

    def run(self, batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 6, 2), self.value, np.float32)


class TwoFaces(NoSearch):
    def detect(self, image: Image) -> Detections:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        boxes = np.stack([FACE_BOX, FACE_BOX + 30])
        faces = Detections(
            boxes, np.array([0.9, 0.6], np.float32), np.stack([LEVEL, LEVEL + 30]), np.array([4, 7])
        )
        return [faces if image.any() else Detections.empty() for image in images]


def test_keypoints_are_exchanged_and_all_else_stays() -> None:
    images = [np.full((100, 100, 3), 90, np.uint8), np.zeros((50, 50, 3), np.uint8)]
    plain = TwoFaces().detect_batch(images)
    found = RefinedDetector(TwoFaces(), Middle()).detect_batch(images)
    assert len(found[1]) == 0
    np.testing.assert_array_equal(found[0].boxes, plain[0].boxes)
    np.testing.assert_array_equal(found[0].scores, plain[0].scores)
    assert found[0].track_ids is not None and found[0].track_ids.tolist() == [4, 7]
    np.testing.assert_allclose(found[0].keypoints[0], np.tile([30.0, 40.0], (6, 1)), atol=1e-3)
    np.testing.assert_allclose(found[0].keypoints[1], np.tile([60.0, 70.0], (6, 1)), atol=1e-3)
    assert len(RefinedDetector(TwoFaces(), Middle()).detect(images[0])) == 2


def test_what_is_no_number_leaves_the_detectors_keypoints() -> None:
    image = np.full((100, 100, 3), 90, np.uint8)
    found = RefinedDetector(TwoFaces(), Middle(float("nan"))).detect(image)
    np.testing.assert_array_equal(found.keypoints[0], LEVEL)


class OtherPoints(TwoFaces):
    """Left eye, chin and right eye, of which the second stage needs the eyes."""

    spec = replace(TwoFaces.spec, keypoint_names=("left_eye", "chin", "right_eye"))

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        return [
            Detections(faces.boxes, faces.scores, faces.keypoints[:, [1, 3, 0]], faces.track_ids)
            for faces in super().detect_batch(images)
        ]


class Level(Middle):
    """A point to the right of the middle, in each crop."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        return super().run(batch) + np.array([0.25, 0.0], np.float32)


def test_another_networks_eyes_are_found_by_name_and_six_keypoints_come_out() -> None:
    images = [np.full((100, 100, 3), 90, np.uint8), np.zeros((50, 50, 3), np.uint8)]
    usual = RefinedDetector(TwoFaces(), Level()).detect_batch(images)
    detector = RefinedDetector(OtherPoints(), Level())
    assert detector.spec.keypoint_names == KEYPOINT_NAMES
    found = detector.detect_batch(images)
    np.testing.assert_allclose(found[0].keypoints, usual[0].keypoints)
    assert found[1].keypoints.shape == (0, 6, 2)


def test_a_network_without_eyes_is_refused() -> None:
    class Noses(TwoFaces):
        spec = replace(TwoFaces.spec, name="noses", keypoint_names=("nose_tip",))

    with pytest.raises(BlazeFaceError, match=r"^noses finds no right_eye and left_eye, and without them"):
        RefinedDetector(Noses(), Middle())
