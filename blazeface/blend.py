"""Weighted blending of overlapping candidates, and hard non-maximum suppression for comparison.

Suppression keeps one of many candidates, and which one wins flickers from frame to frame. Blending
averages them, which steadies the result (BlazeFace, arXiv 1907.05047, section 3.4).
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Floats, box_iou

MATRIX = 1024
"""Candidates up to which the overlaps of all pairs are computed at once, which is faster; of more, only those with the
best ones, which takes less memory."""

TINY = 1e-30
"""An area that no box of a face has; empty boxes are divided by it, and so share nothing of it."""


def cluster(boxes: Floats, scores: Floats, iou_threshold: float) -> list[NDArray[np.intp]]:
    """Group candidates greedily: the best one left, with all left that overlap it by more than the threshold.

    boxes (N, 4), scores (N,). Each group is an index array whose first entry is its best candidate;
    groups come best first. Equal scores keep their order. An empty box (no area) groups with nothing
    but itself.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) > MATRIX:
        return _cluster_rows(boxes[order], order, iou_threshold)
    overlap = _overlap(boxes[order], iou_threshold)
    left = np.ones(len(order), bool)
    groups = []
    for best in range(len(order)):
        if left[best]:
            members = overlap[best] & left
            members[best] = True
            left &= ~members
            groups.append(order[members])
    return groups


def _cluster_rows(boxes: Floats, order: NDArray[np.intp], iou_threshold: float) -> list[NDArray[np.intp]]:
    """`cluster` of boxes (N, 4), best first, with the overlaps of one box at a time; order: their numbers."""
    groups = []
    while len(order):
        members = box_iou(boxes[:1], boxes)[0] > iou_threshold
        members[0] = True
        groups.append(order[members])
        boxes, order = boxes[~members], order[~members]
    return groups


def _overlap(boxes: Floats, iou_threshold: float) -> NDArray[np.bool_]:
    """Which of boxes (N, 4) overlap by more than the threshold: (N, N); `box_iou` with itself in half the steps."""
    left, top, right, bottom = np.ascontiguousarray(boxes.T)
    width = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.maximum(width, 0, out=width)
    shared *= np.maximum(height, 0, out=height)
    area = shared.diagonal()  # a box shares all of itself
    union = np.maximum(area[:, None] + area - shared, TINY)
    overlap: NDArray[np.bool_] = shared / union > iou_threshold
    return overlap


def blend(boxes: Floats, scores: Floats, keypoints: Floats, iou_threshold: float) -> tuple[Floats, Floats, Floats]:
    """One face per group of overlapping candidates: corners and keypoints averaged, weighted by score.

    boxes (N, 4), scores (N,), keypoints (N, K, 2), scores above zero -> the same for M <= N faces,
    best first. A face keeps the best score of its group, as in MediaPipe's weighted non-maximum
    suppression; averaging the score too would punish a face for being seen by many anchors.
    """
    groups = cluster(boxes, scores, iou_threshold)
    if not groups:
        return boxes[:0], scores[:0], keypoints[:0]
    members = np.concatenate(groups)
    starts = list(accumulate((len(group) for group in groups[:-1]), initial=0))
    values = np.concatenate([boxes, keypoints.reshape(len(boxes), -1)], axis=1)[members]
    weights = scores[members].astype(np.float64)
    totals = np.add.reduceat(weights, starts)
    means = np.add.reduceat(values * weights[:, None], starts, axis=0) / totals[:, None]
    means = means.astype(boxes.dtype)
    return means[:, :4], scores[members[starts]], means[:, 4:].reshape(len(groups), *keypoints.shape[1:])


def hard_nms(
    boxes: Floats, scores: Floats, keypoints: Floats, iou_threshold: float
) -> tuple[Floats, Floats, Floats]:
    """The best candidate of each group, unchanged. Same shapes as `blend`."""
    best = np.array([group[0] for group in cluster(boxes, scores, iou_threshold)], np.intp)
    return boxes[best], scores[best], keypoints[best]
