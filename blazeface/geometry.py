"""Boxes, affine maps, the warp and the letterbox: pure NumPy functions, and OpenCV's resampling.

Boxes are x1 y1 x2 y2. All coordinates are continuous: the top left pixel covers [0, 1) x [0, 1). An affine map is a
matrix (2, 3); each view that is cut out of a picture is one map, given to `warp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

LONGEST_WARPED = 32_766
"""The longest side, in pixels, of a picture that OpenCV warps."""


def box_area(boxes: Floats) -> Floats:
    """Area of boxes (..., 4), zero where a side is negative."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    area: Floats = sides[..., 0] * sides[..., 1]
    return area


def box_intersection(a: Floats, b: Floats) -> Floats:
    """Shared area of boxes (N, 4) and (M, 4): (N, M)."""
    # Side by side, not as (N, M, 2): NumPy is several times slower on a last axis of two.
    left, top, right, bottom = np.ascontiguousarray(b.T)
    width = np.minimum(a[:, 2, None], right) - np.maximum(a[:, 0, None], left)
    height = np.minimum(a[:, 3, None], bottom) - np.maximum(a[:, 1, None], top)
    shared: Floats = np.maximum(width, 0) * np.maximum(height, 0)
    return shared


def box_iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes (N, 4) and (M, 4): (N, M), zero where both are empty."""
    shared = box_intersection(a, b)
    union = box_area(a)[:, None] + box_area(b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def view_matrix(center: Floats, side: float, angle: float, size: int) -> Matrix:
    """The map from a picture to a view of (size, size) pixels: a square of `side` around `center`, turned so that a line
    at `angle` (radians, x towards y) in the picture is level in the view."""
    scale = size / side
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.hstack([turn, (size / 2 - turn @ np.asarray(center, np.float64))[:, None]])


def map_points(matrix: Matrix, points: Floats) -> Matrix:
    """Points (..., 2) through an affine map."""
    mapped: Matrix = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def inverse_map(matrix: Matrix) -> Matrix:
    """The map back."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.hstack([turn, -(turn @ matrix[:, 2])[:, None]])


def map_scale(matrix: Matrix) -> float:
    """Pixels after the map per pixel before it (the root of how areas change)."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def warp(
    image: Image,
    matrix: Matrix,
    size: int | tuple[int, int],
    oversampling: int = 1,
    resampling: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
    fill: tuple[int, int, int] = (0, 0, 0),
) -> Image:
    """A picture (H, W, 3) under an affine map: (size, size, 3), or a size of (height, width); beyond its edges as
    OpenCV's `border` says, or of the colour `fill`.

    Bilinear, or by another of OpenCV's ways, at `oversampling` times the size, then averaged down, so that what shrinks
    does not alias.
    """
    height, width = (size, size) if isinstance(size, int) else size
    fine = matrix * oversampling
    # OpenCV puts pixel centres on whole numbers; here they lie at halves.
    fine[:, 2] += fine[:, :2].sum(axis=1) / 2 - 0.5
    result = warp_affine(image, fine, width * oversampling, height * oversampling, resampling, border, fill)
    if oversampling > 1:
        return cv2.resize(result, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
    return result


def network_view(
    image: Image, matrix: Matrix, size: int | tuple[int, int], resampling: int | None = None
) -> Image:
    """`warp`, resampled as `letterbox_image` does it, so that training sees what detection will see; or by one of
    OpenCV's ways, without smoothing."""
    if resampling is not None:
        return warp(image, matrix, size, resampling=resampling)
    return warp(image, matrix, size, _network_oversampling(map_scale(matrix)))


def _network_oversampling(scale: float) -> int:
    return 1 if scale >= 0.5 else 2


