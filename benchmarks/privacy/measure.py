"""What a mask of covered pixels leaves open of a face, and covers beside faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OPEN_BELOW = 0.9
"""A face is open in a frame when less than this share of the ellipse in its box is covered."""


def ellipse_covered(mask: NDArray[np.bool_], box: Sequence[float]) -> float:
    """Share of the ellipse in a box (x1 y1 x2 y2) that is covered, of its part inside the picture; 1 where none is."""
    window, inside = ellipse_in(box, mask.shape[1], mask.shape[0])
    return float(mask[window][inside].mean()) if inside.any() else 1.0


def beside(mask: NDArray[np.bool_], boxes: Sequence[Sequence[float]]) -> float:
    """Share of the picture that is covered and lies in none of the ellipses of the boxes."""
    left = mask.copy()
    for box in boxes:
        window, inside = ellipse_in(box, mask.shape[1], mask.shape[0])
        left[window] &= ~inside
    return float(left.mean())


def ellipse_in(box: Sequence[float], width: int, height: int) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """The rows and columns of a picture under a box, and which of their pixels have their middle in its ellipse."""
    x1, y1, x2, y2 = box
    left, right = (int(np.clip(v, 0, width)) for v in (np.floor(x1), np.ceil(x2)))
    top, bottom = (int(np.clip(v, 0, height)) for v in (np.floor(y1), np.ceil(y2)))
    xs = (np.arange(left, right) + 0.5 - (x1 + x2) / 2) / max((x2 - x1) / 2, 1e-6)
    ys = (np.arange(top, bottom) + 0.5 - (y1 + y2) / 2) / max((y2 - y1) / 2, 1e-6)
    return (slice(top, bottom), slice(left, right)), xs[None, :] ** 2 + ys[:, None] ** 2 <= 1
