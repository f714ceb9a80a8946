"""Average precision of detections in order, each with a weight where pictures are drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Floats

Weights = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Steps:
    """Where recall grows along a ranking of detections: all that average precision depends on.

    Precision at any other place is no higher than at the step before it, whatever the weights, so the
    envelope does not see it. Worked out once, this makes a bootstrap several times faster.

    hits: (H,) positions of the detections that found a face. ends: (S,) position of the last detection of
    each score at which a face was found. upto: (S,) how many of the hits lie at or before each end.
    """

    hits: NDArray[np.intp]
    ends: NDArray[np.intp]
    upto: NDArray[np.intp]


def recall_steps(scores: Floats, hit: NDArray[np.bool_]) -> Steps:
    """scores: (D,), falling. hit: (D,), whether the detection found a face; the others are false positives."""
    last = np.flatnonzero(np.diff(scores, append=-np.inf))  # last detection of each score
    found = np.cumsum(hit, dtype=np.intp)[last]
    grows = np.diff(found, prepend=0) > 0
    return Steps(np.flatnonzero(hit), last[grows], found[grows])


def average_precision(steps: Steps, faces: int, weight: Weights | None = None) -> float:
    """Area under the precision envelope over all points. NaN without a face to find.

    The envelope at a recall is the best precision at that recall or a higher one. faces: how many there are
    to find. weight: (D,), how often each detection counts, once by default; `faces` is then weighted too.
    Detections of equal score count at once, so that their order does not matter.
    """
    if faces == 0:
        return float("nan")
    found, counted = steps.upto, steps.ends + 1
    if weight is not None:
        found = np.cumsum(weight[steps.hits], dtype=np.intp)[steps.upto - 1]
        counted = np.cumsum(weight, dtype=np.intp)[steps.ends]
    envelope = np.maximum.accumulate((found / np.maximum(counted, 1))[::-1])[::-1]
    return float(np.diff(found, prepend=0) @ envelope) / faces


def precision_recall(scores: Floats, hit: NDArray[np.bool_], faces: int) -> tuple[Floats, Floats]:
    """Precision and recall after each distinct score, for a curve."""
    last = np.flatnonzero(np.diff(scores, append=-np.inf))
    found = np.cumsum(hit)[last].astype(np.float64)
    return found / (last + 1), found / max(faces, 1)
