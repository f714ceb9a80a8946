"""Aligned crops: eyes level, whatever the turn, size and place of a face."""

import runpy
from fractions import Fraction
from pathlib import Path, PurePath

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blazeface import FaceDetector
from blazeface.detections import Detections
from blazeface.files.pictures import read_picture
from blazeface.sinks.crops import PLACES, CropFolder, aligned_crop, alignment
from blazeface.sources.frames import Frame

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "data" / "pictures" / "astronaut.png"
POINTS = np.array(runpy.run_path(str(ROOT / "tools" / "make_pictures.py"))["KEYPOINTS"], np.float64)
BOX = np.array([170, 65, 280, 200], np.float32)


def box_of(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)


def placed(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


@given(st.floats(-3.1, 3.1), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_a_frontal_face_lands_on_its_places(turn: float, scale: float, x: float, y: float) -> None:
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = 100 * PLACES @ rotation.T + np.array([x, y])
    found = placed(alignment(box_of(points), points.astype(np.float32)), points)
    np.testing.assert_allclose(found, PLACES, atol=2e-3)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=6, max_size=6))
def test_eyes_are_level_and_the_matrix_is_a_similarity(points: list[tuple[float, float]]) -> None:
    keypoints = np.array(points, np.float32)
    matrix = alignment(np.array([0, 0, 100, 100], np.float32), keypoints)
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(
        matrix[:, :2] @ matrix[:, :2].T, np.eye(2) * np.linalg.det(matrix[:, :2]), atol=1e-9
    )
    right, left = placed(matrix, keypoints[:2].astype(np.float64))
    if np.hypot(*(keypoints[1] - keypoints[0])) > 10.1:
        assert right[1] == pytest.approx(left[1], abs=1e-4)
        assert right[0] < left[0]


@pytest.mark.parametrize(
    ("names", "angle"),
    [
        ((), 0.0),
        (("nose_tip",), 0.0),
        (("p0", "p1"), 0.0),
        (("left_eye", "right_eye"), -45.0),
        (("right_eye", "left_eye", "nose_tip"), 135.0),
    ],
)
def test_without_all_four_points_the_box_places_a_face_and_its_eyes_level_it(
    names: tuple[str, ...], angle: float
) -> None:
    """The first point lies 40 to the right of and below the second."""
    keypoints = np.array([[170, 170], [130, 130], [150, 150]], np.float32)[: len(names)]
    matrix = alignment(np.array([100, 100, 200, 200], np.float32), keypoints, names)
    np.testing.assert_allclose(placed(matrix, np.array([150.0, 150.0])), [0.5, 0.56], atol=1e-9)
    assert np.hypot(*matrix[:, 0]) == pytest.approx(0.006)
    assert np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) == pytest.approx(angle)


@pytest.mark.parametrize("degrees", [0, 25, 140])
def test_a_turned_picture_gives_the_same_crop(degrees: int) -> None:
    image = read_picture(str(ASTRONAUT))
    upright = aligned_crop(image, BOX, POINTS.astype(np.float32))
    matrix = cv2.getRotationMatrix2D((256, 256), degrees, 0.8)
    turned = np.asarray(cv2.warpAffine(image, matrix, (512, 512), flags=cv2.INTER_AREA), np.uint8)
    points = placed(matrix, POINTS - 0.5) + 0.5  # OpenCV counts from pixel centres
    crop = aligned_crop(turned, box_of(points), points.astype(np.float32))
    assert crop.shape == (256, 256, 3)
    middle = slice(40, 216)
    assert np.abs(crop[middle, middle].astype(int) - upright[middle, middle]).mean() < 6


def test_the_detector_finds_the_eyes_of_a_crop_where_they_belong() -> None:
    image = read_picture(str(ASTRONAUT))
    turned = np.asarray(cv2.warpAffine(image, cv2.getRotationMatrix2D((225, 130), 20, 1.0), (512, 512)), np.uint8)
    (face,) = [faces for faces in [FaceDetector().detect(turned)] if len(faces)]
    crop = aligned_crop(turned, face.boxes[0], face.keypoints[0])
    seen = FaceDetector().detect(crop)
    right, left = seen.keypoints[0, :2]
    assert abs(right[1] - left[1]) < 8
    np.testing.assert_allclose(seen.keypoints[0, :4] / 256, PLACES, atol=0.07)


def test_names_in_the_folder(tmp_path: Path) -> None:
    points = POINTS[None].repeat(2, axis=0).astype(np.float32)
    boxes, scores = np.array([BOX, BOX]), np.array([0.9, 0.8], np.float32)
    image = read_picture(str(ASTRONAUT))
    record = CropFolder(tmp_path / "new", {"in/a.jpg": PurePath("deep/a"), "video.mp4": PurePath("video")})
    record(Frame(image, 0, Fraction(0), "in/a.jpg", alone=True), Detections(boxes, scores, points))
    tracked = Detections(boxes, scores, points, np.array([7, 3]))
    record(Frame(image, 12, Fraction(1), "video.mp4"), tracked)
    names = sorted(str(path.relative_to(tmp_path / "new")) for path in tmp_path.rglob("*.jpg"))
    assert names == ["deep/a-1.jpg", "deep/a-2.jpg", "video-000012-3.jpg", "video-000012-7.jpg"]
