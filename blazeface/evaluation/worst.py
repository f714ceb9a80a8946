"""The missed faces with the lowest scores, and the false positives with the highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.evaluation.columns import BINS
from blazeface.evaluation.record import Record
from blazeface.geometry import box_iou

SMALLEST = min(low for low, _ in BINS.values())
"""Faces and false positives below this relative size are in no bin, so nobody needs to look at them."""


@dataclass(frozen=True)
class Case:
    """One box worth looking at: (4,) in pixels of the record's picture.

    size: relative. score: of the false positive, or at which a missed face was found after all (0: not at all).
    iou: of a false positive with the closest labelled face; of a missed face with the closest detection that
    reached the threshold. Near 0.5 it was a matter of the box, at 0 of the face itself.
    """

    record: Record
    box: NDArray[np.float32]
    size: float
    score: float
    iou: float


def missed_faces(records: Sequence[Record], threshold: float) -> list[Case]:
    """Counted faces found below the score threshold or not at all: lowest score first, then largest first."""
    cases = []
    for record in records:
        faces = record.sample.boxes[~record.sample.ignore]
        scores = np.zeros(len(faces))
        found = record.face >= 0
        scores[record.face[found]] = record.detections.scores[found]
        for i in np.flatnonzero((scores < threshold) & (record.face_size >= SMALLEST)):
            iou = _closest(faces[i], record.detections.boxes[record.detections.scores >= threshold])
            cases.append(Case(record, faces[i], float(record.face_size[i]), float(scores[i]), iou))
    return sorted(cases, key=lambda case: (case.score, -case.size))


def false_positives(records: Sequence[Record], threshold: float) -> list[Case]:
    """False positives from the score threshold up, the surest first."""
    cases = []
    for record in records:
        detections, faces = record.detections, record.sample.boxes[~record.sample.ignore]
        for i in np.flatnonzero(record.wrong & (detections.scores >= threshold) & (record.size >= SMALLEST)):
            box, score = detections.boxes[i], float(detections.scores[i])
            cases.append(Case(record, box, float(record.size[i]), score, _closest(box, faces)))
    return sorted(cases, key=lambda case: (-case.score, -case.size))


def _closest(box: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Highest IoU of a box (4,) with others (N, 4)."""
    return float(box_iou(box[None], others).max(initial=0.0))
