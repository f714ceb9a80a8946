"""Looking around the last frame's faces."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from no_search import NoSearch
from video_material import RedDetector

from blazeface import FaceDetector
from blazeface.detections import Detections
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image, box_iou
from blazeface.search import View as Part
from blazeface.search import views
from blazeface.spec import FRONT_128
from blazeface.tracking.roi import MOST, RoiDetector, View, joined, part_around, view_of

ROOT = Path(__file__).parents[2]


class Counting(RedDetector):
    """Notes the sizes of what it is shown."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, image: Image) -> Detections:
        self.shapes.append(image.shape[:2])
        return super().detect(image)

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        return [self.detect(image) for image in images]


def red_square(left: int, top: int, side: int = 20, size: int = 400) -> Image:
    image = np.full((size, size, 3), 90, np.uint8)
    image[top : top + side, left : left + side] = (0, 0, 255)
    return image


def test_a_moving_face_is_followed_in_crops_and_searched_for_every_tenth_frame() -> None:
    detector = Counting()
    roi = RoiDetector(detector, every=10)
    for n in range(21):
        found = roi.detect(red_square(100 + 4 * n, 100 + n))
        assert found.boxes.tolist() == [[100 + 4 * n, 100 + n, 120 + 4 * n, 120 + n]]
        assert found.keypoints[0, 0].tolist() == [110 + 4 * n, 110 + n]
    assert detector.shapes.count((400, 400)) == 3
    assert detector.shapes.count((50, 50)) == 20


def test_a_lost_face_is_looked_for_in_the_whole_frame_at_once() -> None:
    detector = Counting()
    roi = RoiDetector(detector)
    roi.detect(red_square(100, 100))
    assert roi.detect(red_square(300, 300)).boxes.tolist() == [[300, 300, 320, 320]]
    assert detector.shapes == [(400, 400), (50, 50), (400, 400)]
    assert len(roi.detect(np.zeros((400, 400, 3), np.uint8))) == 0


def test_a_face_at_the_edge_is_cut_with_black_around() -> None:
    roi = RoiDetector(Counting())
    for _ in range(2):
        assert roi.detect(red_square(0, 0)).boxes.tolist() == [[0, 0, 20, 20]]


def test_a_picture_of_another_size_is_searched_whole() -> None:
    detector = Counting()
    roi = RoiDetector(detector)
    roi.detect(red_square(100, 100))
    roi.detect(red_square(100, 100, size=300))
    assert detector.shapes == [(400, 400), (300, 300)]


def test_too_many_faces_are_searched_in_the_whole_frame() -> None:
    class Crowd(Counting):
        def detect(self, image: Image) -> Detections:
            self.shapes.append(image.shape[:2])
            boxes = np.array([[40 * n, 0, 40 * n + 20, 20] for n in range(MOST + 1)], np.float32)
            return Detections(
                boxes, np.full(len(boxes), 0.5, np.float32), np.zeros((len(boxes), 6, 2), np.float32)
            )

    detector = Crowd()
    roi = RoiDetector(detector)
    for _ in range(3):
        roi.detect(red_square(0, 0))
    assert detector.shapes == [(400, 400)] * 3


class Searching(Counting):
    """Searches in views: notes which of them it was asked for."""

    def __init__(self, min_face: float | None = 8) -> None:
        super().__init__()
        self.spec, self.min_face = FRONT_128, min_face
        self.asked: list[list[Part]] = []

    def with_min_face(self, min_face: None) -> "Searching":
        other = Searching(min_face)
        other.shapes = self.shapes
        return other

    def views(self, height: int, width: int, tile_side: int = 1024) -> list[Part]:
        return views(height, width, FRONT_128, 8, 16, tile_side)

    def detect_in(self, image: Image, chosen: Sequence[Part]) -> Detections:
        self.asked.append(list(chosen))
        found = RedDetector().detect(image)
        shown = [view.shows(found.boxes).any() for view in chosen]
        return found if any(shown) else found[:0]


