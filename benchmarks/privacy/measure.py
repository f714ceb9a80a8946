"""What a mask of covered pixels leaves open of a face, and covers beside faces."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

OPEN_BELOW = 0.9
"""A face is open in a frame when less than this share of the ellipse in its box is covered."""


def ellipse_covered(mask: NDArray[np.bool_], box: Sequence[float]) -> float:
    """Share of the ellipse in a box (x1 y1 x2 y2) that is covered, of its part inside the picture; 1 where none is."""
    height, width = mask.shape
    x1, y1, x2, y2 = box
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right <= left or bottom <= top:
        return 1.0
    xs = (np.arange(left, right) + 0.5 - (x1 + x2) / 2) / max((x2 - x1) / 2, 1e-6)
    ys = (np.arange(top, bottom) + 0.5 - (y1 + y2) / 2) / max((y2 - y1) / 2, 1e-6)
    inside = xs[None, :] ** 2 + ys[:, None] ** 2 <= 1
    return float(mask[top:bottom, left:right][inside].mean()) if inside.any() else 1.0


def beside(mask: NDArray[np.bool_], boxes: Sequence[Sequence[float]]) -> float:
    """Share of the picture that is covered and lies in none of the ellipses of the boxes."""
    faces = np.zeros(mask.shape, np.uint8)
    for x1, y1, x2, y2 in boxes:
        middle = (round((x1 + x2) * 8), round((y1 + y2) * 8))  # in sixteenths of a pixel
        axes = (max(1, round((x2 - x1) * 8)), max(1, round((y2 - y1) * 8)))
        cv2.ellipse(faces, middle, axes, 0, 0, 360, 1, cv2.FILLED, cv2.LINE_8, 4)
    return float((mask & (faces == 0)).mean())
