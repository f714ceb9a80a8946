"""Faces that MediaPipe's Tasks `FaceDetector` finds with our own .tflite files; run by `parity_drop_in.py` in the
environment that has mediapipe==0.10.21.

    .venv-parity/bin/python benchmarks/parity/mediapipe_tasks.py FOLDER OUT.json OVERLAP FILE.tflite ...

FOLDER holds pictures as .npy, RGB uint8 (H, W, 3). OVERLAP is the suppression threshold, the spec's `blend_iou`. OUT gets, for each file, for each picture in sorted order, its faces
as [score, x, y, width, height, six times x and y]: boxes in whole pixels, as Tasks gives them, keypoints in units of
the picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    overlap, files = float(sys.argv[3]), [Path(argument) for argument in sys.argv[4:]]
    pictures = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    found = {}
    for file in files:
        detector = open_detector(file, overlap)
        found[file.name] = [faces(image, detector) for image in pictures]
    out.write_text(json.dumps(found))


def open_detector(file: Path, overlap: float) -> Any:
    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_buffer=file.read_bytes()),
        min_detection_confidence=0.5,
        min_suppression_threshold=overlap,
    )
    return vision.FaceDetector.create_from_options(options)


def faces(image: np.ndarray, detector: Any) -> list[list[float]]:
    found = detector.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
    rows = []
    for face in found.detections:
        box = face.bounding_box
        points = [value for point in face.keypoints for value in (point.x, point.y)]
        rows.append([face.categories[0].score, box.origin_x, box.origin_y, box.width, box.height, *points])
    return rows


if __name__ == "__main__":
    main()