def test_after_a_full_search_all_views_have_their_turn() -> None:
    """The first frame is searched whole; in each of the next ones the base view and a tenth of the finer ones."""
    detector = Searching()
    roi = RoiDetector(detector, every=10)
    whole = detector.views(1080, 1920, 3 * 128)
    for _ in range(11):
        assert len(roi.detect(np.zeros((1080, 1920, 3), np.uint8))) == 0
    assert detector.shapes == [(1080, 1920)]
    assert all(asked[0] == whole[0] for asked in detector.asked)
    assert sorted((v.left, v.top, v.shape) for asked in detector.asked for v in asked[1:]) == sorted(
        (v.left, v.top, v.shape) for v in whole[1:]
    )
    assert max(len(asked) for asked in detector.asked) <= 1 + -(-len(whole[1:]) // 10)


def small_face(left: int, top: int, side: int = 20) -> Image:
    image = np.full((1080, 1920, 3), 90, np.uint8)
    image[top : top + side, left : left + side] = (0, 0, 255)
    return image


def test_a_known_small_face_is_followed_in_a_crop_that_hardly_enlarges_it() -> None:
    detector = Searching()
    roi = RoiDetector(detector)
    for n in range(3):
        assert roi.detect(small_face(900 + 10 * n, 500)).boxes.tolist() == [[900 + 10 * n, 500, 920 + 10 * n, 520]]
    assert detector.shapes == [(1080, 1920)]
    crop = detector.asked[1][-1]  # around where it was in the second frame
    assert (crop.left, crop.top, crop.width, crop.height, crop.shape) == (872, 462, 96, 96, (128, 128))
    assert (crop.smallest, crop.largest, crop.cuts) == (10, 40, (True,) * 4)


@pytest.mark.parametrize(("hidden", "found"), [(1, True), (9, True), (10, False)])
def test_a_lost_face_is_looked_for_where_it_was_for_ten_frames(hidden: int, found: bool) -> None:
    detector = Searching()
    roi = RoiDetector(detector)
    roi.detect(small_face(900, 500))
    for _ in range(hidden):
        assert len(roi.detect(np.full((1080, 1920, 3), 90, np.uint8))) == 0
    back = small_face(905, 505)
    roi.detect(back)
    place = np.array([[905.0, 505, 925, 525]])
    assert any(view.width == 96 and view.shows(place)[0] for view in detector.asked[-1]) == found


def test_as_many_faces_as_the_search_has_squares_are_searched_for_in_the_whole_frame() -> None:
    class Crowd(Searching):
        def detect(self, image: Image) -> Detections:
            self.shapes.append(image.shape[:2])
            boxes = np.array([[40 * n, 0, 40 * n + 20, 20] for n in range(20)], np.float32)
            return Detections(boxes, np.full(20, 0.9, np.float32), np.zeros((20, 6, 2), np.float32))

        def views(self, height: int, width: int, tile_side: int = 1024) -> list[Part]:
            return [Part(0, 0, width, height, (128, 160)), Part(0, 0, width, height, (512, 512))]  # 17.25 squares

    detector = Crowd()
    roi = RoiDetector(detector)
    for _ in range(3):
        assert len(roi.detect(np.zeros((1080, 1920, 3), np.uint8))) == 20
    assert detector.shapes == [(1080, 1920)] * 3 and detector.asked == []


class Turned(Searching):
    """Takes every face for one that is turned by 45 degrees."""

    def detect(self, image: Image) -> Detections:
        found = super().detect(image)
        points = found.keypoints.copy()
        points[:, 0] -= 4
        points[:, 1] += 4
        return Detections(found.boxes, found.scores, points)

    def with_min_face(self, min_face: None) -> "Turned":
        other = Turned(min_face)
        other.shapes = self.shapes
        return other


def test_a_turned_face_is_followed_in_a_crop_turned_upright() -> None:
    detector = Turned()
    roi = RoiDetector(detector)
    for _ in range(2):
        roi.detect(small_face(900, 500))
    assert detector.shapes == [(1080, 1920), (50, 50)]
    assert all(view.width != 96 for view in detector.asked[0])


@given(st.integers(0, 1919), st.integers(0, 1079), st.floats(2, 1000))
def test_the_crop_of_a_face_lies_in_the_picture_and_shows_it_whole(x: int, y: int, side: float) -> None:
    box = np.array([x, y, min(x + side, 1920), min(y + side, 1080)], np.float32)
    part = part_around(box, 1080, 1920, FRONT_128)
    assert part.left >= 0 and part.top >= 0 and part.left + part.width <= 1920 and part.top + part.height <= 1080
    assert part.width >= min(95, 1920) and part.height >= min(95, 1080)
    if (box[2:] - box[:2] > side / 2).all():
        assert part.shows(box[None])[0]


def test_a_face_that_a_view_sees_larger_than_its_crop_is_one() -> None:
    class Larger(Turned):
        def detect_in(self, image: Image, chosen: Sequence[Part]) -> Detections:
            found = super().detect_in(image, chosen)
            grown = found.boxes + np.array([-10, -10, 10, 10], np.float32) * (len(self.asked) > 0)
            return Detections(grown, found.scores * np.float32(0.9), found.keypoints)

    roi = RoiDetector(Larger())
    assert roi.detect(small_face(900, 500, 40)).boxes.tolist() == [[900, 500, 940, 540]]
    # The crop, in which the red square is turned by 45 degrees; the view before it grows; both; the view alone.
    for margin in (8, 0, 8.95, *8 * [10]):
        (box,) = roi.detect(small_face(900, 500, 40)).boxes
        assert box == pytest.approx([900 - margin, 500 - margin, 940 + margin, 540 + margin], abs=0.01)


@pytest.mark.parametrize("overlap", [5, 9, 13])
def test_faces_that_overlap_by_less_than_the_blend_rule_stay_two(overlap: int) -> None:
    """IoU from .14 to .48 of two boxes of 20 pixels."""
    points = np.zeros((1, 6, 2), np.float32)
    first = Detections(np.array([[0, 0, 20, 20]], np.float32), np.array([0.9], np.float32), points)
    shifted = np.array([[20 - overlap, 0, 40 - overlap, 20]], np.float32)
    second = Detections(shifted, np.array([0.8], np.float32), points)
    assert len(joined(first, second)) == 2
    assert len(joined(first, first)) == 1


@given(
    st.floats(-100, 500),
    st.floats(-100, 500),
    st.floats(4, 900),
    st.floats(-3.1, 3.1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_what_is_cut_out_comes_back_where_it_was(
    x: float, y: float, side: float, angle: float, u: float, v: float
) -> None:
    """Points of the crop, taken to the picture by to_picture, lie where trigonometry says."""
    view = View(x, y, side, angle)
    point = np.array([u, v]) * view.pixels
    faces = Detections(
        np.array([[*point, *point]], np.float32), np.array([1.0], np.float32), point[None, None].astype(np.float32)
    )
    back = view.to_picture(faces)
    right, down = (u - 0.5) * side, (v - 0.5) * side
    expected = (
        x + right * np.cos(angle) - down * np.sin(angle),
        y + right * np.sin(angle) + down * np.cos(angle),
    )
    np.testing.assert_allclose(back.keypoints[0, 0], expected, atol=1e-2)
    np.testing.assert_allclose(back.boxes[0, :2], expected, atol=1e-2)


def test_a_face_that_shrinks_and_turns_stays_found() -> None:
    """The astronaut's, from an eighth of the picture's width to a twenty-fifth and to 60 degrees, which the whole frame
    does not show to the network."""
    picture = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    roi, plain = RoiDetector(FaceDetector()), FaceDetector()
    for n in range(24):
        degrees, scale = min(60, 3 * n), max(0.4, 1.2 - 0.04 * n)
        matrix = cv2.getRotationMatrix2D((225, 130), degrees, scale)
        matrix[:, 2] += (600 - 225, 400 - 130)
        frame = cv2.warpAffine(picture, matrix, (1200, 800), flags=cv2.INTER_AREA)
        half = scale * np.array([60, 70])
        middle = np.array([600, 400])
        face = np.concatenate([middle - half, middle + half])[None].astype(np.float32)
        assert box_iou(roi.detect(frame).boxes, face).max(initial=0.0) > 0.4  # type: ignore[arg-type]
    assert len(plain.detect(frame)) == 0


def test_a_second_face_comes_in_with_the_next_whole_search() -> None:
    class TwoColours(Counting):
        def detect(self, image: Image) -> Detections:
            red, blue = super().detect(image), super().detect(np.ascontiguousarray(image[:, :, ::-1]))
            return joined(red, blue)

    roi = RoiDetector(TwoColours(), every=4)
    counts = []
    for n in range(10):
        image = red_square(100, 100)
        if n >= 2:
            image[300:320, 300:320] = (255, 0, 0)
        counts.append(len(roi.detect(image)))
    assert counts == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("degrees", [-50, 5, 50])
def test_the_view_follows_the_eyes(degrees: float) -> None:
    turn = np.radians(degrees)
    eyes = 20 * np.array([[-np.cos(turn), -np.sin(turn)], [np.cos(turn), np.sin(turn)]]) + 100
    view = view_of(np.array([60, 60, 140, 140], np.float32), eyes.astype(np.float32))
    assert view.angle == pytest.approx(turn if abs(degrees) > 15 else 0)
    assert (view.side, view.x, view.y) == (200, 100, 100)


class Named(Counting, NoSearch):
    """Finds the red square, with keypoints of these names that lie one below the other: to it the right eye is up."""

    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.spec = replace(FRONT_128, keypoint_names=names)

    def detect(self, image: Image) -> Detections:
        found = super().detect(image)
        points = np.zeros((len(found), len(self.spec.keypoint_names), 2), np.float32)
        points += found.boxes[:, None, :2]
        points[..., 1] += 10 * np.arange(points.shape[1])
        return Detections(found.boxes, found.scores, points)


@pytest.mark.parametrize(
    ("names", "turned"),
    [
        ((), False),
        (("nose_tip",), False),
        (("left_ear", "right_ear"), False),
        (("nose_tip", "right_eye", "left_eye"), True),
        (("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left"), True),
        (tuple(f"p{n}" for n in range(8)), False),
    ],
)
def test_a_network_with_other_keypoints_is_followed_and_turned_by_its_eyes_alone(
    names: tuple[str, ...], turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    angles: list[float] = []
    cut = View.cut

    def noted(view: View, image: Image) -> Image:
        angles.append(view.angle)
        return cut(view, image)

    monkeypatch.setattr(View, "cut", noted)
    roi = RoiDetector(Named(names))
    for _ in range(3):
        found = roi.detect(red_square(100, 100))
        assert len(found) == 1 and found.keypoints.shape == (1, len(names), 2)
    assert angles[0] == pytest.approx(np.pi / 2 if turned else 0)
