"""Face crops to train the second stage on: each labelled face cut out once, then jittered as detections are."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.crop import CropSpec, cut
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import map_points, view_matrix
from blazeface.spec import KEYPOINT_MIRROR

KEPT_SIZE, KEPT_CONTEXT = 104, 2.2
"""Side in pixels, and over the box's side, of what is kept of a face: room for every jitter."""


@dataclass(frozen=True)
class Jitter:
    """How far crops are from where the labels would put them; all are standard deviations.

    shift: of the centre, in sides of the box. scale: of the logarithm of the side. angle: in radians. They are about
    what front-128 is off by on a sixteenth of the training pictures (.06, .07, .07), with more on the scale because
    its boxes are 5 % larger than the labels' on average.
    """

    shift: float = 0.06
    scale: float = 0.09
    angle: float = 0.07


@dataclass(frozen=True)
class FaceCrops:
    """N faces, cut out upright.

    images: (N, 104, 104, 3) BGR uint8. keypoints: (N, 6, 2) float32, pixels of the crop. visibility: (N, 6) uint8.
    side: (N,) float32, side of the box (root of its area) in pixels of the crop.
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    side: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)


def cut_faces(samples: Sequence[Sample], quiet: bool = False) -> FaceCrops:
    """All faces with at least the four central keypoints known. Broken pictures are named on stderr and left out."""
    images, keypoints, visibility, sides = [], [], [], []
    for sample in tqdm(samples, desc="cutting faces", unit="", leave=False, disable=quiet or None):
        expected = np.flatnonzero(~sample.ignore & (sample.visibility[:, :4] > 0).all(axis=1))
        if len(expected) == 0:
            continue
        try:
            picture = read_picture(str(sample.path))
        except BlazeFaceError as error:
            print(f"{error}; left out", file=sys.stderr)
            continue
        for face in expected:
            box = sample.boxes[face].astype(np.float64)
            side = math.sqrt(max(1.0, (box[2] - box[0]) * (box[3] - box[1])))
            matrix = view_matrix((box[:2] + box[2:]) / 2, KEPT_CONTEXT * side, 0.0, KEPT_SIZE)
            images.append(cut(picture, matrix, KEPT_SIZE))
            keypoints.append(map_points(matrix, sample.keypoints[face]))
            visibility.append(sample.visibility[face])
            sides.append(KEPT_SIZE / KEPT_CONTEXT)
    if not images:
        raise BlazeFaceError("there is no face with known keypoints to train on")
    return FaceCrops(
        np.stack(images), np.stack(keypoints).astype(np.float32), np.stack(visibility), np.array(sides, np.float32)
    )


def jittered(
    crops: FaceCrops, index: int, spec: CropSpec, jitter: Jitter, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """One batch: a crop (S, S, 3) BGR, its keypoints (6, 2) in units of the crop's side, their visibility (6,).

    Cut as a detection with errors would have it cut, mirrored half the time, in other light, sometimes grey, coarse
    or partly covered.
    """
    points, side = crops.keypoints[index].astype(np.float64), float(crops.side[index])
    across = points[1] - points[0]
    angle = math.atan2(across[1], across[0]) + random.normal(0, jitter.angle)
    center = np.full(2, KEPT_SIZE / 2) + random.normal(0, jitter.shift, 2) * side
    matrix = view_matrix(center, spec.context * side * math.exp(random.normal(0, jitter.scale)), angle, spec.size)
    image = cut(crops.images[index], matrix, spec.size)
    points, visibility = map_points(matrix, points) / spec.size, crops.visibility[index]
    if random.random() < 0.5:
        image, points, visibility = mirrored(image, points, visibility)
    return _degraded(image, random), points.astype(np.float32), visibility


def mirrored(
    image: NDArray[np.uint8], points: NDArray[np.float64], visibility: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.uint8]]:
    """Left and right exchanged, also in the keypoints' names; points are in units of the side."""
    order = list(KEYPOINT_MIRROR)
    turned = points[order] * [-1, 1] + [1, 0]
    return np.ascontiguousarray(image[:, ::-1]), turned, visibility[order]


def _degraded(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Light, colour, grey, coarseness and covers, each sometimes."""
    size = len(image)
    if random.random() < 0.25:
        small = int(random.integers(size // 4, size))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    light = image.astype(np.float32)
    if random.random() < 0.1:
        light[:] = light.mean(axis=2, keepdims=True)
    gain = math.exp(random.normal(0, 0.2)) * np.exp(random.normal(0, 0.05, 3))
    light = (light - 127.5) * math.exp(random.normal(0, 0.15)) + 127.5
    light = light * gain.astype(np.float32) + np.float32(random.normal(0, 8))
    if random.random() < 0.2:
        height, width = random.integers(size // 8, size // 2, 2)
        top, left = random.integers(0, size - height), random.integers(0, size - width)
        light[top : top + height, left : left + width] = random.uniform(0, 255, 3)
    answer: NDArray[np.uint8] = light.clip(0, 255).astype(np.uint8)
    return answer
