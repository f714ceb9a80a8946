"""Contact sheets: many cases on one picture, cut out with their surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.evaluation.record import Read
from blazeface.evaluation.table import number
from blazeface.evaluation.worst import Case
from blazeface.geometry import Image

TILE, CAPTION, COLUMNS, ROWS = 168, 32, 8, 6
HEADER = 26
AROUND = 2.6
"""Side of a cut-out, in sides of its box."""

SHOWN_SCORE = 0.2
"""Detections below this are not drawn: at the score cut of an evaluation they would cover the picture."""

LABELLED, IGNORED, FOUND, WHITE = (80, 220, 60), (150, 150, 150), (0, 150, 255), (240, 240, 240)  # BGR
FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(cases: Sequence[Case], read: Read, title: str) -> Image:
    """The first cases, row by row, as one BGR picture. `read` gives the picture of a path again.

    Green: labelled faces, grey: ignore regions, orange: detections with their scores; the case itself is
    drawn thicker. Under each: source, relative size r, score, IoU (see `Case`); then the picture's name.
    """
    shown = cases[: COLUMNS * ROWS]
    rows = max(1, -(-len(shown) // COLUMNS))
    sheet = np.full((HEADER + rows * (TILE + CAPTION), COLUMNS * TILE, 3), 24, np.uint8)
    legend = f"{title}: {len(shown)} of {len(cases)} (green labelled, grey ignored, orange found)"
    _write(sheet, legend, 6, 18, 0.5)
    for i, case in enumerate(shown):
        top, left = HEADER + i // COLUMNS * (TILE + CAPTION), i % COLUMNS * TILE
        image = read(case.record.sample.path)
        if image is not None:
            sheet[top : top + TILE - 2, left : left + TILE - 2] = draw_case(image, case)[: TILE - 2, : TILE - 2]
        score = f"score {number(case.score)}" if case.score else "not found"
        facts = f"{case.record.sample.source} r {number(case.size)} {score} IoU {number(case.iou)}"
        for line, text in enumerate((facts, _short(case.record.sample.path.stem))):
            _write(sheet, text, left + 2, top + TILE + 11 + 14 * line, _fitting(text, 0.38))
    return sheet


def draw_case(image: Image, case: Case) -> Image:
    """The surroundings of a case's box with all boxes drawn in: (TILE, TILE, 3)."""
    x1, y1, x2, y2 = (float(value) for value in case.box)
    side = max(32.0, AROUND * max(x2 - x1, y2 - y1))
    origin = np.array([(x1 + x2 - side) / 2, (y1 + y2 - side) / 2])
    scale = TILE / side
    tile = _cut(image, origin, side)
    sample, detections = case.record.sample, case.record.detections
    for box, ignore in zip(sample.boxes, sample.ignore, strict=True):
        _draw(
            tile,
            (box.reshape(2, 2) - origin) * scale,
            IGNORED if ignore else LABELLED,
            bool((box == case.box).all()),
        )
    for box, score in zip(detections.boxes, detections.scores, strict=True):
        same = bool((box == case.box).all())
        if score >= SHOWN_SCORE or same:
            corners = (box.reshape(2, 2) - origin) * scale
            _draw(tile, corners, FOUND, same)
            _write(tile, number(float(score)), int(corners[0, 0]) + 2, int(corners[0, 1]) - 3, 0.36, FOUND)
    return tile


def _cut(image: Image, origin: NDArray[np.float64], side: float) -> Image:
    """A square of the picture, black beyond its edges, resized to (TILE, TILE, 3)."""
    left, top = np.floor(origin).astype(int)
    whole = int(np.ceil(side))
    square = np.zeros((whole, whole, 3), np.uint8)
    height, width = image.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + whole, width), min(top + whole, height)
    if x1 < x2 and y1 < y2:
        square[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    method = cv2.INTER_AREA if whole > TILE else cv2.INTER_LINEAR
    return cv2.resize(square, (TILE, TILE), interpolation=method)  # type: ignore[return-value]


def _draw(tile: Image, corners: NDArray[np.float64], color: tuple[int, int, int], thick: bool) -> None:
    a, b = np.clip(np.round(corners), -9999, 9999).astype(int).tolist()
    cv2.rectangle(tile, a, b, color, 2 if thick else 1, cv2.LINE_AA)


def _write(image: Image, text: str, x: int, y: int, scale: float, color: tuple[int, int, int] = WHITE) -> None:
    cv2.putText(image, text, (x, y), FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, (x, y), FONT, scale, color, 1, cv2.LINE_AA)


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:20]}..{name[-10:]}"


def _fitting(text: str, scale: float) -> float:
    """The scale at which a text is no wider than a tile."""
    (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    return scale * min(1.0, (TILE - 8) / max(width, 1))
