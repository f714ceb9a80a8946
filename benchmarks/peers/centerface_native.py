"""CenterFace in onnxruntime, every picture as large as it is. Options: `file` (centerface.onnx), `threads`,
`score_threshold`.

RGB, values 0 to 255, padded with black at the right and bottom to multiples of 32. One map of stride 4 gives scores, sizes,
offsets and five keypoints. Its two mouth corners give the mouth's centre.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import, which reads it
import onnx
import onnxruntime

from blazeface.blend import hard_nms

DISTRIBUTIONS = ["onnxruntime", "onnx", "numpy"]
STRIDE, MULTIPLE = 4, 32
THRESHOLD = 0.35
"""Score from which something is taken for a face, unless the options say another."""
OVERLAP = 0.3
"""IoU of the suppression."""

CANDIDATES = 2000
"""Cells looked at, best first."""


def open_detector(options: dict[str, Any]) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # it warns at each size that differs from the file's
    model = free_shape(onnx.load(options["file"])).SerializeToString()
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    threshold = options.get("score_threshold") or THRESHOLD

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in image.shape[:2])
        canvas = np.zeros((height, width, 3), np.float32)
        canvas[: image.shape[0], : image.shape[1]] = image[:, :, ::-1]
        maps = session.run(["537", "538", "539", "540"], {"input.1": canvas.transpose(2, 0, 1)[None]})
        heat, scale, offset, five = (found[0] for found in maps)
        boxes, scores, points = decode(heat, scale, offset, five, threshold)
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return hard_nms(boxes[best], scores[best], points[best], OVERLAP)

    return detect


def free_shape(model: Any) -> Any:
    """The file says 10 x 3 x 32 x 32, which OpenCV passes over; here batch, height and width become free."""
    pictures = [value for value in model.graph.input if value.name == "input.1"]  # the others are weights
    for value in (*pictures, *model.graph.output):
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            # An output has a size of its own; free names of its own keep the runtime from comparing them.
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{name}"
    return model


def decode(
    heat: np.ndarray, scale: np.ndarray, offset: np.ndarray, points: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps (C, H, W): boxes (N, 4) and four keypoints (N, 4, 2) in pixels, scores (N,), from the threshold up."""
    rows, columns = np.nonzero(heat[0] >= threshold)
    at = (slice(None), rows, columns)
    height, width = STRIDE * np.exp(scale[at])
    x = (columns + offset[at][1] + 0.5) * STRIDE
    y = (rows + offset[at][0] + 0.5) * STRIDE
    left, top = x - width / 2, y - height / 2
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    five = np.stack(
        [left[:, None] + points[at][1::2].T * width[:, None], top[:, None] + points[at][0::2].T * height[:, None]],
        axis=2,
    )
    four = np.concatenate([five[:, :3], five[:, 3:].mean(axis=1, keepdims=True)], axis=1)
    return boxes, heat[0, rows, columns], four
