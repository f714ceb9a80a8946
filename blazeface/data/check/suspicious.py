"""Labels that are probably wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.data.headers import Size
from blazeface.data.samples import Sample
from blazeface.geometry import box_iou

TINY = 3.0
"""Side in pixels of the picture below which a box holds no face that anyone could see."""

WHOLE = 0.9
"""Share of the picture's area from which a box is the picture itself."""

LONG = 3.0
"""Ratio of a box's sides from which it is no face's."""

AROUND = 0.5
"""Sides of its box that a point may lie beyond it."""

MIXED_UP = 0.5
"""Share of the faces with eyes and mouth from which right and left are mixed up in the whole set."""

SAME = 0.9
"""IoU from which two faces of a picture are one, labelled twice."""

KINDS = {
    "outside": "its middle lies outside of the picture",
    "tiny": f"under {TINY:g} pixels",
    "whole": f"over {WHOLE:.0%} of the picture",
    "long": f"one side over {LONG:g} times the other",
    "double": "on the place of another face of the picture",
    "points": "points far outside of the box",
    "sides": "right and left changed over: right is the person's own right",
}
"""Kinds of doubtful labels, and what is said of them."""

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = 0, 1, 2, 3


@dataclass(frozen=True)
class Doubt:
    """A label that is probably wrong. kind: one of KINDS. picture, face: positions in the samples and in the sample."""

    kind: str
    picture: int
    face: int


def doubtful(samples: Sequence[Sample], sizes: Sequence[Size | None]) -> list[Doubt]:
    """What is probably wrong, picture by picture; ignore regions are not looked at, nor pictures without a size."""
    doubts = []
    for i, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
        if size is not None:
            for kind, faces in _of_picture(sample, size).items():
                doubts += [Doubt(kind, i, int(face)) for face in np.flatnonzero(faces & ~sample.ignore)]
    return doubts


def changed_over(samples: Sequence[Sample]) -> tuple[int, int]:
    """(faces whose right and left points are changed over, faces of which that can be told)."""
    wrong = told = 0
    for sample in samples:
        turning = sidedness(sample.keypoints, sample.visibility)[~sample.ignore]
        wrong, told = wrong + int((turning < 0).sum()), told + int((turning != 0).sum())
    return wrong, told


def sidedness(keypoints: NDArray[np.float32], visibility: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N,) above 0 where the right eye is on the right side of its face, below 0 where it is changed over, 0: unknown.

    Seen from the camera, the way from the person's right eye to the left one, and then down to the mouth, turns clockwise
    whatever the roll; a face in a mirror turns the other way, as does one whose points were changed over. Faces in profile,
    whose eyes are hardly apart, are left out.
    """
    eyes = keypoints[:, LEFT_EYE] - keypoints[:, RIGHT_EYE]
    below = np.where(visibility[:, MOUTH, None] > 0, keypoints[:, MOUTH], keypoints[:, NOSE])
    down = below - (keypoints[:, LEFT_EYE] + keypoints[:, RIGHT_EYE]) / 2
    cross = eyes[:, 0].astype(np.float64) * down[:, 1] - eyes[:, 1].astype(np.float64) * down[:, 0]
    known = (visibility[:, [RIGHT_EYE, LEFT_EYE]] > 0).all(axis=1) & (visibility[:, [NOSE, MOUTH]] > 0).any(axis=1)
    length = np.linalg.norm(eyes, axis=1) * np.linalg.norm(down, axis=1)
    clear = np.abs(cross) > 0.5 * np.maximum(length, 1e-9)
    apart = np.linalg.norm(eyes, axis=1) > 0.3 * np.linalg.norm(down, axis=1)
    told: NDArray[np.float64] = np.where(known & clear & apart, cross, 0.0)
    return told


def _of_picture(sample: Sample, size: Size) -> dict[str, NDArray[np.bool_]]:
    boxes = sample.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    shown = np.clip(boxes[:, 2:], 0, size) - np.clip(boxes[:, :2], 0, size)
    away = np.maximum(sample.boxes[:, None, :2] - sample.keypoints, sample.keypoints - sample.boxes[:, None, 2:])
    far = (away > AROUND * np.maximum(sides, 1e-9)[:, None]).any(axis=2) & (sample.visibility > 0)
    short, long = sides.min(axis=1), sides.max(axis=1)
    return {
        "outside": ((middle < 0) | (middle > size)).any(axis=1),
        "tiny": np.sqrt(np.maximum(sides.prod(axis=1), 0)) < TINY,
        "whole": shown.prod(axis=1) > WHOLE * size[0] * size[1],
        "long": long > LONG * np.maximum(short, 1e-9),
        "double": _double(sample),
        "points": far.any(axis=1),
        "sides": sidedness(sample.keypoints, sample.visibility) < 0,
    }


def _double(sample: Sample) -> NDArray[np.bool_]:
    """(N,) whether a face before it in the list has nearly the same box."""
    kept = np.where(sample.ignore[:, None], 0, sample.boxes)
    return np.asarray((np.tril(box_iou(kept, kept), -1) > SAME).any(axis=1))
