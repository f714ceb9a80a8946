"""Views of a picture and their union."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from blazeface import FaceDetector
from blazeface.anchors import anchor_centers
from blazeface.blend import blend, hard_nms
from blazeface.detector import postprocess, prepare
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import box_iou
from blazeface.search import (
    AUTO_SHARE,
    LARGEST_ZOOM,
    LONG,
    SMALLEST,
    View,
    base_shape,
    check_min_face,
    faintest,
    smallest_face,
    supported,
    union,
    views,
    without_twins,
)
from blazeface.spec import BACK_256, BACK_CAMERA, FRONT_128, FULL_RANGE_DENSE, ModelSpec

SPECS = st.sampled_from([FRONT_128, BACK_256, BACK_CAMERA, FULL_RANGE_DENSE])
SIDES = st.integers(1, 5000)
MIN_FACES = st.one_of(st.just("auto"), st.floats(4, 300))
MULTIPLES = st.sampled_from([None, 32])
ASTRONAUT = Path(__file__).parents[1] / "data" / "pictures" / "astronaut.png"


def face_box(x: float, y: float, size: float, aspect: float) -> NDArray[np.float64]:
    """A box (1, 4) of a size (root of its area) around a point; aspect: height over width."""
    half = size / 2 / math.sqrt(aspect), size / 2 * math.sqrt(aspect)
    return np.array([[x - half[0], y - half[1], x + half[0], y + half[1]]])


@settings(max_examples=300, deadline=None)
@given(st.data(), SIDES, SIDES, SPECS, MIN_FACES, MULTIPLES)
def test_every_face_lies_in_a_view_that_is_trusted_for_it(
    data: st.DataObject, height: int, width: int, spec: ModelSpec, min_face: float | str, multiple: int | None
) -> None:
    """Any size from min_face up, any place in the picture: a view holds the face whole, clear of its cuts, takes its
    box, and shows it at SMALLEST strides or more."""
    found = views(height, width, spec, min_face, multiple)
    least = smallest_face(height, width, spec, min_face)
    size = data.draw(st.floats(1, 2 * max(height, width, least)))
    aspect = data.draw(st.floats(1 / LONG**2, LONG**2))
    x, y = data.draw(st.floats(0, width)), data.draw(st.floats(0, height))
    box = face_box(x, y, size, aspect)
    if not (box[0, 0] >= 0 and box[0, 1] >= 0 and box[0, 2] <= width and box[0, 3] <= height):
        return
    holding = [
        view
        for view in found
        if view.takes(box)[0]
        and box[0, 0] >= view.left
        and box[0, 1] >= view.top
        and box[0, 2] <= view.left + view.width
        and box[0, 3] <= view.top + view.height
    ]
    assert holding
    if size >= least and SMALLEST * min(spec.strides) / least <= LARGEST_ZOOM:
        assert max(view.scale for view in holding) * size >= SMALLEST * min(spec.strides) * (1 - 1e-9)


@settings(max_examples=300, deadline=None)
@given(SIDES, SIDES, SPECS, MIN_FACES, MULTIPLES)
def test_views_lie_in_the_picture_and_fit_the_runtime(
    height: int, width: int, spec: ModelSpec, min_face: float | str, multiple: int | None
) -> None:
    for view in views(height, width, spec, min_face, multiple):
        assert 0 <= view.left < view.left + view.width <= width
        assert 0 <= view.top < view.top + view.height <= height
        assert view.cuts == (
            view.left > 0,
            view.top > 0,
            view.left + view.width < width,
            view.top + view.height < height,
        )
        if multiple is None:
            assert view.shape == (spec.input_size, spec.input_size)
        else:
            assert view.shape[0] % multiple == view.shape[1] % multiple == 0
            assert max(view.shape) <= 1024


def test_the_views_of_a_street_in_full_hd() -> None:
    """Literal values: one pass at the picture's own shape, then ever larger ones down to faces of 30 pixels."""
    found = views(1080, 1920, FRONT_128, "auto", 16)
    assert found[0] == View(0, 0, 1920, 1080, (96, 176), smallest=found[0].smallest)
    assert smallest_face(1080, 1920, FRONT_128, "auto") == 1920 * AUTO_SHARE == 30
    assert [view.smallest for view in found][-1] == 0
    assert all(view.largest < 1080 for view in found[1:])


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(500, 500, (128, 128)), (1080, 1920, (96, 176)), (1920, 1080, (176, 96)), (480, 640, (112, 144))],
)
def test_the_own_shape_has_about_as_many_pixels_as_the_square(
    height: int, width: int, shape: tuple[int, int]
) -> None:
    assert base_shape(height, width, FRONT_128, 16) == shape
    assert base_shape(height, width, FRONT_128, None) == (128, 128)


