"""Raw regressions <-> boxes and keypoints. Only here and in the training targets are units relative.

One row of raw regressions is centre x, centre y, width, height, then x y of each keypoint. Divided by
the decode scale, width and height are in units of the input side, and all points are offsets from the
anchor's centre. No exponential is involved, as in Google's released models.
"""

from __future__ import annotations

import numpy as np

from blazeface.geometry import Floats

LOGIT_LIMIT = 80.0
"""Logits are clipped to this before the sigmoid. MediaPipe clips them to 100, where float32's exp()
overflows; the scores differ by less than 1e-34."""


def sigmoid(logits: Floats) -> Floats:
    """Scores in [0, 1] from logits of any shape."""
    limited = np.minimum(np.maximum(logits, -LOGIT_LIMIT), LOGIT_LIMIT)  # np.clip takes twice as long on a few
    scores: Floats = 1 / (1 + np.exp(-limited))
    return scores


def decode(regressions: Floats, centers: Floats, scale: float) -> tuple[Floats, Floats]:
    """Raw regressions (N, 4 + 2K) at anchor centres (N, 2) -> boxes (N, 4) and keypoints (N, K, 2).

    Results are in units of the input side, boxes as x1 y1 x2 y2. A negative raw width or height
    gives a box whose corners are swapped: such candidates are dropped by the caller.
    """
    values = (regressions / scale).reshape(len(regressions), regressions.shape[1] // 2, 2)
    points = values + centers[:, None]  # the sides too, which costs less than leaving them out
    middle, half = points[:, 0], values[:, 1] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return boxes, points[:, 2:]


def encode(boxes: Floats, keypoints: Floats, centers: Floats, scale: float) -> Floats:
    """The inverse of `decode`: boxes (N, 4) and keypoints (N, K, 2) -> raw regressions (N, 4 + 2K)."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - centers
    sides = boxes[:, 2:] - boxes[:, :2]
    points = (keypoints - centers[:, None, :]).reshape(len(boxes), 2 * keypoints.shape[1])
    return np.concatenate([middle, sides, points], axis=1) * scale
