"""Average precision of detections that are in order, each with a weight where pictures are drawn again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Floats

Weights = NDArray[np.integer[Any]]


def average_precision(scores: Floats, hit: NDArray[np.bool_], faces: int, weight: Weights | None = None) -> float:
    """Area under the precision envelope over all points; see `precision_recall`. NaN without a face to find.

    The envelope at a recall is the best precision at that recall or a higher one.
    """
    if faces == 0:
        return float("nan")
    precision, recall = precision_recall(scores, hit, faces, weight)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def precision_recall(
    scores: Floats, hit: NDArray[np.bool_], faces: int, weight: Weights | None = None
) -> tuple[Floats, Floats]:
    """Precision and recall after each distinct score.

    scores: (D,), falling. hit: (D,), whether the detection found a face; the others are false positives.
    faces: how many there are to find. weight: (D,), how often each detection counts, once by default;
    `faces` is then weighted too. Detections of equal score count at once, so that their order does not
    matter.
    """
    each = np.ones(len(scores), np.int64) if weight is None else weight
    hits, counted = np.cumsum(each * hit), np.cumsum(each)
    last = np.flatnonzero(np.diff(scores, append=-np.inf))  # last detection of each score
    found = hits[last].astype(np.float64)
    return found / np.maximum(counted[last], 1), found / max(faces, 1)
