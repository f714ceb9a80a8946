"""benchmarks.training.regions: which false positives and which missed faces are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training.regions import decoys, hard_faces, whole
from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.record import Record, make_record

FACES = [[10, 10, 30, 30], [50, 10, 70, 30], [90, 10, 93, 13], [120, 10, 140, 30]]
"""In a picture of 200 x 100: found, found by a faint score alone, too small to be hard, ignored."""


def record_of(boxes: Sequence[Sequence[float]], scores: list[float], source: str = "street") -> Record:
    sample = Sample(
        Path("x.jpg"),
        source,
        np.array(FACES, np.float32),
        np.zeros((4, 6, 2), np.float32),
        np.zeros((4, 6), np.uint8),
        np.array([False, False, False, True]),
    )
    found = Detections(
        np.array(boxes, np.float32), np.array(scores, np.float32), np.zeros((len(boxes), 6, 2), np.float32)
    )
    return make_record(sample, 100, 200, found)


def test_hard_faces_are_those_that_no_sure_detection_finds() -> None:
    record = record_of([[10, 10, 30, 30], [50, 11, 70, 31]], [0.5, 0.49])
    assert whole(hard_faces(record)) == [[50, 10, 70, 30]]
    assert whole(hard_faces(record_of([[150, 50, 170, 70]], [0.9]))) == [[10, 10, 30, 30], [50, 10, 70, 30]]


@pytest.mark.parametrize(
    ("source", "kept"), [("street", [[180, 60, 199, 80], [40, 60, 60, 80]]), ("lfw", [[40, 60, 60, 80]])]
)
def test_decoys_touch_no_label_and_no_new_ignore_region(source: str, kept: list[list[int]]) -> None:
    """The surest first: a face found, a place beside it that touches it, one on a new ignore region, one at the edge, one alone."""
    boxes = [[10, 10, 30, 30], [25, 10, 45, 30], [150, 60, 170, 80], [180, 60, 199, 80], [40, 60, 60, 80]]
    record = record_of(boxes, [0.9, 0.8, 0.7, 0.6, 0.5], source)
    assert whole(decoys(record, 200, 100, np.array([[150.0, 60, 170, 80]]))) == kept
