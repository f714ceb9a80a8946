"""Faces made unrecognisable: covered, or reduced to so few colours that nothing of them is left to bring back."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.geometry import Image

CoverStyle = Literal["solid", "pixelate", "gaussian"]
COVER_STYLES: tuple[CoverStyle, ...] = get_args(CoverStyle)

MARGIN = 0.3
"""Added on every side of a box, in its own sides: hair, chin and ears tell as well."""

CELLS = 5
"""A hidden field holds no more than this many colours along its longer side, however large the face."""


def cover_faces(
    image: Image, faces: Detections, how: CoverStyle, reach: NDArray[np.float64] | None = None
) -> Image:
    """A copy of a BGR picture with its faces hidden, each with a margin.

    "solid" paints them black, "pixelate" leaves at most CELLS x CELLS squares of mean colour, "gaussian" the same
    colours running into each other. Only "solid" leaves nothing at all of a face, in a video of any length.
    reach: (N,), sides by which each face may have moved since it was found; its margin grows by them.
    """
    hidden = image.copy()
    for n, box in enumerate(faces.boxes):
        margin = MARGIN + (0.0 if reach is None else float(reach[n]))
        field = cover_region(box, margin, image.shape[1], image.shape[0])
        if field is not None:
            hidden[field] = _without_detail(image[field], how)
    return hidden


def cover_all(image: Image, how: CoverStyle) -> Image:
    """The whole picture hidden: for one in which nobody knows where the faces are."""
    return _without_detail(image, how)


def cover_region(box: NDArray[np.float32], margin: float, width: int, height: int) -> tuple[slice, slice] | None:
    """Rows and columns of a picture under a box with a margin, whole pixels outwards; None where it lies outside."""
    x1, y1, x2, y2 = (float(value) for value in box)
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    left, right = (int(np.clip(v, 0, width)) for v in (np.floor(x1 - across), np.ceil(x2 + across)))
    top, bottom = (int(np.clip(v, 0, height)) for v in (np.floor(y1 - down), np.ceil(y2 + down)))
    return (slice(top, bottom), slice(left, right)) if right > left and bottom > top else None


def _without_detail(part: Image, how: CoverStyle) -> Image:
    if how == "solid":
        return np.zeros_like(part)
    height, width = part.shape[:2]
    cell = max(height, width) / CELLS
    few = (max(1, round(width / cell)), max(1, round(height / cell)))
    cells = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    smooth = cv2.INTER_NEAREST if how == "pixelate" else cv2.INTER_CUBIC
    return cv2.resize(cells, (width, height), interpolation=smooth)  # type: ignore[return-value]
