"""A large photograph with many small faces, made from a free picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image

FACE = (173.0, 60.0, 277.0, 164.0)
"""The astronaut's face in data/pictures/astronaut.png: the mean of what front-128 and back-256 find there."""


def made_photograph(
    picture: Image, size: float = 20.0, rows: int = 10, columns: int = 10, height: int = 3000, width: int = 4000
) -> tuple[Image, NDArray[np.float64]]:
    """A picture (height, width, 3) with rows x columns small copies of the astronaut, and their faces (N, 4).

    size: root of the area of a face, in pixels. The copies lie anywhere in the fields of a grid, half of them mirrored,
    a little brighter or darker, over a blurred enlargement.
    """
    rng = np.random.default_rng(16)
    scale = size / np.sqrt((FACE[2] - FACE[0]) * (FACE[3] - FACE[1]))
    side = round(picture.shape[0] * scale)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    canvas = cv2.resize(cv2.GaussianBlur(picture, (0, 0), 12), (width, height), interpolation=cv2.INTER_LINEAR)
    faces: list[Any] = []
    for row in range(rows):
        for column in range(columns):
            left = column * width // columns + int(rng.integers(0, width // columns - side))
            top = row * height // rows + int(rng.integers(0, height // rows - side))
            copy = small[:, ::-1] if rng.random() < 0.5 else small
            box = np.array(FACE) * side / picture.shape[0]
            if copy is not small:
                box = np.array([side - box[2], box[1], side - box[0], box[3]])
            bright = copy * rng.uniform(0.8, 1.2) + rng.normal(0, 2, copy.shape)
            canvas[top : top + side, left : left + side] = np.clip(bright, 0, 255).astype(np.uint8)
            faces.append(box + np.array([left, top, left, top]))
    return np.ascontiguousarray(canvas, np.uint8), np.array(faces)
