"""A score threshold set by false positives in face-less pictures, and the recall above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.evaluation.ap import Weights
from blazeface.evaluation.record import Record
from blazeface.geometry import Floats

FALSE_POSITIVES_PER_THOUSAND = 10


@dataclass(frozen=True)
class FalsePositives:
    """Of P face-less pictures: the scores of all false positives, falling, and their pictures (0 to P - 1)."""

    pictures: int
    scores: Floats
    picture: NDArray[np.intp]

    @property
    def allowed(self) -> int:
        return self.pictures * FALSE_POSITIVES_PER_THOUSAND // 1000

    def threshold(self, weight: Weights | None = None) -> float:
        """The highest score that must be left out so that no more than `allowed` false positives stay; 0 where all may.

        False positives of equal score stay or go together. weight: (P,), how often each picture counts.
        """
        each = np.ones(len(self.scores), np.intp) if weight is None else weight[self.picture]
        first_out = int(np.searchsorted(np.cumsum(each), self.allowed, side="right"))
        return float(self.scores[first_out]) if first_out < len(self.scores) else 0.0


@dataclass(frozen=True)
class FoundFaces:
    """Of P pictures: each face's relative size, the score at which it was found (-1: not at all), and its picture."""

    pictures: int
    size: Floats
    score: Floats
    picture: NDArray[np.intp]

    def recall(self, threshold: float, smallest: float, weight: Weights | None = None) -> float:
        """Share of the faces from `smallest` up that were found at a score above the threshold; NaN without a face."""
        counted = self.size >= smallest
        each = np.ones(len(self.size), np.intp) if weight is None else weight[self.picture]
        faces = int(each[counted].sum())
        return float(each[counted & (self.score > threshold)].sum()) / faces if faces else float("nan")


def false_positives(records: Sequence[Record]) -> FalsePositives:
    """Those of some pictures, of any score from SCORE_CUT up."""
    scores = np.concatenate([record.detections.scores[record.wrong].astype(np.float64) for record in records])
    picture = np.repeat(np.arange(len(records)), [int(record.wrong.sum()) for record in records])
    order = np.argsort(-scores, kind="stable")
    return FalsePositives(len(records), scores[order], picture[order])


def found_faces(records: Sequence[Record]) -> FoundFaces:
    """The counted faces of some pictures."""
    scores = []
    for record in records:
        score = np.full(len(record.face_size), -1.0)
        found = record.face >= 0
        score[record.face[found]] = record.detections.scores[found]
        scores.append(score)
    picture = np.repeat(np.arange(len(records)), [len(score) for score in scores])
    size = np.concatenate([record.face_size for record in records])
    return FoundFaces(len(records), size, np.concatenate(scores), picture)
