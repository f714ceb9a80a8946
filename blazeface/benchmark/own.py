"""This project's detector as a contender (see serve.py). Options: model, backend, threads, score_threshold, min_face."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends import backend_for, open_backend
from blazeface.detector import FaceDetector, model_path, postprocess, prepare
from blazeface.geometry import Image

DISTRIBUTIONS = ["blazeface"]
NEEDED = {
    "tflite": ["ai-edge-litert"],
    "torch": ["torch", "safetensors"],
    "openvino": ["openvino"],
    "ncnn": ["ncnn"],
}
"""What a backend needs beside the core packages."""


class OwnDetector:
    """FaceDetector as it is used, and its three parts one by one."""

    def __init__(self, options: dict[str, Any]):
        model = options["model"]
        backend = options.get("backend") or backend_for(model)
        self._backend = open_backend(model_path(model, backend), backend, options["threads"])
        self._detector = FaceDetector.from_backend(
            self._backend, options.get("score_threshold"), min_face=options.get("min_face")
        )
        self._centers = anchor_centers(self._backend.spec.anchor_maps)
        DISTRIBUTIONS.extend(NEEDED.get(backend, []))

    def __call__(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        found = self._detector.detect(image)
        return found.boxes, found.scores, found.keypoints

    def stages(self, image: Image) -> dict[str, float]:
        """Seconds of pre-processing, network and post-processing."""
        if self._detector.min_face is not None:
            return {}  # of many views, run after one another
        spec = self._backend.spec
        times = [time.perf_counter()]
        planes, letterbox = prepare(image, spec)
        times.append(time.perf_counter())
        logits, regressions = self._backend.run(planes[None])
        times.append(time.perf_counter())
        postprocess(logits[0], regressions[0], letterbox, spec, self._centers, self._detector.score_threshold)
        times.append(time.perf_counter())
        return dict(zip(("pre", "network", "post"), np.diff(times).tolist(), strict=True))


def open_detector(options: dict[str, Any]) -> OwnDetector:
    return OwnDetector(options)
