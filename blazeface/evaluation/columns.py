"""Records of many pictures as flat columns, from which figures follow in a few array operations.

A figure can be asked for with a weight per picture: how often the picture was drawn in a bootstrap
resample. That is the same as computing it on the list with each picture repeated, but hundreds of times
faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.evaluation.ap import Steps, Weights, average_precision, recall_steps
from blazeface.evaluation.record import Record
from blazeface.geometry import Floats

BINS: dict[str, tuple[float, float]] = {
    ".05-.1": (0.05, 0.1),
    ".1-.2": (0.1, 0.2),
    ".2-.45": (0.2, 0.45),
    ">=.45": (0.45, float("inf")),
    ">=.1": (0.1, float("inf")),
    ">=.05": (0.05, float("inf")),
}
"""Relative face sizes r = sqrt(box area) / long side of the picture, low <= r < high."""

FALSE_POSITIVE_SCORE = 0.5
"""Score from which a detection in a picture without a face is a false positive."""

FALSE_POSITIVES = "false positives per face-less picture"
KEYPOINTS = "keypoint error"


@dataclass(frozen=True)
class Ranking:
    """What counts in one size bin: D detections of all pictures, best score first, and the faces.

    scores (D,); hit (D,) bool, false for false positives; picture (D,), position of the detection's picture;
    faces (P,), number of faces of the bin in each picture.
    """

    scores: Floats
    hit: NDArray[np.bool_]
    picture: NDArray[np.intp]
    faces: NDArray[np.intp]

    def average_precision(self, weight: Weights | None = None) -> float:
        if weight is None:
            return average_precision(self._steps, int(self.faces.sum()))
        return average_precision(self._steps, int(weight @ self.faces), weight[self.picture])

    @cached_property
    def _steps(self) -> Steps:
        return recall_steps(self.scores, self.hit)


@dataclass(frozen=True)
class Columns:
    """P pictures: a ranking for each of BINS, false positives and keypoint errors.

    faceless (P,) bool, pictures without a counted face; false_positives (P,), false positives at FALSE_POSITIVE_SCORE or
    more. error (E,), the keypoint errors that were measured, rising; error_picture (E,), their pictures.
    """

    rankings: dict[str, Ranking]
    faceless: NDArray[np.bool_]
    false_positives: NDArray[np.intp]
    error: Floats
    error_picture: NDArray[np.intp]

    def figures(self, weight: Weights | None = None) -> dict[str, float]:
        """The row of the table: AP by size bin, false positives per face-less picture, keypoint error (a median).

        weight: (P,), how often each picture counts. NaN where there is nothing to measure.
        """
        row = {f"AP {name}": ranking.average_precision(weight) for name, ranking in self.rankings.items()}
        each = np.ones(len(self.faceless), np.intp) if weight is None else weight
        faceless = int(each @ self.faceless)
        row[FALSE_POSITIVES] = (
            float(each[self.faceless] @ self.false_positives[self.faceless]) / faceless if faceless else np.nan
        )
        row[KEYPOINTS] = weighted_median(self.error, each[self.error_picture])
        return row


def make_columns(records: Sequence[Record]) -> Columns:
    """Join the records. Detections of equal score keep their order, which matters to no figure."""
    scores = _joined(record.detections.scores for record in records)
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    picture = np.repeat(np.arange(len(records)), [len(record.detections) for record in records])[order]
    wrong = _joined(record.wrong for record in records)[order] > 0
    size = _joined(record.size for record in records)[order]
    found = _joined(_found_size(record) for record in records)[order]

    face_size = _joined(record.face_size for record in records)
    face_picture = np.repeat(np.arange(len(records)), [len(record.face_size) for record in records])
    error = _joined(record.keypoint_error for record in records)
    rising = np.argsort(error)[: np.isfinite(error).sum()]  # NaN is sorted to the end

    rankings = {}
    for name, (low, high) in BINS.items():
        hit = (found >= low) & (found < high)
        counted = hit | (wrong & (size >= low) & (size < high))
        inside = (face_size >= low) & (face_size < high)
        faces = np.bincount(face_picture[inside], minlength=len(records))
        rankings[name] = Ranking(scores[counted], hit[counted], picture[counted], faces)
    return Columns(
        rankings,
        faceless=np.array([len(record.face_size) == 0 for record in records], bool),
        false_positives=np.bincount(picture[wrong & (scores >= FALSE_POSITIVE_SCORE)], minlength=len(records)),
        error=error[rising],
        error_picture=face_picture[rising],
    )


def weighted_median(values: Floats, weight: Weights) -> float:
    """Median of rising values (N,), each counted weight (N,) times; NaN where nothing counts."""
    upto = np.cumsum(weight)
    count = int(upto[-1]) if len(upto) else 0
    if count == 0:
        return float("nan")
    middle = np.searchsorted(upto, [(count - 1) // 2, count // 2], side="right")
    return float(values[middle].mean())


def _joined(parts: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *parts])


def _found_size(record: Record) -> Floats:
    """Relative size of the face that each detection found, NaN for those that found none: (D,)."""
    sizes = np.append(record.face_size, np.nan)
    found: Floats = sizes[record.face]  # face is -1 where there is none, which is the NaN
    return found
