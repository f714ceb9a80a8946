"""Contact sheets of labels: whole pictures, doubtful labels, look-alikes, and inputs as the network gets them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image

TILE, CAPTION, HEADER, COLUMNS = 192, 18, 26, 8

FACE, IGNORED, WHITE = (80, 220, 60), (150, 150, 150), (240, 240, 240)  # BGR
RIGHT, LEFT, MIDDLE = (60, 60, 255), (255, 160, 40), (60, 230, 255)
POINTS = (RIGHT, LEFT, MIDDLE, MIDDLE, RIGHT, LEFT)
LEGEND = "green: face, grey: ignored; points: red right, blue left (the person's own), yellow nose and mouth"
CROWDED = 20.0
"""Size in pixels of the sheet below which points would hide their face."""

LETTERS = 36
"""Of a caption; longer ones lose their middle."""

FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Tile:
    """A picture (H, W, 3) with its labels in pixels of it, as in `Sample`, and a line of text below.

    marked: the box (4,) that is drawn thicker.
    """

    image: Image
    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    ignore: NDArray[np.bool_]
    caption: str
    marked: int = -1


def label_sheet(tiles: Iterable[Tile], title: str) -> Image:
    """All tiles, row by row, as one BGR picture."""
    drawn = [draw_tile(tile) for tile in tiles]
    rows = max(1, -(-len(drawn) // COLUMNS))
    sheet = np.full((HEADER + rows * (TILE + CAPTION), COLUMNS * TILE, 3), 24, np.uint8)
    _write(sheet, f"{title} ({LEGEND})", 6, 18, 0.48)
    for i, tile in enumerate(drawn):
        top, left = HEADER + i // COLUMNS * (TILE + CAPTION), i % COLUMNS * TILE
        sheet[top : top + TILE + CAPTION, left : left + TILE] = tile
    return sheet


def draw_tile(tile: Tile) -> Image:
    """The whole picture in a square, boxes and points drawn in, the caption below: (TILE + CAPTION, TILE, 3)."""
    height, width = tile.image.shape[:2]
    scale = (TILE - 4) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    drawn = np.full((TILE + CAPTION, TILE, 3), 24, np.uint8)
    inner = np.ascontiguousarray(cv2.resize(tile.image, size, interpolation=method))
    for i in sorted(range(len(tile.boxes)), key=lambda i: not tile.ignore[i]):  # faces above ignore regions
        a, b = (_place(corner, scale) for corner in tile.boxes[i].reshape(2, 2))
        color = IGNORED if tile.ignore[i] else FACE
        cv2.rectangle(inner, a, b, color, 2 if i == tile.marked else 1, cv2.LINE_AA)
        shown = scale * float(np.sqrt(np.prod(np.maximum(tile.boxes[i, 2:] - tile.boxes[i, :2], 0))))
        for point, seen, point_color in zip(tile.keypoints[i], tile.visibility[i], POINTS, strict=True):
            if seen and not tile.ignore[i] and shown >= CROWDED:
                cv2.circle(
                    inner, _place(point, scale), 2 if shown > 2 * CROWDED else 1, point_color, -1, cv2.LINE_AA
                )
    drawn[2 : 2 + size[1], 2 : 2 + size[0]] = inner
    caption = (
        tile.caption if len(tile.caption) <= LETTERS else f"{tile.caption[: LETTERS - 12]}..{tile.caption[-10:]}"
    )
    (wide, _), _ = cv2.getTextSize(caption, FONT, 0.36, 1)
    _write(drawn, caption, 3, TILE + 12, 0.36 * min(1.0, (TILE - 6) / max(wide, 1)))
    return drawn


def tile_of(image: Image, labels: object, caption: str, marked: int = -1) -> Tile:
    """A tile of a picture and of the labels of a `Sample` or a `Crop`."""
    fields = {name: getattr(labels, name) for name in ("boxes", "keypoints", "visibility", "ignore")}
    return Tile(image, **fields, caption=caption, marked=marked)


def around(tile: Tile, margin: float = 1.5) -> Tile:
    """The part of a tile's picture around its marked box, `margin` sides of it wider to each side; the whole picture where
    the box lies beside it."""
    x1, y1, x2, y2 = (float(value) for value in tile.boxes[tile.marked])
    reach = margin * max(x2 - x1, y2 - y1, 8.0)
    height, width = tile.image.shape[:2]
    if not (0 <= (x1 + x2) / 2 <= width and 0 <= (y1 + y2) / 2 <= height):
        return tile
    left, top = max(0, min(int(x1 - reach), width - 16)), max(0, min(int(y1 - reach), height - 16))
    right, bottom = min(width, max(int(x2 + reach), left + 16)), min(height, max(int(y2 + reach), top + 16))
    corner = np.array([left, top], np.float32)
    return Tile(
        np.ascontiguousarray(tile.image[top:bottom, left:right]),
        tile.boxes - np.tile(corner, 2),
        tile.keypoints - corner,
        tile.visibility,
        tile.ignore,
        tile.caption,
        tile.marked,
    )


def _place(point: NDArray[np.float32], scale: float) -> tuple[int, int]:
    x, y = (round(float(np.clip(value * scale, -9999, 9999))) for value in point)
    return x, y


def _write(image: Image, text: str, x: int, y: int, scale: float) -> None:
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(image, shown, (x, y), FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, shown, (x, y), FONT, scale, WHITE, 1, cv2.LINE_AA)
