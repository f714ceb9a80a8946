"""Labelled pictures made harder by fixed rules: the same picture always comes out the same.

A picture's long side stays as it is, so a face's relative size r, by which it is counted, does too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.data.crops import move_labels
from blazeface.data.samples import Sample
from blazeface.geometry import Image, network_view

BLUR = 1 / 80
"""Standard deviation of the Gaussian blur, over the picture's long side: 1.6 pixels of an input of 128."""

CONTRAST = 0.3
"""By how much differences from mid grey shrink."""

LONG_SIDE = 64
"""Pixels of the long side at low resolution."""

BAR_HEIGHT = 0.25
"""Height of the bar over the eyes, over that of the box."""

EYE_LINE = 0.3
"""Where the eyes lie in a box without labelled eyes, over its height."""

GREY = (127, 127, 127)
BLACK = (0, 0, 0)

Condition = Callable[[Image, Sample, int], tuple[Image, Sample]]
"""A picture BGR uint8 (H, W, 3), its labels and its position in the list of pictures; the harder picture and its labels."""


def roll(degrees: float) -> Condition:
    """The picture in the middle of a black square of its long side, turned about the square's middle.

    Every other picture is turned the other way. The square keeps the scale; what leaves it is lost, and a face that
    leaves it by any part is an ignore region. A turned box is the upright box around the turned ellipse (`move_labels`).
    """

    def apply(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
        matrix = roll_matrix(image.shape[0], image.shape[1], degrees if position % 2 == 0 else -degrees)
        side = max(image.shape[:2])
        boxes, keypoints = move_labels(sample.boxes, sample.keypoints, matrix)
        cut = ((boxes[:, :2] < 0) | (boxes[:, 2:] > side)).any(axis=1)
        # A box that reached over the picture's edge before is no more cut off than it was.
        cut &= ((sample.boxes[:, :2] >= 0) & (sample.boxes[:, 2:] <= (image.shape[1], image.shape[0]))).all(axis=1)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        gone = ((middle < 0) | (middle >= side)).any(axis=1)
        turned = replace(sample, boxes=boxes, keypoints=keypoints, ignore=sample.ignore | cut | gone)
        return network_view(image, matrix, side), turned

    return apply


def roll_matrix(height: int, width: int, degrees: float) -> NDArray[np.float64]:
    """2 x 3, from the picture to the square of its long side, turned clockwise, continuous coordinates."""
    side = max(height, width)
    # Whole pixels, so that a turn by 90 degrees moves pixels and mixes none.
    offset = np.array([(side - width) // 2, (side - height) // 2], np.float64)
    # Exact at multiples of 90 degrees, where math.cos is not.
    cos, sin = round(math.cos(math.radians(degrees)), 12), round(math.sin(math.radians(degrees)), 12)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, side / 2)
    shift = linear @ (offset - middle) + middle
    return np.concatenate([linear, shift[:, None]], axis=1)


def blur(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
    """Out of focus: Gaussian blur."""
    sigma = BLUR * max(image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), sigma), sample  # type: ignore[return-value]


def low_contrast(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
    """Haze: each value comes nearer to mid grey."""
    flat = np.round(127.5 + CONTRAST * (image.astype(np.float32) - 127.5))
    return flat.astype(np.uint8), sample


def low_resolution(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
    """Scaled down to LONG_SIDE by areas and up again bilinearly; a picture that is no larger stays as it is."""
    height, width = image.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return image, sample
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), sample  # type: ignore[return-value]


def lower_half_covered(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
    """Each counted face grey from its nose tip down, or from the box's middle where that is not labelled."""
    image = image.copy()
    for box, points, visibility in _counted(sample):
        top = float(points[2, 1]) if visibility[2] else float(box[1] + box[3]) / 2
        _fill(image, box[0], top, box[2], box[3], GREY)
    return image, sample


def eyes_covered(image: Image, sample: Sample, position: int) -> tuple[Image, Sample]:
    """A black bar over the eyes of each counted face, as wide as its box."""
    image = image.copy()
    for box, points, visibility in _counted(sample):
        height = float(box[3] - box[1])
        labelled = bool(visibility[0] and visibility[1])
        middle = float(points[:2, 1].mean()) if labelled else float(box[1]) + EYE_LINE * height
        _fill(image, box[0], middle - BAR_HEIGHT * height / 2, box[2], middle + BAR_HEIGHT * height / 2, BLACK)
    return image, sample


CONDITIONS: dict[str, Condition] = {
    "roll 30": roll(30),
    "roll 60": roll(60),
    "roll 90": roll(90),
    "roll 180": roll(180),
    "blur": blur,
    "low contrast": low_contrast,
    "lower half covered": lower_half_covered,
    "eyes covered": eyes_covered,
    "low resolution": low_resolution,
}


def _counted(sample: Sample) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]]:
    """Box, keypoints and their visibility of each face that is no ignore region."""
    kept = ~sample.ignore
    yield from zip(sample.boxes[kept], sample.keypoints[kept], sample.visibility[kept], strict=True)


def _fill(image: Image, x1: float, y1: float, x2: float, y2: float, color: tuple[int, int, int]) -> None:
    """Paint a rectangle, rounded to whole pixels, where it lies in the picture."""
    left, top, right, bottom = (max(0, round(float(value))) for value in (x1, y1, x2, y2))
    image[top:bottom, left:right] = color
