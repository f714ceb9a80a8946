"""Face crops: how a detected face is cut out for a second network, and the way back. Pure functions.

All coordinates are continuous: the top left pixel covers [0, 1) x [0, 1).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.geometry import Floats, Image, warp_affine

CROP_KEY = "blazeface.refine"
"""Name of the metadata entry that holds `CropSpec.to_json` in ONNX and safetensors files."""

FINEST = 4
"""A crop is read at up to so many times its size before it is averaged down: finer steps change nothing visible."""


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
        except (ValueError, TypeError, RecursionError) as error:
            raise BlazeFaceError(f"{source}: its crop metadata cannot be read: {error}") from error


def crop_matrix(center: Floats, side: float, angle: float, size: int) -> NDArray[np.float64]:
    """The map (2, 3) from picture to crop pixels: a square of `side` around `center`, turned so that a line at
    `angle` (radians, x towards y) in the picture is level in the crop. Continuous coordinates on both ends."""
    scale = size / side
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.hstack([turn, (size / 2 - turn @ np.asarray(center, np.float64))[:, None]])


def face_matrix(box: Floats, keypoints: Floats, spec: CropSpec) -> NDArray[np.float64]:
    """`crop_matrix` of a face (box (4,), keypoints (K, 2), picture pixels), level with its eyes."""
    box = np.asarray(box, np.float64)
    side = spec.context * math.sqrt(max(1.0, float((box[2] - box[0]) * (box[3] - box[1]))))
    across = np.asarray(keypoints[1] - keypoints[0], np.float64)
    angle = math.atan2(across[1], across[0]) if np.abs(across).max() > 0 else 0.0
    return crop_matrix((box[:2] + box[2:]) / 2, side, angle, spec.size)


def apply(matrix: NDArray[np.float64], points: Floats) -> NDArray[np.float64]:
    """Points (..., 2) through a map (2, 3)."""
    mapped: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map back."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.hstack([turn, -(turn @ matrix[:, 2])[:, None]])


def cut(image: Image, matrix: NDArray[np.float64], size: int) -> Image:
    """The crop (size, size, 3) of a picture (H, W, 3), black beyond its edges, anti-aliased when it shrinks."""
    shrink = 1 / math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    fine = min(max(1, round(shrink)), FINEST)
    # OpenCV puts pixel centres on whole numbers; ours lie at halves.
    whole = matrix * fine
    whole[:, 2] += whole[:, :2].sum(axis=1) / 2 - 0.5
    crop = warp_affine(image, whole, size * fine, size * fine)
    return crop if fine == 1 else cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def normalised(crops: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.float32]:
    """BGR crops (N, S, S, 3) -> network input (N, 3, S, S) float32 RGB."""
    planes = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32, order="C")
    return (planes - np.float32(spec.mean)) / np.float32(spec.std)
