"""Pictures that EXIF turns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np


def exif(orientation: int, order: str = "II") -> bytes:
    """An APP1 segment with nothing but the orientation (CIPA DC-008)."""
    end: Literal["little", "big"] = "little" if order == "II" else "big"
    tiff = order.encode() + (42).to_bytes(2, end) + (8).to_bytes(4, end) + (1).to_bytes(2, end)
    entry = (
        (274).to_bytes(2, end)
        + (3).to_bytes(2, end)
        + (1).to_bytes(4, end)
        + orientation.to_bytes(2, end)
        + b"\0\0"
    )
    body = b"Exif\0\0" + tiff + entry + b"\0\0\0\0"
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def write(path: Path, image: np.ndarray, orientation: int = 1, order: str = "II") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    path.write_bytes(data[:2] + exif(orientation, order) + data[2:])
    return path


def marked(width: int = 120, height: int = 80) -> np.ndarray:
    """A picture with a white square of 20 pixels, its middle at (30, 50)."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[40:60, 20:40] = 255
    return image


def middle_of_white(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(image[:, :, 1] > 150)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)
