"""Face crops: how a detected face is cut out for a second network, and the way back. Pure functions.

All coordinates are continuous: the top left pixel covers [0, 1) x [0, 1).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.geometry import Floats, Image, Matrix, map_scale, view_matrix, warp

CROP_KEY = "blazeface.refine"
"""Name of the metadata entry that holds `CropSpec.to_json` in ONNX and safetensors files."""

MAX_OVERSAMPLING = 4
"""See `geometry.warp`: finer steps change nothing visible."""


@dataclass(frozen=True)
class CropSpec:
    """How a face is cut out for the second stage.

    size: side of the network's input in pixels. context: side of the crop over the root of the box's area. mean,
    std: the network sees (pixel - mean) / std, in RGB order.
    """

    size: int = 64
    context: float = 1.5
    mean: float = 127.5
    std: float = 127.5

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> CropSpec:
        """Read what `to_json` wrote; `source` names the file in the error of a damaged text."""
        try:
            spec = cls(**json.loads(text))
            numbers = (spec.size, spec.context, spec.mean, spec.std)
            if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
                raise ValueError("a value is no finite number")
            if type(spec.size) is not int or not 8 <= spec.size <= 1024:
                raise ValueError(f"size {spec.size!r} is not from 8 to 1024")
            if not (0.1 <= spec.context <= 10 and spec.std > 0):
                raise ValueError(f"context {spec.context!r} or std {spec.std!r} is absurd")
            return spec
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise BlazeFaceError(f"{source}: its crop metadata cannot be read: {error}") from error


def face_matrix(box: Floats, eyes: Floats, spec: CropSpec) -> Matrix:
    """`geometry.view_matrix` of a face (box (4,), right and left eye (2, 2), picture pixels), level with its eyes."""
    box = np.asarray(box, np.float64)
    side = spec.context * math.sqrt(max(1.0, float((box[2] - box[0]) * (box[3] - box[1]))))
    across = np.asarray(eyes[1] - eyes[0], np.float64)
    angle = math.atan2(across[1], across[0]) if np.abs(across).max() > 0 else 0.0
    return view_matrix((box[:2] + box[2:]) / 2, side, angle, spec.size)


def cut(image: Image, matrix: Matrix, size: int) -> Image:
    """The crop (size, size, 3) of a picture (H, W, 3), black beyond its edges, anti-aliased when it shrinks."""
    return warp(image, matrix, size, min(max(1, round(1 / map_scale(matrix))), MAX_OVERSAMPLING))


def normalised(crops: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.float32]:
    """BGR crops (N, S, S, 3) -> network input (N, 3, S, S) float32 RGB."""
    planes = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32, order="C")
    return (planes - np.float32(spec.mean)) / np.float32(spec.std)
