"""Jitter: how far a face's box and keypoints move when only the picture moved.

A picture is shifted and scaled by a little, faces are looked for in each copy, and what was found is moved back. A
steady detector gives the same points each time. The same raw outputs of the network are reduced in several ways, so
that a difference comes from the reduction alone (BlazeFace, arXiv 1907.05047, section 3.4, where blending is said to
lessen jitter).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends import Backend
from blazeface.detections import Detections
from blazeface.detector import postprocess, prepare
from blazeface.geometry import Floats, Image, box_iou, warp
from blazeface.search import Reduce

MAX_SHIFT = 4.0
"""Largest shift along each axis, in pixels of the network's input."""
MAX_SCALING = 0.02
"""Copies are up to this much larger or smaller."""
SAME_FACE = 0.3
"""IoU with the labelled face from which a detection is taken for it."""


@dataclass(frozen=True)
class Displacement:
    """p -> (p - center) * scale + center + shift, in continuous pixels of the picture."""

    scale: float
    center: tuple[float, float]
    shift: tuple[float, float]

    def apply(self, points: Floats) -> Floats:
        """Points (..., 2) of the picture, where they lie in the copy."""
        center = np.array(self.center)
        moved: Floats = (points - center) * self.scale + center + np.array(self.shift)
        return moved

    def undo(self, points: Floats) -> Floats:
        """Points (..., 2) of the copy, where they lie in the picture."""
        center = np.array(self.center)
        back: Floats = (points - center - np.array(self.shift)) / self.scale + center
        return back


def draw_displacements(
    rng: np.random.Generator, count: int, height: int, width: int, input_size: int
) -> list[Displacement]:
    """Uniform shifts up to MAX_SHIFT input pixels along each axis and scalings up to MAX_SCALING, for one picture."""
    shifts = rng.uniform(-MAX_SHIFT, MAX_SHIFT, (count, 2)) * max(height, width) / input_size
    scales = rng.uniform(1 - MAX_SCALING, 1 + MAX_SCALING, count)
    center = (width / 2, height / 2)
    return [Displacement(float(s), center, (float(x), float(y))) for s, (x, y) in zip(scales, shifts, strict=True)]


def displace(image: Image, displacement: Displacement) -> Image:
    """The displaced copy, of the picture's size; black where the picture ends, as beside it in the letterbox."""
    offset = displacement.apply(np.zeros(2))
    matrix = np.array([[displacement.scale, 0, offset[0]], [0, displacement.scale, offset[1]]])
    return warp(image, matrix, image.shape[:2])


def found_points(
    image: Image,
    face: Floats,
    displacements: Sequence[Displacement],
    backend: Backend,
    score_threshold: float,
    reductions: Mapping[str, Reduce],
) -> dict[str, Floats]:
    """Where each reduction sees one face in C displaced copies, moved back: (C', 2 + K, 2), C' <= C.

    face: (4,), the labelled box. The points are the box's top left and bottom right corner (the other two say nothing
    more) and the K keypoints. The network runs once on each copy. A copy in which one of the reductions does not find
    the face is left out for all.
    """
    copies = [prepare(displace(image, displacement), backend.spec) for displacement in displacements]
    logits, regressions = backend.run(np.stack([tensor for tensor, _ in copies]))
    centers = anchor_centers(backend.spec.anchor_maps)
    points: dict[str, list[Floats]] = {name: [] for name in reductions}
    for i, displacement in enumerate(displacements):
        moved = displacement.apply(face.reshape(2, 2)).reshape(4)
        seen = {}
        for name, reduce in reductions.items():
            found = postprocess(
                logits[i], regressions[i], copies[i][1], backend.spec, centers, score_threshold, reduce
            )
            own = face_points(found, moved)
            if own is not None:
                seen[name] = displacement.undo(own)
        if len(seen) == len(reductions):
            for name, back in seen.items():
                points[name].append(back)
    shape = (-1, 2 + len(backend.spec.keypoint_names), 2)
    return {name: np.array(rows, np.float64).reshape(shape) for name, rows in points.items()}


def face_points(found: Detections, face: Floats) -> NDArray[np.float64] | None:
    """Corners and keypoints (2 + K, 2) of the detection that overlaps a box (4,) best; None below SAME_FACE."""
    overlap = box_iou(found.boxes.astype(np.float64), face[None])[:, 0]
    if overlap.max(initial=0.0) < SAME_FACE:
        return None
    best = int(overlap.argmax())
    return np.concatenate([found.boxes[best].reshape(2, 2), found.keypoints[best]]).astype(np.float64)


def jitter(points: Floats, eye_distance: float) -> float:
    """R.m.s. distance of points (C, P, 2) from their mean over the C copies, over the distance between the eyes."""
    squares = ((points - points.mean(axis=0)) ** 2).sum(axis=2)
    return float(np.sqrt(squares.mean()) / eye_distance)
