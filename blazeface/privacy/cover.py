"""Faces made unrecognisable: covered, or reduced to so few colours that nothing of them is left to bring back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from blazeface.detections import Detections
from blazeface.geometry import Image
from blazeface.privacy.rules import RULES
from blazeface.privacy.tracks import with_margin

CoverStyle = Literal["solid", "pixelate", "gaussian"]
COVER_STYLES: tuple[CoverStyle, ...] = get_args(CoverStyle)


def cover_faces(image: Image, faces: Detections, how: CoverStyle) -> Image:
    """A copy of a BGR picture (H, W, 3) with its faces covered, each with the margins of the rules."""
    seen = zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)
    return cover_boxes(image, (with_margin(box, RULES, score) for box, score in seen), how)


def cover_boxes(image: Image, boxes: Iterable[Sequence[float]], how: CoverStyle) -> Image:
    """A copy of a BGR picture (H, W, 3) whose pixels under the boxes, x1 y1 x2 y2, are covered.

    "solid" paints them black, "pixelate" leaves at most cells x cells squares of mean colour, "gaussian" the same
    colours running into each other. Only "solid" leaves nothing at all of a face, in a video of any length.
    """
    covered = image.copy()
    for box in boxes:
        field = cover_region(box, image.shape[1], image.shape[0])
        if field is not None:
            covered[field] = _without_detail(image[field], how)
    return covered


def cover_all(image: Image, how: CoverStyle) -> Image:
    """The whole picture covered: for one in which nobody knows where the faces are."""
    return _without_detail(image, how)


def cover_region(box: Sequence[float], width: int, height: int) -> tuple[slice, slice] | None:
    """Rows and columns of a picture under a box, whole pixels outwards; None where it lies outside."""
    x1, y1, x2, y2 = (float(value) for value in box)
    left, right = (int(np.clip(v, 0, width)) for v in (np.floor(x1), np.ceil(x2)))
    top, bottom = (int(np.clip(v, 0, height)) for v in (np.floor(y1), np.ceil(y2)))
    return (slice(top, bottom), slice(left, right)) if right > left and bottom > top else None


def _without_detail(part: Image, how: CoverStyle) -> Image:
    if how == "solid":
        return np.zeros_like(part)
    height, width = part.shape[:2]
    cell = max(height, width) / RULES.cells
    few = (max(1, round(width / cell)), max(1, round(height / cell)))
    cells = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    smooth = cv2.INTER_NEAREST if how == "pixelate" else cv2.INTER_CUBIC
    return cv2.resize(cells, (width, height), interpolation=smooth)  # type: ignore[return-value]
