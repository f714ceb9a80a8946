"""Material for tests of covers: detections, and whether a box lies under covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from blazeface.detections import Detections
from blazeface.privacy.covers import Cover


def found(*faces: tuple[float, float, float, float]) -> Detections:
    """Square faces, each (left, top, side, score), best first."""
    rows = np.array(sorted(faces, key=lambda face: -face[3]), np.float32).reshape(-1, 4)
    boxes = np.stack([rows[:, 0], rows[:, 1], rows[:, 0] + rows[:, 2], rows[:, 1] + rows[:, 2]], axis=1)
    return Detections(boxes, rows[:, 3].copy(), np.zeros((len(rows), 6, 2), np.float32))


def lies_under(box: Sequence[float], covers: Iterable[Cover] | None) -> bool:
    """Whether one of the covers holds the whole box; None: all is covered."""
    if covers is None:
        return True
    x1, y1, x2, y2 = box
    return any(c.box[0] <= x1 and c.box[1] <= y1 and c.box[2] >= x2 and c.box[3] >= y2 for c in covers)
