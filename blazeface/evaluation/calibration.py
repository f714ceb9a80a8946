"""Whether a score says how likely a detection is a face: of those around 0.7, seven in ten should be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from blazeface.evaluation.bootstrap import rounded
from blazeface.evaluation.record import Record

EDGES = tuple(round(0.1 * i, 1) for i in range(1, 11))
"""Bounds of the bins. Detections below the first are left out: they are many and nearly all wrong, and any detector that
lists enough of them would look well calibrated."""


class Bin(TypedDict):
    """Detections with low <= score < high (the last bin holds 1 too): how many, their mean score, and the share that
    found a face."""

    low: float
    high: float
    detections: int
    score: float | None
    right: float | None


class Calibration(TypedDict):
    """error: the expected calibration error, the mean over detections of |share right - mean score| of their bin (Guo
    et al., "On Calibration of Modern Neural Networks", 2017, equation 5). None without a detection."""

    error: float | None
    detections: int
    bins: list[Bin]


def calibration(records: Sequence[Record]) -> Calibration:
    """Of all detections from EDGES[0] up that found a face (IoU 0.5) or are wrong; those on ignore regions are neither."""
    counted = [(record.face >= 0) | record.wrong for record in records]
    score = _joined([record.detections.scores[known] for record, known in zip(records, counted, strict=True)])
    right = _joined([record.face[known] >= 0 for record, known in zip(records, counted, strict=True)])
    place = np.digitize(score, EDGES[1:-1])
    bins, error, total = [], 0.0, int((score >= EDGES[0]).sum())
    for i, (low, high) in enumerate(itertools.pairwise(EDGES)):
        inside = (place == i) & (score >= EDGES[0])
        count = int(inside.sum())
        mean, share = (score[inside].mean(), right[inside].mean()) if count else (np.nan, np.nan)
        error += count * abs(share - mean) if count else 0.0
        bins.append(Bin(low=low, high=high, detections=count, score=rounded(mean), right=rounded(share)))
    return Calibration(error=rounded(error / total if total else np.nan), detections=total, bins=bins)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)
