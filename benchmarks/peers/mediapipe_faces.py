"""MediaPipe's own faces on a folder of pictures; run by `parity.py` in the environment that has mediapipe==0.10.21.

    .venv-parity/bin/python benchmarks/peers/mediapipe_faces.py FOLDER TASK.json OUT.json

FOLDER holds pictures as .npy, RGB uint8 (H, W, 3): decoded once, so that no two JPEG decoders are
compared. OUT gets, for each picture in sorted order, its faces as [score, x, y, width, height, six times x and
y], in units of the picture.

MediaPipe bundles the short-range model only: that one runs through its legacy `FaceDetection` as it
comes. The other two run in the very graph that class runs (`FaceDetectionShortRange` is that graph with
its numbers filled in), with their file and numbers from TASK.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from mediapipe.framework import calculator_pb2
from mediapipe.modules.face_detection import face_detection_pb2  # noqa: F401 (makes the options known to text_format)
from mediapipe.python.solution_base import SolutionBase
from mediapipe.python.solutions.face_detection import FaceDetection

GRAPH = """
type: "FaceDetectionOfAnyModel"
input_stream: "IMAGE:image"
output_stream: "DETECTIONS:detections"
node {{
  calculator: "FaceDetection"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
  node_options {{
    [type.googleapis.com/mediapipe.FaceDetectionOptions] {{
      model_path: "{path}"
      tensor_width: {size} tensor_height: {size}
      num_layers: {layers} {strides}
      interpolated_scale_aspect_ratio: {interpolated}
      num_boxes: {anchors}
      x_scale: {scale} y_scale: {scale} w_scale: {scale} h_scale: {scale}
      min_score_thresh: {threshold}
      delegate {{ xnnpack {{}} }}
    }}
  }}
}}
"""


def main() -> None:
    folder, task_file, out = (Path(argument) for argument in sys.argv[1:])
    task = json.loads(task_file.read_text())
    detector = FaceDetection(model_selection=0) if task["bundled"] else open_graph(task)
    faces = [faces_of(detector, np.load(file)) for file in sorted(folder.glob("*.npy"))]
    out.write_text(json.dumps(faces))


def open_graph(task: dict[str, Any]) -> SolutionBase:
    strides = task["strides"]
    text = GRAPH.format(**{**task, "layers": len(strides), "strides": " ".join(f"strides: {s}" for s in strides)})
    config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
    return SolutionBase(graph_config=config, outputs=["detections"])


def faces_of(detector: Any, image: np.ndarray) -> list[list[float]]:
    legacy = isinstance(detector, FaceDetection)
    result = detector.process(image) if legacy else detector.process(input_data={"image": image})
    faces = []
    for detection in result.detections or []:
        place = detection.location_data
        box = place.relative_bounding_box
        points = [value for point in place.relative_keypoints for value in (point.x, point.y)]
        faces.append([detection.score[0], box.xmin, box.ymin, box.width, box.height, *points])
    return faces


if __name__ == "__main__":
    main()
