"""The pictures that speed is measured on: 1280 x 720, made from one picture of a face."""

from __future__ import annotations

import cv2
import numpy as np

from blazeface.geometry import Image

WIDTH, HEIGHT = 1280, 720


def scenes(picture: Image) -> list[Image]:
    """Four frames (720, 1280, 3) BGR: the picture filling one, whole in one, twice in one, four times in one."""
    halves = [_covering(picture, HEIGHT, WIDTH // 2)] * 2
    quarter = _covering(picture, HEIGHT // 2, WIDTH // 2)
    row = np.concatenate([quarter, quarter], axis=1)
    return [
        _covering(picture, HEIGHT, WIDTH),
        _whole(picture),
        np.concatenate(halves, axis=1),
        np.concatenate([row, row], axis=0),
    ]


def _covering(picture: Image, height: int, width: int) -> Image:
    """Scaled to cover (height, width); what is over goes at both sides, or at the bottom."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    sides = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    large = cv2.resize(picture, sides, interpolation=cv2.INTER_LINEAR)
    left = (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[:height, left : left + width], np.uint8)


def _whole(picture: Image) -> Image:
    """Scaled to fit, in the middle of grey."""
    scale = min(HEIGHT / picture.shape[0], WIDTH / picture.shape[1])
    width, height = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
    frame[top : top + height, left : left + width] = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA
    )
    return frame