def test_an_extreme_picture_has_no_extreme_input() -> None:
    assert base_shape(10, 4000, FRONT_128, 16) == (64, 256)


def test_auto_never_magnifies() -> None:
    assert smallest_face(240, 320, FRONT_128, "auto") == SMALLEST * 8
    assert all(view.scale <= 1 for view in views(240, 320, FRONT_128, "auto", 16))


@pytest.mark.parametrize("wrong", [0, -3, 0.5, math.nan, math.inf, "small", True, [20]])
def test_a_wrong_min_face_is_one_sentence(wrong: Any) -> None:
    with pytest.raises(BlazeFaceError, match="min_face must be a number of pixels"):
        check_min_face(wrong)
    with pytest.raises(BlazeFaceError, match="min_face"):
        FaceDetector(min_face=wrong)


def test_a_large_min_face_needs_no_more_than_the_base_view() -> None:
    assert len(views(1080, 1920, FRONT_128, 400, 16)) == 1
    assert len(views(1080, 1920, FRONT_128, 400, None)) == 1


# The union.


def slow_union(parts: Sequence[tuple[View, Any]], iou: float) -> list[tuple[list[float], float]]:
    """A second implementation, face by face: what each view is trusted for, the best one left, its overlaps averaged, its
    odds times its supporters over three."""
    pool = []
    for view, (boxes, scores, _) in parts:
        for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
            x1, y1, x2, y2 = box
            size = math.sqrt((x2 - x1) * (y2 - y1))
            clear = (
                (not view.cuts[0] or x1 - view.left >= view.seam)
                and (not view.cuts[1] or y1 - view.top >= view.seam)
                and (not view.cuts[2] or view.left + view.width - x2 >= view.seam)
                and (not view.cuts[3] or view.top + view.height - y2 >= view.seam)
            )
            if clear and view.smallest <= size <= view.largest:
                pool.append((score, box))
    pool.sort(key=lambda entry: -entry[0])
    everything = list(pool)
    faces = []
    while pool:
        best = pool[0][1]
        group = [pool[0]]
        rest: list[tuple[float, Any]] = []
        for entry in pool[1:]:
            overlap = float(box_iou(np.array([best]), np.array([entry[1]]))[0, 0])
            (group if overlap > iou else rest).append(entry)
        total = sum(score for score, _ in group)
        faces.append(([sum(s * b[i] for s, b in group) / total for i in range(4)], group[0][0]))
        pool = rest
    weighed = []
    for box, score in faces:
        agreeing = [s for s, b in everything if s >= 0.05 and box_iou(np.array([box]), np.array([b]))[0, 0] > iou]
        odds = score / (1 - score) * max(sum(agreeing) / score, 1) / 3
        weighed.append((box, odds / (1 + odds)))
    faces = sorted(weighed, key=lambda face: -face[1])
    kept: list[tuple[list[float], float]] = []
    for face in faces:  # all keypoints of these lie in the middle of their box
        near = (
            score for box, score in kept if _middles_apart(face[0], box) < 0.4 * min(_size(face[0]), _size(box))
        )
        if all(score < 0.5 for score in near):
            kept.append(face)
    return kept


def _size(box: Sequence[float]) -> float:
    return math.sqrt((box[2] - box[0]) * (box[3] - box[1]))


def _middles_apart(a: Sequence[float], b: Sequence[float]) -> float:
    return math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2


