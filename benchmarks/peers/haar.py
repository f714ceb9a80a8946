"""OpenCV's Haar cascade `haarcascade_frontalface_default.xml` with its default settings. Option: `threads`.

The picture is seen in grey and as large as it is. A cascade has no score: the order comes from the weight w of its last
stage, as 0.5 + 0.5 w / (w + 10), so that what it finds with its default settings counts as found at 0.5.
There are no keypoints.
"""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from cv2.data import haarcascades

DISTRIBUTIONS = ["opencv-python"]


def open_detector(options: dict[str, Any]) -> Any:
    cv2.setNumThreads(options["threads"])
    cascade = cv2.CascadeClassifier(os.path.join(haarcascades, "haarcascade_frontalface_default.xml"))

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        rows, _, weights = cascade.detectMultiScale3(grey, outputRejectLevels=True)
        boxes = np.array(rows, np.float64).reshape(-1, 4)
        weight = np.maximum(np.array(weights, np.float64).reshape(-1), 0)
        boxes[:, 2:] += boxes[:, :2]
        return boxes, 0.5 + 0.5 * weight / (weight + 10), np.zeros((len(boxes), 0, 2))

    return detect
