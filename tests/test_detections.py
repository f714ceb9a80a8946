"""Detections: validated, sliceable, JSON-ready."""

from __future__ import annotations

import json

import numpy as np
import pytest

from blazeface.detections import Detections


def make(count: int = 3) -> Detections:
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4) / np.float32(3)
    scores = np.linspace(0.9, 0.5, count).astype(np.float32)
    return Detections(boxes, scores, np.ones((count, 6, 2), np.float32))


def test_empty() -> None:
    empty = Detections.empty()
    assert len(empty) == 0
    assert empty.boxes.shape == (0, 4)
    assert empty.keypoints.shape == (0, 6, 2)
    assert empty.to_dict() == []


def test_parts_keep_all_fields_together() -> None:
    faces = Detections(*vars(make()).values())
    named = Detections(faces.boxes, faces.scores, faces.keypoints, np.array([7, 8, 9]))
    ids = named[1:].track_ids
    assert ids is not None and ids.tolist() == [8, 9]
    assert faces[faces.scores > 0.6].boxes.tolist() == faces.boxes[:2].tolist()
    assert len(faces[[0, 2]]) == 2


def test_to_dict_literal() -> None:
    faces = make(1)
    assert faces.to_dict() == [{"box": [0.0, 0.33, 0.67, 1.0], "score": 0.9, "keypoints": [[1.0, 1.0]] * 6}]
    json.dumps(faces.to_dict())


def test_coordinates_are_rounded_to_two_digits_and_scores_to_four() -> None:
    box, points = np.full((1, 4), 1.23456, np.float32), np.full((1, 1, 2), 6.54321, np.float32)
    (face,) = Detections(box, np.array([0.123456], np.float32), points).to_dict()
    assert face == {"box": [1.23] * 4, "score": 0.1235, "keypoints": [[6.54, 6.54]]}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("boxes", np.zeros((2, 4), np.float32), "boxes must have shape"),
        ("boxes", np.zeros((3, 4), np.float64), "boxes must be float32"),
        ("boxes", np.full((3, 4), np.nan, np.float32), "boxes must be finite"),
        ("scores", np.array([0.5, 0.6, 0.4], np.float32), "scores must lie in"),
        ("scores", np.array([1.5, 0.6, 0.4], np.float32), "scores must lie in"),
        ("keypoints", np.zeros((3, 6, 3), np.float32), "keypoints must have shape"),
        ("track_ids", np.zeros(2, np.int64), "track_ids must have shape"),
    ],
)
def test_disagreeing_fields_are_refused(field: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Detections(**{**vars(make()), field: value})
