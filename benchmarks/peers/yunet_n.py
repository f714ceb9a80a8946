"""YuNet_n of libfacedetection.train in onnxruntime. Options: `file` (yunet_n_dynamic.onnx), `size`, `threads`,
`score_threshold`.

The picture is scaled by areas so that its long side is `size`, and padded with black at the right and bottom to a square; with
a `size` of None it stays as large as it is, and is padded to multiples of 32. BGR, values 0 to 255. Three strides of 8, 16 and 32 give a
class score, an object score, a box and five keypoints for each cell; the score is the root of the product of the two. Its two
mouth corners give the mouth's centre.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import, which reads it
import onnxruntime

from blazeface.blend import hard_nms

DISTRIBUTIONS = ["onnxruntime", "opencv-python", "numpy"]
STRIDES, MULTIPLE = (8, 16, 32), 32
THRESHOLD = 0.5
"""Score from which something is taken for a face, unless the options say another."""
OVERLAP = 0.45
"""IoU of the suppression."""

CANDIDATES = 2000
"""Cells looked at, best first."""


class YuNetN:
    def __init__(self, options: dict[str, Any]):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options["threads"]
        settings.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(options["file"], settings, providers=["CPUExecutionProvider"])
        self._size = options["size"]
        self._threshold = options.get("score_threshold") or THRESHOLD
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._all(image)[1]

    def stages(self, image: np.ndarray) -> dict[str, float]:
        return dict(zip(("pre", "network", "post"), np.diff(self._all(image)[0]).tolist(), strict=True))

    def _all(self, image: np.ndarray) -> tuple[list[float], tuple[np.ndarray, np.ndarray, np.ndarray]]:
        times = [time.perf_counter()]
        height, width = image.shape[:2]
        scale = self._size / max(height, width) if self._size else 1.0
        sides = max(1, round(width * scale)), max(1, round(height * scale))
        rows, columns = (self._size or -(-side // MULTIPLE) * MULTIPLE for side in sides[::-1])
        canvas = np.zeros((rows, columns, 3), np.float32)
        canvas[: sides[1], : sides[0]] = cv2.resize(image, sides, interpolation=cv2.INTER_AREA)
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1))[None]
        times.append(time.perf_counter())
        outputs = self._session.run(self._names, {"input": tensor})
        times.append(time.perf_counter())
        parts = []
        for i, stride in enumerate(STRIDES):
            cls, obj, bbox, kps = (output[0] for output in outputs[4 * i : 4 * i + 4])
            cells = _cells(rows // stride, columns // stride)
            parts.append(decode(cls, obj, bbox, kps, cells, stride, self._threshold))
        boxes, scores, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        boxes, scores, points = hard_nms(boxes[best], scores[best], points[best], OVERLAP)
        found = boxes / scale, scores, points / scale
        times.append(time.perf_counter())
        return times, found


def decode(
    cls: np.ndarray,
    obj: np.ndarray,
    bbox: np.ndarray,
    kps: np.ndarray,
    cells: np.ndarray,
    stride: int,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One stride's N cells: boxes (M, 4) and four keypoints (M, 4, 2) in input pixels, scores (M,), from the threshold up."""
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    kept = scores >= threshold
    cells, bbox, points = cells[kept], bbox[kept], kps[kept].reshape(-1, 5, 2)
    centre, half = (cells + bbox[:, :2]) * stride, np.exp(bbox[:, 2:]) * stride / 2
    points = (points + cells[:, None]) * stride
    four = np.concatenate([points[:, :3], points[:, 3:].mean(axis=1, keepdims=True)], axis=1)
    return np.concatenate([centre - half, centre + half], axis=1), scores[kept], four


@lru_cache
def _cells(height: int, width: int) -> np.ndarray:
    """Column and row of each cell, in row order: (height * width, 2)."""
    rows, columns = np.divmod(np.arange(height * width), width)
    return np.stack([columns, rows], axis=1).astype(np.float32)


def open_detector(options: dict[str, Any]) -> YuNetN:
    return YuNetN(options)