@dataclass(frozen=True)
class Letterbox:
    """How a picture was scaled into the network input: input = picture * scale + offset.

    scale_x, scale_y: input pixels per picture pixel (they differ by the rounding to whole pixels).
    offset_x, offset_y: where the picture's top left corner lies, in input pixels.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float

    def to_picture(self, points: Floats) -> Floats:
        """Points (..., 2) in input pixels, given back in picture pixels."""
        scale = np.asarray([self.scale_x, self.scale_y], points.dtype)
        offset = np.asarray([self.offset_x, self.offset_y], points.dtype)
        return (points - offset) / scale

    def to_input(self, points: Floats) -> Floats:
        """Points (..., 2) in picture pixels, given in input pixels."""
        scale = np.asarray([self.scale_x, self.scale_y], points.dtype)
        offset = np.asarray([self.offset_x, self.offset_y], points.dtype)
        return points * scale + offset


def letterbox_image(
    image: Image, size: int | tuple[int, int], resampling: str = "supersample"
) -> tuple[Image, Letterbox]:
    """Scale a picture (H, W, 3) into the middle of a black square (size, size, 3), or of a rectangle: size is then its
    height and width.

    resampling "supersample" is anti-aliased at a small price: more than halved pictures go through
    a bilinear resize to twice the target and an exact 2 x 2 mean, so that each output pixel sees
    sixteen of the picture's. `network_view` does the same.
    "corner" repeats MediaPipe's warp: bilinear, no anti-aliasing, and the input's pixel (i, j) is
    sampled at (i, j) / scale without the half-pixel shift of a resize.
    """
    height, width = image.shape[:2]
    rows, columns = (size, size) if isinstance(size, int) else size
    scale = fitting_scale(height, width, rows, columns)
    if resampling == "corner":
        offsets = (columns - width * scale) / 2, (rows - height * scale) / 2
        return _corner_warp(image, rows, columns), Letterbox(scale, scale, *offsets)
    new_width = max(1, round(width * scale))
    new_height = max(1, round(height * scale))
    left, top = (columns - new_width) // 2, (rows - new_height) // 2
    canvas = np.zeros((rows, columns, *image.shape[2:]), np.uint8)
    canvas[top : top + new_height, left : left + new_width] = _resize(image, new_width, new_height, scale)
    return canvas, Letterbox(new_width / width, new_height / height, left, top)


def fitting_scale(height: int, width: int, rows: int, columns: int) -> float:
    """Input pixels per picture pixel when a picture of height x width fills an input of rows x columns."""
    # Of a square the longer side decides: the same number, bit by bit, as in all versions before.
    return rows / max(height, width) if rows == columns else min(rows / height, columns / width)


def warp_affine(
    image: Image,
    matrix: Matrix,
    width: int,
    height: int,
    resampling: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
    fill: tuple[int, int, int] = (0, 0, 0),
) -> Image:
    """cv2.warpAffine of a picture (H, W, 3) of any size, as (height, width, 3).

    matrix (2, 3): from picture to output, both counted from pixel centres. OpenCV's positions have 16 bits, so of a
    picture with a longer side the part that is seen is cut out first, and shrunk where it is too long itself.
    """
    if max(image.shape[:2]) > LONGEST_WARPED:
        image, matrix = _seen_part(image, matrix, width, height)
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (width, height), flags=resampling, borderMode=border, borderValue=fill
    )


def _seen_part(
    image: Image, matrix: NDArray[np.float64], width: int, height: int
) -> tuple[Image, NDArray[np.float64]]:
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[x, y, 1] for x in (-1, width) for y in (-1, height)], np.float64) @ back.T
    limit = np.array(image.shape[1::-1])
    first = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, limit - 1)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, first + 1, limit)
    part = image[first[1] : last[1], first[0] : last[0]]
    turn, shift = matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ first
    step = -(-int(max(part.shape[:2])) // LONGEST_WARPED)
    if step > 1:
        part = part[: part.shape[0] // step * step or None, : part.shape[1] // step * step or None]
        size = (max(1, part.shape[1] // step), max(1, part.shape[0] // step))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        shift = shift + turn @ np.full(2, (step - 1) / 2)
        turn = turn * step
    return part, np.hstack([turn, shift[:, None]])


def _resize(image: Image, width: int, height: int, scale: float) -> Image:
    if _network_oversampling(scale) == 1:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    double = _bilinear(image, 2 * width, 2 * height)
    return cv2.resize(double, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _bilinear(image: Image, width: int, height: int) -> Image:
    """cv2.resize with INTER_LINEAR. Where the picture is an odd number of times as large (1280 x 720 is five times
    256 x 144), it samples the very middles of pixels: these are picked, which gives the same and touches half the rows.
    """
    step = image.shape[1] // width
    whole = image.shape[:2] == (step * height, step * width) and 1 / (1 / step) == step  # OpenCV divides like this
    if whole and step % 2:
        middle = step // 2
        part = image[middle:, middle:]
        return cv2.resize(part, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_NEAREST)  # type: ignore[return-value]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _corner_warp(image: Image, rows: int, columns: int) -> Image:
    """The centred rectangle around a picture, its corners laid on the corners of (rows, columns, 3).

    The matrix is made from the four corners, as MediaPipe makes it, although it is but a scale and a
    shift: OpenCV rounds source positions to 1/32 pixel, and at ties (frequent, since scales are often
    round numbers) the matrix's last bits decide. Other ways to the same matrix move faces by 1e-3.
    """
    height, width = image.shape[:2]
    scale = fitting_scale(height, width, rows, columns)
    across, down = (max(height, width),) * 2 if rows == columns else (columns / scale, rows / scale)
    left, top = (width - across) / 2, (height - down) / 2
    right, bottom = left + across, top + down
    corners = np.array([[left, bottom], [left, top], [right, top], [right, bottom]], np.float32)
    target = np.array([[0, rows], [0, 0], [columns, 0], [columns, rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    if max(height, width) > LONGEST_WARPED:
        return warp_affine(image, matrix[:2].astype(np.float64), columns, rows)
    return cv2.warpPerspective(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]
