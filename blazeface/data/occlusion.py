"""Augmentation by partial occlusion: polygons over a face, shaped like masks, sunglasses, hats. Labels are not changed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.geometry import Image

# Outlines in units of the face: across, in distances between the eyes from the middle of the face towards its left
# eye; down, in distances from the eyes to the mouth. Eyes lie at (-.5, 0) and (.5, 0), the mouth at (0, 1).
MASK = ((-1.0, 0.45), (0.0, 0.25), (1.0, 0.45), (0.85, 1.25), (0.0, 1.75), (-0.85, 1.25))
GLASSES = ((-0.95, -0.25), (0.95, -0.25), (0.85, 0.3), (0.2, 0.3), (0.0, 0.05), (-0.2, 0.3), (-0.85, 0.3))
HAT = ((-1.1, -0.3), (1.1, -0.3), (1.0, -1.5), (-1.0, -1.5))
SIDE = ((0.15, -1.2), (1.2, -1.2), (1.2, 1.8), (0.15, 1.8))
OUTLINES = (MASK, GLASSES, HAT, SIDE)
SHARES = (0.45, 0.25, 0.15, 0.15)


def cover_part(
    image: Image, keypoints: NDArray[np.float32], visibility: NDArray[np.uint8], rng: np.random.Generator
) -> None:
    """Paint over a random part of one face, in place.

    image: BGR uint8 (H, W, 3). keypoints: (6, 2) in its pixels. Nothing is painted unless eyes and mouth are known
    (visibility (6,) above 0).
    """
    if not visibility[[0, 1, 3]].all():
        return
    across = keypoints[1] - keypoints[0]
    middle = (keypoints[0] + keypoints[1]) / 2
    down = keypoints[3] - middle
    outline = np.array(OUTLINES[int(rng.choice(len(OUTLINES), p=SHARES))], np.float32)
    outline = outline + rng.normal(0, 0.08, outline.shape).clip(-0.16, 0.16).astype(np.float32)
    if rng.random() < 0.5:
        outline[:, 0] *= -1
    points = middle + outline[:, :1] * across + outline[:, 1:] * down
    left, top = np.floor(points.min(axis=0)).astype(int).clip(0, None)
    right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int), image.shape[1::-1])
    if right - left < 2 or bottom - top < 2:
        return
    part = image[top:bottom, left:right]
    shape = np.zeros(part.shape[:2], np.uint8)
    # Four bits of a pixel, since these faces are small.
    cv2.fillPoly(shape, [np.round((points - (left, top) - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    blended = shape[..., None] / np.float32(255)
    part[:] = np.round(part * (1 - blended) + _cloth(part.shape[:2], rng) * blended).astype(np.uint8)


def _cloth(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """A colour that changes from corner to corner, often nearly white, black or the light blue of masks."""
    kind = rng.random()
    if kind < 0.3:
        colour = np.full(3, rng.uniform(170, 255))
    elif kind < 0.55:
        colour = np.full(3, rng.uniform(0, 60))
    elif kind < 0.7:
        colour = np.array([230, 200, 140]) * rng.uniform(0.6, 1.1)
    else:
        colour = rng.uniform(0, 255, 3)
    corners = colour + rng.normal(0, 18, (2, 2, 3)) + rng.normal(0, 25, (2, 2, 1))
    cloth = cv2.resize(corners.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    noisy: NDArray[np.float32] = np.clip(cloth + rng.normal(0, 4, cloth.shape), 0, 255).astype(np.float32)
    return noisy