@st.composite
def parts_of_a_picture(draw: st.DrawFn) -> list[tuple[View, Any]]:
    found = views(600, 900, FRONT_128, draw(st.sampled_from([6.0, 20.0])), draw(st.sampled_from([None, 16])))
    chosen = draw(st.lists(st.sampled_from(found), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    middles = rng.uniform((0, 0), (900, 600), (6, 2))
    parts = []
    for view in chosen:
        count = int(rng.integers(0, 12))
        at = middles[rng.integers(0, 6, count)] + rng.normal(0, 3, (count, 2))
        half = rng.uniform(3, 60, (count, 2))
        boxes = np.concatenate([at - half, at + half], axis=1)
        parts.append((view, (boxes, rng.uniform(0.1, 1, count), np.repeat(at[:, None], 6, axis=1))))
    return parts


@settings(max_examples=200, deadline=None)
@given(parts_of_a_picture())
def test_the_union_is_what_a_slow_one_gives(parts: list[tuple[View, Any]]) -> None:
    boxes, scores, keypoints = union(parts, 0.5, blend)
    expected = slow_union(parts, 0.5)
    assert len(boxes) == len(scores) == len(keypoints) == len(expected)
    for box, score, (slow_box, slow_score) in zip(boxes, scores, expected, strict=True):
        assert score == pytest.approx(slow_score, rel=1e-9)
        np.testing.assert_allclose(box, slow_box, atol=1e-6)


def test_a_face_on_a_seam_is_one_face_and_neighbours_stay_two() -> None:
    left = View(0, 0, 100, 100, (128, 128), cuts=(False, False, True, False), seam=4.0)
    right = View(60, 0, 100, 100, (128, 128), cuts=(True, False, False, False), seam=4.0)
    points = np.repeat([[[78.0, 30.0]], [[95.0, 70.0]]], 6, axis=1)
    # In the overlap: both views see it. At the left view's cut: a half face there, a whole one in the right view.
    seen = np.array([[70.0, 20, 90, 40], [85, 60, 98, 80]]), np.array([0.9, 0.8]), points
    whole = np.array([[71.0, 20, 91, 40], [85, 60, 105, 80]]), np.array([0.7, 0.9]), points
    boxes, scores, _ = union([(left, seen), (right, whole)], 0.5, hard_nms)
    assert boxes.tolist() == [[70, 20, 90, 40], [85, 60, 105, 80]]
    # Odds of 9, supported by 1.6 / 0.9 candidates and by the whole one alone, over the usual three.
    np.testing.assert_allclose(scores, [5.333333 / 6.333333, 3 / 4], rtol=1e-6)
    # Two faces that overlap by a third are two.
    points = np.repeat([[[20.0, 20.0]], [[40.0, 20.0]]], 6, axis=1)
    pair = np.array([[0.0, 0, 40, 40], [20, 0, 60, 40]]), np.array([0.9, 0.8]), points
    assert len(union([(left, pair)], 0.5, blend)[0]) == 2


def face(x: float, y: float, side: float, score: float) -> tuple[list[float], float, list[list[float]]]:
    """A box around (x, y) with its two eyes a third of its side apart."""
    eyes = [[x - side / 6, y], [x + side / 6, y]]
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2], score, eyes


def columns(*faces: tuple[list[float], float, list[list[float]]]) -> tuple[Any, Any, Any]:
    boxes, scores, points = zip(*faces, strict=True)
    return np.array(boxes), np.array(scores), np.array(points)


def test_a_face_that_two_levels_see_differently_large_is_one() -> None:
    fine, coarse = face(100, 100, 60, 0.99), face(101, 103, 90, 0.7)  # they overlap by .44
    boxes, scores, points = without_twins(*columns(fine, coarse))
    assert boxes.tolist() == [fine[0]]
    assert scores.tolist() == [0.99]
    assert points.tolist() == [fine[2]]


def test_of_two_unsure_boxes_of_a_face_both_stay() -> None:
    assert len(without_twins(*columns(face(100, 100, 60, 0.49), face(101, 103, 90, 0.4)))[0]) == 2


def test_a_face_before_another_and_faces_without_keypoints_stay() -> None:
    child_before_parent = columns(face(100, 130, 40, 0.9), face(100, 100, 80, 0.8))
    assert len(without_twins(*child_before_parent)[0]) == 2
    boxes, scores, _ = columns(face(100, 100, 60, 0.9), face(100, 100, 90, 0.8))
    assert len(without_twins(boxes, scores, np.zeros((2, 0, 2)))[0]) == 2


def test_a_score_is_weighed_by_the_candidates_that_support_it() -> None:
    """Literal values: odds of a best score of .5 are 1, of .8 are 4; three equal candidates leave a score as it is."""
    faces = np.array([[0.0, 0, 10, 10], [50, 50, 60, 60], [90, 90, 100, 100]])
    boxes = np.concatenate([faces[[0]].repeat(3, axis=0), faces[[1]], faces[[2]].repeat(12, axis=0)])
    scores = np.array([0.5] * 3 + [0.8] + [0.5] * 12)
    weighed = supported(faces, np.array([0.5, 0.8, 0.5]), boxes, scores, 0.5)
    np.testing.assert_allclose(weighed, [1 / 2, 4 / 7, 4 / 5])


def test_faint_candidates_far_ones_and_ties_support_nothing() -> None:
    face = np.array([[0.0, 0, 10, 10]])
    alone = supported(face, np.array([0.6]), face, np.array([0.6]), 0.5)
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [6, 0, 16, 10], [0, 0, 10, 5]])
    among = supported(
        face, np.array([0.6]), boxes, np.array([0.6, 0.04, 0.9, 0.9]), 0.5
    )  # the last overlaps by .5
    assert alone.tolist() == among.tolist()
    assert supported(face, np.array([1.0]), face, np.array([1.0]), 0.5).tolist() == [1.0]
    assert supported(face, np.array([0.03]), face, np.array([0.03]), 0.5)[0] == pytest.approx(0.0102, abs=1e-4)


