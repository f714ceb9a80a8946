"""Which detections of one picture found which of its faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.geometry import Floats, box_area, box_intersection, box_iou

IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class Matches:
    """What became of the D detections of a picture.

    face: (D,) int, the counted face each detection found, or -1. wrong: (D,) bool, false positives. A
    detection that is neither lies on an ignore region.
    """

    face: NDArray[np.intp]
    wrong: NDArray[np.bool_]


def match(
    detections: Detections, faces: Floats, ignore_regions: Floats, iou_threshold: float = IOU_THRESHOLD
) -> Matches:
    """Match detections with counted faces (T, 4), given ignore regions (R, 4), all in pixels.

    Best score first, each detection takes the free face of highest IoU, if that is `iou_threshold` or more. One that
    takes none is wrong, unless more than half of its area lies inside one ignore region.
    """
    count = len(detections)
    boxes = detections.boxes.astype(np.float64)
    iou = box_iou(boxes, faces.astype(np.float64))
    face = np.full(count, -1, np.intp)
    for i in range(count if len(faces) else 0):
        best = int(iou[i].argmax())
        if iou[i, best] >= iou_threshold:
            face[i] = best
            iou[:, best] = -1  # no longer free
    inside = box_intersection(boxes, ignore_regions.astype(np.float64)).max(axis=1, initial=0.0)
    return Matches(face, wrong=(face < 0) & (inside <= 0.5 * box_area(boxes)))


def relative_size(boxes: Floats, height: int, width: int) -> Floats:
    """Root of the area of boxes (N, 4) in pixels over the picture's long side: (N,)."""
    size: Floats = np.sqrt(box_area(boxes.astype(np.float64))) / max(height, width)
    return size
