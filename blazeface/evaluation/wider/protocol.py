"""WIDER FACE's own protocol: AP of the subsets easy, medium and hard, as its published results have it.

Source: the evaluation code of Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016.
It differs from `ap.py` in each of its steps, so nothing is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Floats

SUBSETS = ("easy", "medium", "hard")
THRESHOLDS = 1000
IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class WiderTruth:
    """One picture of the ground truth.

    event, name: its folder and its name without suffix. boxes: (G, 4) float64, x y width height in pixels.
    counted: for each subset (G,) bool, which of the boxes it counts; the others are ignored in it.
    """

    event: str
    name: str
    boxes: NDArray[np.float64]
    counted: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class _MatchOutcomes:
    """What became of P predictions: their normalised scores, whether each counts at all, whether it found a face."""

    scores: Floats
    counts: NDArray[np.bool_]
    found: NDArray[np.bool_]


def wider_ap(truths: Sequence[WiderTruth], predictions: Sequence[Floats]) -> dict[str, float]:
    """AP of each subset; NaN for one that counts no face.

    predictions: for each picture (P, 5), `x y width height score` in pixels, in any order; scores on any scale, since
    they are stretched to [0, 1] over all pictures.
    """
    scaled = normalised_scores(predictions)
    orders = [np.argsort(-scores, kind="stable") for scores in scaled]
    chosen = [
        closest(boxes[order], truth.boxes) for boxes, order, truth in zip(predictions, orders, truths, strict=True)
    ]
    result = {}
    for subset in SUBSETS:
        parts = [
            _match_outcomes(scores[order], face, truth.counted[subset])
            for scores, order, face, truth in zip(scaled, orders, chosen, truths, strict=True)
            if len(truth.boxes)  # a picture without any label is passed over, with what was found in it
        ]
        faces = sum(int(truth.counted[subset].sum()) for truth in truths)
        result[subset] = _average_precision(_joined(parts), faces)
    return result


def normalised_scores(predictions: Sequence[Floats]) -> list[Floats]:
    """The scores of all pictures stretched so that the least is 0 and the best 1; all 1 where they are equal."""
    scores = [np.asarray(rows[:, 4], np.float64) for rows in predictions]
    every = np.concatenate([*scores, np.zeros(0)])
    low, high = (every.min(), every.max()) if len(every) else (0.0, 0.0)
    if high == low:
        return [np.ones(len(own)) for own in scores]
    return [(own - low) / (high - low) for own in scores]


def closest(predictions: Floats, faces: Floats) -> NDArray[np.intp]:
    """For each prediction (P, 4 or more) the face (G, 4) of highest IoU, -1 below IOU_THRESHOLD: (P,).

    Boxes are x y width height. Of equal IoU the first face is taken. A prediction never falls back on the second best,
    be the best one taken or ignored.
    """
    if not len(predictions) or not len(faces):
        return np.full(len(predictions), -1)
    overlap = wider_iou(predictions, faces)
    best = overlap.argmax(axis=1)
    return np.where(overlap[np.arange(len(best)), best] >= IOU_THRESHOLD, best, -1)


def wider_iou(a: Floats, b: Floats) -> Floats:
    """IoU of boxes (N, 4) and (M, 4), x y width height: (N, M).

    The last pixel belongs to the box, so each side is one longer than its width or height says.
    """
    a_end, b_end = a[:, :2] + a[:, 2:4], b[:, :2] + b[:, 2:4]
    sides = np.minimum(a_end[:, None], b_end) - np.maximum(a[:, None, :2], b[:, :2]) + 1
    shared = np.where((sides > 0).all(axis=2), sides[..., 0] * sides[..., 1], 0.0)
    areas = [(end - boxes[:, :2] + 1).prod(axis=1) for boxes, end in ((a, a_end), (b, b_end))]
    result: Floats = shared / (areas[0][:, None] + areas[1] - shared)
    return result


def _match_outcomes(scores: Floats, face: NDArray[np.intp], counted: NDArray[np.bool_]) -> _MatchOutcomes:
    """What one picture's predictions are in one subset, best score first.

    The first on a counted face has found it; a later one is a false positive. One on an ignored face counts neither
    way.
    """
    on_face = face >= 0
    ignored = on_face & ~counted[face]
    first = np.zeros(len(face), bool)
    first[np.unique(face, return_index=True)[1]] = True
    return _MatchOutcomes(scores, ~ignored, first & on_face & ~ignored)


def _average_precision(outcomes: _MatchOutcomes, faces: int) -> float:
    """Area under the envelope of the curve at 1,000 equally spaced thresholds."""
    if not faces:
        return float("nan")
    order = np.argsort(-outcomes.scores, kind="stable")
    counted = np.concatenate([[0], np.cumsum(outcomes.counts[order])])
    found = np.concatenate([[0], np.cumsum(outcomes.found[order])])
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    taken = np.searchsorted(-outcomes.scores[order], -thresholds, side="right")
    precision = found[taken] / np.maximum(counted[taken], 1)  # none taken: 0, not 0/0
    recall = found[taken] / faces
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _joined(parts: list[_MatchOutcomes]) -> _MatchOutcomes:
    if not parts:
        return _MatchOutcomes(np.zeros(0), np.zeros(0, bool), np.zeros(0, bool))
    scores, counts, found = zip(*((part.scores, part.counts, part.found) for part in parts), strict=True)
    return _MatchOutcomes(np.concatenate(scores), np.concatenate(counts), np.concatenate(found))
