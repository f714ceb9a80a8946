"""MediaPipe 0.10.21's detector, as a contender (see blazeface/benchmark/serve.py).

Options: `model` "short" or "full"; `score_threshold`. Without a threshold it is the legacy class `FaceDetection` as a user
calls it, whose threshold cannot be changed (0.5 short, 0.6 full). With one, it is the graph that class runs, with that
threshold in it. MediaPipe letterboxes the picture into 128 x 128 (short) or 192 x 192 (full) and chooses its own
number of threads.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.python.solutions.face_detection import FaceDetection

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.peers import mediapipe_faces

DISTRIBUTIONS = ["mediapipe"]
FOLDER = Path(os.path.dirname(mediapipe.__file__)) / "modules" / "face_detection"
GRAPHS = {
    "short": {"size": 128, "strides": [8, 16, 16, 16], "interpolated": 1.0, "anchors": 896, "scale": 128.0},
    "full": {"size": 192, "strides": [4], "interpolated": 0.0, "anchors": 2304, "scale": 192.0},
}
FILES = {"short": "face_detection_short_range.tflite", "full": "face_detection_full_range_sparse.tflite"}


def open_detector(options: dict[str, Any]) -> Any:
    model, threshold = options["model"], options.get("score_threshold")
    if threshold is None:
        detector = FaceDetection(model_selection=int(model == "full"))
    else:
        task = {**GRAPHS[model], "path": str(FOLDER / FILES[model]), "threshold": threshold}
        detector = mediapipe_faces.open_graph(task)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = mediapipe_faces.faces_of(detector, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        faces = np.array(rows, np.float64).reshape(-1, 17)
        size = np.array([image.shape[1], image.shape[0]])
        corner, sides = faces[:, 1:3] * size, faces[:, 3:5] * size
        return np.concatenate([corner, corner + sides], axis=1), faces[:, 0], faces[:, 5:].reshape(-1, 6, 2) * size

    return detect
