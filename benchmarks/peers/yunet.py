"""YuNet in OpenCV's `FaceDetectorYN`. Options: `file` (face_detection_yunet_2023mar.onnx), `size`, `threads`,
`score_threshold`.

With `size`, the picture is scaled so that its long side is that long, and padded with black at the right and
bottom to a square; without, YuNet sees it as it is. Its two mouth corners give the mouth's centre.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

DISTRIBUTIONS = ["opencv-python"]


def open_detector(options: dict[str, Any]) -> Any:
    cv2.setNumThreads(options["threads"])
    size = options["size"]
    threshold = options.get("score_threshold") or 0.9  # OpenCV's own
    network = cv2.FaceDetectorYN.create(options["file"], "", (size, size), threshold)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        scale = size / max(height, width)
        small = cv2.resize(
            image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
        )
        canvas = np.zeros((size, size, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        found = network.detect(canvas)[1]
        rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
        points = rows[:, 4:14].reshape(-1, 5, 2)
        four = np.concatenate([points[:, :3], points[:, 3:].mean(axis=1, keepdims=True)], axis=1)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        return boxes / scale, rows[:, 14], four / scale

    return detect
