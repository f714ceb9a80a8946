"""Average precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Floats


def average_precision(scores: Floats, hit: NDArray[np.bool_], faces: int) -> float:
    """Area under the precision envelope over all points, for detections (N,) that hit or are wrong.

    Detections of equal score count at once, so the result does not depend on their order. Without a face
    to find it is NaN.
    """
    if faces == 0:
        return float("nan")
    precision, recall = precision_recall(scores, hit, faces)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def precision_recall(scores: Floats, hit: NDArray[np.bool_], faces: int) -> tuple[Floats, Floats]:
    """Precision and recall after each distinct score, from high to low."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(hit[order])
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # last detection of each score
    hits = hits[last]
    return hits / (last + 1), hits / max(faces, 1)