def test_the_overlaps_of_many_faces_in_parts_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import blazeface.search as module

    rng = np.random.default_rng(4)
    corner = rng.uniform(0, 90, (500, 2))
    boxes, scores = np.concatenate([corner, corner + 10], axis=1), rng.uniform(0.01, 1, 500)
    expected = supported(boxes[:300], scores[:300], boxes, scores, 0.3)
    monkeypatch.setattr(module, "ROWS", 7)
    np.testing.assert_allclose(supported(boxes[:300], scores[:300], boxes, scores, 0.3), expected, rtol=1e-12)
    assert supported(boxes[:0], scores[:0], boxes, scores, 0.3).shape == (0,)


def test_a_threshold_leaves_faces_out_and_changes_no_other() -> None:
    view = View(0, 0, 200, 200, (128, 128))
    points = np.repeat([[[20.0, 20.0]], [[22.0, 20.0]], [[120.0, 120.0]]], 6, axis=1)
    seen = np.array([[0.0, 0, 40, 40], [2, 0, 42, 40], [100, 100, 140, 140]]), np.array([0.9, 0.4, 0.6]), points
    every = union([(view, seen)], 0.5, blend)
    sure = union([(view, seen)], 0.5, blend, 0.5)
    assert len(every[0]) == 2
    assert [column[:1].tolist() for column in every] == [column.tolist() for column in sure]
    assert faintest(0.5) == 0.05
    assert faintest(0.02) == 0.02


# The detector.


def test_a_higher_threshold_of_a_search_only_leaves_faces_out() -> None:
    image = read_picture(str(ASTRONAUT))
    some = FaceDetector(score_threshold=0.05, min_face=16).detect(image)
    sure = FaceDetector(score_threshold=0.9, min_face=16).detect(image)
    assert len(some) > len(sure) == 1
    kept = some[some.scores >= 0.9]
    assert (kept.boxes.tolist(), kept.scores.tolist()) == (sure.boxes.tolist(), sure.scores.tolist())


def test_the_union_of_one_view_is_plain_detection_with_the_score_weighed() -> None:
    image = read_picture(str(ASTRONAUT))
    plain, search = FaceDetector(score_threshold=0.05), FaceDetector(min_face=400)
    (view,) = search.views(*image.shape[:2])
    expected, found = plain.detect(image)[:1], search.detect_in(image, [view])
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-3)
    assert expected.scores[0] < found.scores[0] <= 1


def test_without_min_face_the_answers_are_the_square_s_bit_by_bit() -> None:
    image = read_picture(str(ASTRONAUT))
    detector = FaceDetector()
    tensor, letterbox = prepare(image, FRONT_128)
    logits, regressions = detector._backend.run(tensor[None])
    expected = postprocess(
        logits[0], regressions[0], letterbox, FRONT_128, anchor_centers(FRONT_128.anchor_maps), 0.5
    )
    found = detector.detect(image)
    assert found.boxes.tolist() == expected.boxes.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


@pytest.mark.parametrize("tile", [(0, 0), (37, 211), (640, 360)])
def test_a_small_face_is_found_wherever_it_lies(tile: tuple[int, int]) -> None:
    """The same face in several places of a large grey frame, found by the search and not without it."""
    import cv2

    picture = cv2.resize(read_picture(str(ASTRONAUT)), (128, 128), interpolation=cv2.INTER_AREA)
    frame = np.full((720, 1280, 3), 90, np.uint8)
    left, top = tile
    part = frame[top : top + 128, left : left + 128]
    part[:] = picture[: part.shape[0], : part.shape[1]]
    face = np.array([[43.5, 14.5, 69.5, 41.5]], np.float32) + np.array([left, top, left, top], np.float32)
    assert len(FaceDetector().detect(frame)) == 0
    found = FaceDetector(min_face=16).detect(frame)
    assert box_iou(found.boxes, face).max(initial=0) > 0.5
    assert len(found) == 1


def test_a_batch_with_search_is_the_same_as_one_by_one() -> None:
    image = read_picture(str(ASTRONAUT))
    detector = FaceDetector(min_face=24)
    images = [image, np.ascontiguousarray(image[:300]), np.ascontiguousarray(image[:, ::-1])]
    for found, picture in zip(detector.detect_batch(images), images, strict=True):
        alone = detector.detect(picture)
        assert found.boxes.tolist() == alone.boxes.tolist()
        assert found.scores.tolist() == alone.scores.tolist()


def test_rows_of_overlaps_group_as_the_matrix_does(monkeypatch: pytest.MonkeyPatch) -> None:
    import blazeface.blend as module

    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 300, (900, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (900, 2))], axis=1)
    scores = rng.uniform(0, 1, 900)
    expected = module.cluster(boxes, scores, 0.3)
    monkeypatch.setattr(module, "MATRIX", 10)
    found = module.cluster(boxes, scores, 0.3)
    assert [group.tolist() for group in found] == [group.tolist() for group in expected]
