"""Pictures, tensors and clips on which the phones' programs are held against Python."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.phones.recording import Buffer
from blazeface.geometry import Image
from blazeface.spec import ModelSpec

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
NEAR = 1e-4

SIZES = [
    (512, 512), (640, 480), (480, 640), (1280, 720), (257, 255), (256, 256), (128, 128), (100, 37), (3, 900),
    (1, 1), (300, 1), (333, 199), (256, 144), (512, 256), (129, 65),
]  # fmt: skip
"""Widths and heights: exact halves and quarters, smaller than the input, odd, slim, a single pixel."""

CORNER_SIZES = [(640, 480), (480, 320), (256, 100), (129, 65), (333, 199)]
"""The last two have ties: sources exactly between two 32nds of a pixel, where OpenCV's last bits decide."""


def picture_of(number: int, width: int, height: int) -> Image:
    """The portrait of an odd number, noise of an even one: BGR."""
    if number % 2:
        portrait = cv2.imread(str(PORTRAIT))
        assert portrait is not None
        return cv2.resize(portrait, (width, height)).astype(np.uint8)
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def stored_yuv(image: Image, format: str, rotation: int, mirrored: bool) -> tuple[Buffer, Image]:
    """A camera's buffer of video range that is about `image` once it is upright, and its stored picture as OpenCV reads it
    (BGR). Both sides must be even."""
    stored = np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, rotation // 90))
    height, width = stored.shape[:2]
    planes = np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2YUV_I420), np.uint8).ravel()
    code = cv2.COLOR_YUV2BGR_I420
    if format == "nv21":
        luma, (u, v) = planes[: width * height], planes[width * height :].reshape(2, -1)
        planes, code = np.concatenate([luma, np.stack([v, u], axis=1).ravel()]), cv2.COLOR_YUV2BGR_NV21
    back = cv2.cvtColor(planes.reshape(height * 3 // 2, width), code).astype(np.uint8)
    return Buffer(planes.tobytes(), format, width, height, rotation, mirrored, "video"), back


def upright(stored: Image, rotation: int, mirrored: bool) -> Image:
    """A stored picture, turned clockwise and then mirrored."""
    turned = np.rot90(stored, -(rotation // 90))
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def network_like_outputs(spec: ModelSpec, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits and regressions of many candidates, some with negative sides or values that no network gives."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-2, 2, spec.num_anchors).astype(np.float32)
    regressions = rng.normal(0, spec.input_size / 20, (spec.num_anchors, spec.num_coords)).astype(np.float32)
    regressions[:, 2:4] += spec.input_size / 6
    logits[:4] = 9
    regressions[0, 5], regressions[1, 0], regressions[2, 9] = np.nan, np.inf, -1e7
    return logits, regressions
