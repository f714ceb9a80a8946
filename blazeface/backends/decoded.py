"""Model files with normalisation and decoding inside, adapted to the protocol of all others.

Exported with --decode, a file has the input "image" (batch, S, S, 3) uint8, RGB, and the outputs "boxes" (batch, A, 4),
x1 y1 x2 y2, "keypoints" (batch, A, K, 2), both in units of the input side, and "scores" (batch, A). The
adapter inverts these steps, all of them exactly invertible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.decode import LOGIT_LIMIT, encode
from blazeface.geometry import Floats
from blazeface.spec import ModelSpec

IMAGE_KEY, IMAGE_VALUE = "blazeface.image", "NHWC uint8 RGB"
"""The metadata entry by which such a file says so."""

OUTPUTS = ("boxes", "keypoints", "scores")

Array = NDArray[Any]


def as_pictures(batch: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.uint8]:
    """A batch (B, 3, S, S) that was made of uint8 pictures by `detector.prepare`, as those pictures (B, S, S, 3)."""
    values = np.rint(batch.transpose(0, 2, 3, 1) * spec.std + spec.mean)
    return np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8))


def as_raw(
    boxes: Floats, keypoints: Floats, scores: Floats, centers: Floats, spec: ModelSpec
) -> tuple[Array, Array]:
    """Boxes (B, A, 4), keypoints (B, A, K, 2) and scores (B, A) as logits (B, A) and regressions (B, A, 4 + 2K).

    Scores of exactly 0 and 1 become logits of -+LOGIT_LIMIT, which `decode.sigmoid` turns into them again.
    """
    count, anchors = scores.shape
    where = np.tile(centers, (count, 1))
    flat = boxes.reshape(-1, 4), keypoints.reshape(len(where), -1, 2)
    regressions = encode(*flat, where, spec.decode_scale).reshape(count, anchors, spec.num_coords)
    wide = scores.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(wide) - np.log1p(-wide), -LOGIT_LIMIT, LOGIT_LIMIT)
    return logits.astype(np.float32), regressions.astype(np.float32)


def in_batches_of(
    size: int, run: Callable[[Array], tuple[Array, ...]], batch: Array, fill: bool = True
) -> tuple[Array, ...]:
    """Run a file on a batch of any size, `size` pictures at a time.

    fill: the file takes exactly so many, so the last run is filled up with zeros; else they are the most it is given.
    """
    if len(batch) == size or (len(batch) < size and not fill):
        return run(batch)
    parts = []
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        missing = size - len(part) if fill else 0
        full = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) if missing else part
        parts.append([output[: len(part)] for output in run(full)])
    return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))
