"""YuNet_n and CenterFace at the picture's own size, in onnxruntime. Options: `file` (yunet_n_dynamic.onnx or
centerface.onnx), `threads`, `score_threshold`.

Both see BGR or RGB values as they are, padded with black at the right and bottom to multiples of 32 pixels. Their two
mouth corners give the mouth's centre.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from blazeface.blend import hard_nms

DISTRIBUTIONS = ["onnxruntime"]

SUPPRESSION_IOU = 0.4

Answer = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def open_detector(options: dict[str, Any]) -> Any:
    path = Path(options["file"])
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = options["threads"], 1
    settings.log_severity_level = 4  # CenterFace's file announces other shapes than it gives
    session = onnxruntime.InferenceSession(_free(path), settings, providers=["CPUExecutionProvider"])
    yunet = path.name.startswith("yunet")
    threshold = options.get("score_threshold") or (0.5 if yunet else 0.35)
    name = session.get_inputs()[0].name

    def detect(image: NDArray[np.uint8]) -> Answer:
        height, width = image.shape[:2]
        padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.float32)
        padded[:height, :width] = image if yunet else image[:, :, ::-1]
        outputs = session.run(None, {name: np.ascontiguousarray(padded.transpose(2, 0, 1))[None]})
        values = dict(zip((output.name for output in session.get_outputs()), outputs, strict=True))
        boxes, scores, points = (_yunet if yunet else _centerface)(values, padded.shape, threshold)
        boxes, scores, points = hard_nms(boxes, scores, points, SUPPRESSION_IOU)
        four = np.concatenate([points[:, :3], points[:, 3:].mean(axis=1, keepdims=True)], axis=1)
        return boxes, scores, four

    return detect


def _free(path: Path) -> bytes:
    """The file with its batch, height and width left open, whatever it says."""
    import onnx

    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1 or value in list(model.graph.output):
                size.Clear()
                size.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def _yunet(values: dict[str, NDArray[Any]], shape: tuple[int, ...], threshold: float) -> Answer:
    found = []
    for stride in (8, 16, 32):
        cls, obj, box, points = (values[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
        score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))[:, 0]
        rows, columns = shape[0] // stride, shape[1] // stride
        y, x = np.divmod(np.arange(rows * columns), columns)
        keep = score >= threshold
        cell = np.stack([x, y], axis=1)[keep]
        middle, half = (cell + box[keep, :2]) * stride, np.exp(box[keep, 2:]) * stride / 2
        where = (points[keep].reshape(-1, 5, 2) + cell[:, None]) * stride
        found.append((np.concatenate([middle - half, middle + half], axis=1), score[keep], where))
    boxes, scores, where = (np.concatenate(part) for part in zip(*found, strict=True))
    return boxes, scores, where


def _centerface(values: dict[str, NDArray[Any]], shape: tuple[int, ...], threshold: float) -> Answer:
    heat, scale, offset, points = (values[name][0] for name in ("537", "538", "539", "540"))
    row, column = np.nonzero(heat[0] >= threshold)
    height, width = 4 * np.exp(scale[0, row, column]), 4 * np.exp(scale[1, row, column])
    x, y = (column + offset[1, row, column] + 0.5) * 4, (row + offset[0, row, column] + 0.5) * 4
    left, top = x - width / 2, y - height / 2
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    across = left[:, None] + points[1::2, row, column].T * width[:, None]
    down = top[:, None] + points[0::2, row, column].T * height[:, None]
    return boxes, heat[0, row, column], np.stack([across, down], axis=2)
