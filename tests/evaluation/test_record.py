"""From samples and a detector to records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation_material import face, make_sample

from blazeface.detections import Detections
from blazeface.evaluation.record import records, score_cut, with_points_of_labels
from blazeface.geometry import Image
from blazeface.search import supported
from blazeface.spec import KEYPOINT_NAMES


def test_pictures_are_scored_in_order_and_unreadable_ones_passed_over() -> None:
    samples = [make_sample([face(0, 0, 10 + i)], name=f"{i}.png") for i in range(7)]
    batches: list[int] = []

    def read(path: Path) -> Image | None:
        return None if path.stem in ("0", "4") else np.full((50, 40 + int(path.stem), 3), 7, np.uint8)

    def detect(images: list[Image]) -> list[Detections]:
        batches.append(len(images))
        boxes = [np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32) for image in images]
        return [Detections(box, np.ones(1, np.float32), np.zeros((1, 6, 2), np.float32)) for box in boxes]

    found = list(records(samples, read, detect, batch=2))
    assert [record.sample.path.stem for record in found] == ["1", "2", "3", "5", "6"]
    assert batches == [2, 2, 1]
    # Relative sizes are measured against each picture's own long side, whichever it is.
    assert [float(record.face_size[0]) for record in found] == pytest.approx(
        [11 / 50, 12 / 50, 13 / 50, 15 / 50, 16 / 50]
    )
    assert found[0].size == pytest.approx(np.sqrt(41 * 50) / 50)


def test_a_detector_that_answers_for_fewer_pictures_is_not_believed() -> None:
    samples = [make_sample([], name=f"{i}.png") for i in range(2)]
    with pytest.raises(ValueError):
        list(records(samples, lambda _: np.zeros((9, 9, 3), np.uint8), lambda images: [Detections.empty()]))


def test_keypoints_of_other_names_are_not_held_against_the_labels() -> None:
    points = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
    found = Detections(np.zeros((1, 4), np.float32), np.ones(1, np.float32), points[:, :5])
    five = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")
    (kept,) = with_points_of_labels(lambda images: [found], five)([])
    assert kept.keypoints.shape == (1, 3, 2) and (kept.keypoints == points[:, :3]).all()
    for names in (KEYPOINT_NAMES, KEYPOINT_NAMES[:4], ()):
        assert with_points_of_labels(detect := lambda images: [found], names) is detect


def test_a_search_is_cut_at_what_a_lone_candidate_of_the_cut_is_weighed_to() -> None:
    alone = np.array([[0.0, 0, 9, 9]]), np.array([0.02])
    assert score_cut(None) == 0.02
    assert score_cut("auto") == score_cut(20) <= supported(*alone, *alone, 0.5)[0] < 0.007
