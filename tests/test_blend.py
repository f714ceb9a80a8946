"""Blending and suppression, against literal cases and a slow second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blazeface.blend import blend, hard_nms
from blazeface.geometry import Floats, box_iou


def points_of(boxes: np.ndarray) -> np.ndarray:
    return np.stack([boxes[:, :2], boxes[:, 2:]], axis=1)


def test_literal() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30], [2, 0, 12, 10]], np.float32)
    scores = np.array([0.6, 0.9, 0.3], np.float32)
    faces, best, keypoints = blend(boxes, scores, points_of(boxes), 0.3)
    # The first and third overlap by 80 / 120; weights 2 to 1 move the left edge a third of the way from 0 to 2.
    assert best.tolist() == pytest.approx([0.9, 0.6])
    assert faces[0].tolist() == [20, 20, 30, 30]
    assert faces[1].tolist() == pytest.approx([2 / 3, 0, 10 + 2 / 3, 10])
    assert keypoints[1, 0].tolist() == pytest.approx([2 / 3, 0])
    kept, best, _ = hard_nms(boxes, scores, points_of(boxes), 0.3)
    assert kept.tolist() == [[20, 20, 30, 30], [0, 0, 10, 10]]
    assert best.tolist() == pytest.approx([0.9, 0.6])


def test_candidates_that_overlap_by_the_threshold_itself_are_two_faces() -> None:
    """As in MediaPipe: only what overlaps by more is the same face."""
    boxes = np.array([[0.0, 0, 4, 4], [0, 2, 4, 6]], np.float32)  # 8 of 24 shared
    scores = np.array([0.9, 0.8], np.float32)
    third = float(np.float32(8) / np.float32(24))
    assert len(blend(boxes, scores, points_of(boxes), third)[1]) == 2
    assert len(blend(boxes, scores, points_of(boxes), third - 1e-6)[1]) == 1


def test_nothing_in_nothing_out() -> None:
    for reduce in (blend, hard_nms):
        boxes, scores, keypoints = reduce(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 6, 2)), 0.3)
        assert (boxes.shape, scores.shape, keypoints.shape) == ((0, 4), (0,), (0, 6, 2))


def slow_blend(
    boxes: Floats, scores: Floats, keypoints: Floats, threshold: float
) -> list[tuple[Floats, float, Floats]]:
    """Step by step, as RESEARCH and MediaPipe tell it."""
    left = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    faces = []
    while left:
        best = left[0]
        group = [
            i for i in left if i == best or box_iou(boxes[best : best + 1], boxes[i : i + 1])[0, 0] > threshold
        ]
        weight = sum(float(scores[i]) for i in group)
        box = np.sum([float(scores[i]) * boxes[i].astype(float) for i in group], axis=0) / weight
        points = np.sum([float(scores[i]) * keypoints[i].astype(float) for i in group], axis=0) / weight
        faces.append((box, float(scores[best]), points))
        left = [i for i in left if i not in group]
    return faces


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from([0.1, 0.3, 0.5]), st.booleans())
def test_equals_the_slow_one(seed: int, count: int, threshold: float, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.6, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 0.4, (count, 2))], axis=1).astype(np.float32)
    scores = rng.choice([0.5, 0.7, 0.9], count) if ties else rng.uniform(0.02, 1, count)
    keypoints = rng.random((count, 6, 2)).astype(np.float32)
    faces = blend(boxes, scores.astype(np.float32), keypoints, threshold)
    expected = slow_blend(boxes, scores.astype(np.float32), keypoints, threshold)
    assert len(faces[0]) == len(expected)
    for i, (box, score, points) in enumerate(expected):
        assert np.allclose(faces[0][i], box, atol=1e-6)
        assert faces[1][i] == score
        assert np.allclose(faces[2][i], points, atol=1e-6)
    assert (
        hard_nms(boxes, scores, keypoints, threshold)[1] == blend(boxes, scores, keypoints, threshold)[1]
    ).all()


def test_empty_boxes_stay_alone() -> None:
    boxes = np.array([[1.0, 1, 1, 1], [1, 1, 1, 1]])
    assert len(blend(boxes, np.array([0.9, 0.8]), np.zeros((2, 6, 2)), 0.3)[0]) == 2
