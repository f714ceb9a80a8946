"""Drawing faces into a picture: boxes, keypoints, scores; all sizes grow with the picture, and shrink with small faces."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image

Color = tuple[int, int, int]

BOX: Color = (90, 220, 60)  # BGR
DARK: Color = (25, 25, 25)
LIGHT: Color = (245, 245, 245)
KEYPOINTS: tuple[Color, ...] = (
    (60, 60, 245),  # right eye: red; the person's right side is red, the left blue
    (250, 150, 40),  # left eye
    (60, 230, 250),  # nose tip
    (240, 120, 240),  # mouth centre
    (100, 100, 200),  # right ear
    (210, 170, 110),  # left ear
)

SHIFT = 4  # OpenCV draws at sixteenths of a pixel
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Faces(Protocol):
    """The part of `detections.Detections` that is drawn; that class imports this module, for `plot`."""

    @property
    def boxes(self) -> NDArray[np.float32]: ...

    @property
    def scores(self) -> NDArray[np.float32]: ...

    @property
    def keypoints(self) -> NDArray[np.float32]: ...

    @property
    def track_ids(self) -> NDArray[np.int64] | None: ...

    def __len__(self) -> int: ...


def draw_faces(image: Image, faces: Faces) -> Image:
    """A copy of a BGR uint8 picture (H, W, 3) with the faces drawn in, the best on top.

    A label that would be more than twice as wide as its face is left out, so that a crowd stays visible.
    """
    canvas = np.ascontiguousarray(image).copy()
    units = [_face_line_width(image, box) for box in faces.boxes]
    for i in reversed(range(len(faces))):
        _draw_box(canvas, faces.boxes[i], units[i])
        _draw_keypoints(canvas, faces.keypoints[i], faces.boxes[i], units[i])
    for i in reversed(range(len(faces))):
        x1, y1, x2, y2 = (float(value) for value in faces.boxes[i])
        number = "" if faces.track_ids is None else f"#{faces.track_ids[i]} "
        _draw_label(canvas, f"{number}{faces.scores[i]:.2f}", x1, y1, y2, units[i], widest=2 * (x2 - x1))
    return canvas


def draw_note(canvas: Image, text: str) -> None:
    """Write a line into the top left corner of a picture, in place."""
    _draw_label(canvas, text, 0, 0, 0, line_width(canvas))


def line_width(image: Image) -> int:
    """Width of a line in pixels: 1 for a thumbnail, 2 for VGA, 5 for 1080p."""
    side: int = min(image.shape[:2])
    return max(1, round(side / 200))


def _face_line_width(image: Image, box: np.ndarray) -> int:
    """The picture's, or a 24th of the face's longer side where that is less."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    return max(1, min(line_width(image), round(side / 24)))


def _draw_box(canvas: Image, box: np.ndarray, unit: int) -> None:
    # On whole pixels, the outermost that the box covers: a thin line between two would look faint.
    left, top = (round(v) for v in _near(canvas, box[:2]))
    right, bottom = (round(v) - 1 for v in _near(canvas, box[2:]))
    # A dark edge keeps the box visible on a background of its own colour.
    cv2.rectangle(canvas, (left, top), (right, bottom), DARK, unit + 2 * max(1, unit // 2))
    cv2.rectangle(canvas, (left, top), (right, bottom), BOX, unit)


def _draw_keypoints(canvas: Image, points: np.ndarray, box: np.ndarray, unit: int) -> None:
    side = float(max(box[2] - box[0], box[3] - box[1], 1))
    radius = min(max(side / 40, 0.75), 3.0 * unit)  # small in a small face, so that it stays recognisable
    for k, point in enumerate(points):
        center = _fixed(canvas, point)
        rim = round((radius + 0.35 * unit) * 2**SHIFT)
        cv2.circle(canvas, center, rim, DARK, cv2.FILLED, cv2.LINE_AA, SHIFT)
        color = KEYPOINTS[k % len(KEYPOINTS)]
        cv2.circle(canvas, center, round(radius * 2**SHIFT), color, cv2.FILLED, cv2.LINE_AA, SHIFT)


def _draw_label(
    canvas: Image, text: str, left: float, top: float, bottom: float, unit: int, widest: float = float("inf")
) -> None:
    """A text on a dark field above what reaches from top to bottom, or below it where there is no room above.

    Moved into the picture; left out if it is too wide for it, or wider than `widest` pixels.
    """
    height, width = canvas.shape[:2]
    scale = max(0.35, 0.22 * unit)
    weight = max(1, round(unit * 0.6))
    (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, weight)
    pad = unit + 1
    field_width, field_height = text_width + 2 * pad, text_height + below // 2 + 2 * pad
    if field_width > min(width, widest) or field_height > height:
        return
    x = int(min(max(left, 0), width - field_width))
    y = top - unit - field_height
    y = int(min(max(y if y >= 0 else bottom + unit, 0), height - field_height))
    canvas[y : y + field_height, x : x + field_width] = DARK
    origin = (x + pad, y + pad + text_height)
    cv2.putText(canvas, text, origin, FONT, scale, LIGHT, weight, cv2.LINE_AA)


def _fixed(canvas: Image, point: np.ndarray) -> tuple[int, int]:
    """A point for OpenCV: in sixteenths of a pixel, pixel centres on whole numbers."""
    x, y = _near(canvas, point)
    return round((x - 0.5) * 2**SHIFT), round((y - 0.5) * 2**SHIFT)


def _near(canvas: Image, point: np.ndarray) -> tuple[float, float]:
    """A point no further from the picture than its own size: far ones would overflow OpenCV's integers."""
    height, width = canvas.shape[:2]
    return min(max(float(point[0]), -width), 2 * width), min(max(float(point[1]), -height), 2 * height)
