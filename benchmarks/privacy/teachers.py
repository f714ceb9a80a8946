"""YuNet_n and CenterFace at the native size of a picture, from their ONNX files: the two whose agreement is the truth.

Outputs are decoded as the files' makers describe them; both answer with tight boxes around the face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from blazeface.blend import hard_nms
from blazeface.geometry import Image, box_iou

Faces = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Boxes (N, 4), x1 y1 x2 y2 in pixels, and scores (N,), best first."""

FAINTEST = 0.2
SUPPRESSION = 0.3
SAME = 0.4


class Teachers:
    """Both networks of a folder that holds yunet_n_dynamic.onnx and centerface.onnx."""

    def __init__(self, folder: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = onnx.load(str(folder / "centerface.onnx"))
        for value in (*model.graph.input, *model.graph.output):  # the file declares ten pictures of 32 pixels
            for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
                if axis != 1:
                    dimension.dim_param = f"axis{axis}"
        del model.graph.value_info[:]
        self._centerface = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self._yunet = onnxruntime.InferenceSession(str(folder / "yunet_n_dynamic.onnx"), options)

    def centerface(self, image: Image) -> Faces:
        planes = _padded(image[:, :, ::-1])
        heat, scale, offset = self._centerface.run(["537", "538", "539"], {"input.1": planes})
        rows, columns = np.nonzero(heat[0, 0] >= FAINTEST)
        height, width = (4 * np.exp(scale[0, axis, rows, columns]) for axis in (0, 1))
        x = (columns + offset[0, 1, rows, columns] + 0.5) * 4
        y = (rows + offset[0, 0, rows, columns] + 0.5) * 4
        return _suppressed(x, y, width, height, heat[0, 0, rows, columns])

    def yunet(self, image: Image) -> Faces:
        planes = _padded(image)
        names = [f"{kind}_{stride}" for stride in (8, 16, 32) for kind in ("cls", "obj", "bbox")]
        answers = dict(zip(names, self._yunet.run(names, {"input": planes}), strict=True))
        parts = []
        for stride in (8, 16, 32):
            cls, obj, box = (
                answers[f"{kind}_{stride}"].reshape(-1, n) for kind, n in (("cls", 1), ("obj", 1), ("bbox", 4))
            )
            row, column = np.divmod(np.arange(len(cls)), planes.shape[3] // stride)
            score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
            middle = (np.stack([column, row], axis=1) + box[:, :2]) * stride
            parts.append(
                np.concatenate([middle, np.exp(box[:, 2:]) * stride, score[:, None]], axis=1)[score >= FAINTEST]
            )
        found = np.concatenate(parts)
        return _suppressed(*found.T)

    def agreed(self, image: Image) -> Faces:
        """The faces that both find: each at least .5 and 1.15 together, or one .8 and the other .45; boxes are means."""
        (first, a), (second, b) = self.yunet(image), self.centerface(image)
        overlap = box_iou(first, second)
        boxes, scores = [], []
        while overlap.size and overlap.max() >= SAME:
            i, j = divmod(int(overlap.argmax()), overlap.shape[1])
            low, high = sorted((a[i], b[j]))
            if (low >= 0.5 and low + high >= 1.15) or (high >= 0.8 and low >= 0.45):
                boxes.append((first[i] + second[j]) / 2)
                scores.append((low + high) / 2)
            overlap[i], overlap[:, j] = -1, -1
        order = np.argsort(-np.array(scores), kind="stable").astype(np.intp)
        return np.array(boxes).reshape(-1, 4)[order], np.array(scores)[order]


def _padded(image: Image) -> NDArray[np.float32]:
    """(1, 3, H, W) float32, 0 to 255, black at the right and below up to whole 32 pixels."""
    height, width = image.shape[:2]
    planes = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)
    planes[0, :, :height, :width] = image.transpose(2, 0, 1)
    return planes


def _suppressed(x: Any, y: Any, width: Any, height: Any, scores: Any) -> Faces:
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1).astype(np.float32)
    points = np.zeros((len(boxes), 1, 2), np.float32)
    kept, sure, _ = hard_nms(boxes, np.asarray(scores, np.float32), points, SUPPRESSION)
    return kept.astype(np.float64), sure.astype(np.float64)
