"""Soft segmentation masks of faces, made from keypoints: the targets of the small U-Net.

The labels hold six points a face and no outlines, so a face is taken for an ellipse from hairline to chin and from
ear to ear. Hair, neck and shoulders are background here, hands and hats in front of a face are face.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.geometry import Floats, letterbox_image

HEIGHT, RISE, WIDTH = 1.33, 0.22, 0.55
"""Half the height over the distance of eyes and mouth, how far the centre lies from the eyes towards the mouth over
the same, and half the width over the distance between the ears: chosen and looked at on 24 pictures."""

EDGE = 0.12
"""Width of the soft rim, in radii."""


@dataclass(frozen=True)
class MaskedPictures:
    """N pictures, letterboxed. images: (N, S, S, 3) BGR uint8. masks: (N, S, S) uint8, 255 a face, 0 background.
    known: (N, S, S) bool, false where nobody can tell: regions to ignore, faces of unknown keypoints."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


def face_ellipse(keypoints: Floats) -> tuple[Floats, Floats, float, float]:
    """Centre (2,), unit vector towards the chin (2,), half the height and half the width of a face (6, 2)."""
    eyes, mouth = keypoints[:2].mean(axis=0), keypoints[3]
    down = mouth - eyes
    height = max(float(np.linalg.norm(down)), 1e-6)
    ears = float(np.linalg.norm(keypoints[4] - keypoints[5]))
    # A head in profile is about as wide as it is high from eyes to mouth.
    return eyes + RISE * down, down / height, HEIGHT * height, max(WIDTH * ears, height)


def soft_mask(keypoints: Floats, size: int) -> NDArray[np.float32]:
    """(size, size) in [0, 1] for the faces (N, 6, 2) of a picture of that size, in its pixels."""
    mask = np.zeros((size, size), np.float32)
    y, x = np.mgrid[:size, :size] + 0.5
    for points in keypoints:
        center, down, tall, wide = face_ellipse(points)
        dx, dy = x - center[0], y - center[1]
        along, across = dx * down[0] + dy * down[1], dx * down[1] - dy * down[0]
        radius = np.sqrt((along / tall) ** 2 + (across / wide) ** 2)
        # A rim of at least two pixels, or small faces would be jagged.
        rim = max(EDGE, 2 / min(tall, wide))
        mask = np.maximum(mask, np.clip((1 + rim / 2 - radius) / rim, 0, 1).astype(np.float32))
    return mask


def masked_pictures(samples: Sequence[Sample], size: int, quiet: bool = False) -> MaskedPictures:
    """Pictures and masks of all samples that can be read; broken ones are named on stderr and left out."""
    images, masks, known = [], [], []
    for sample in tqdm(samples, desc="making masks", unit="", leave=False, disable=quiet or None):
        try:
            picture = read_picture(str(sample.path))
        except BlazeFaceError as error:
            print(f"{error}; left out", file=sys.stderr)
            continue
        image, letterbox = letterbox_image(picture, size)
        drawn = ~sample.ignore & (sample.visibility > 0).all(axis=1)
        sure = np.ones((size, size), bool)
        for box in letterbox.to_input(sample.boxes[~drawn].reshape(-1, 2, 2)).reshape(-1, 4):
            left, top = np.floor(box[:2]).astype(int).clip(0, size)
            right, bottom = np.ceil(box[2:]).astype(int).clip(0, size)
            sure[top:bottom, left:right] = False
        images.append(image)
        masks.append((255 * soft_mask(letterbox.to_input(sample.keypoints[drawn]), size)).round().astype(np.uint8))
        known.append(sure)
    if not images:
        raise BlazeFaceError("there is no picture to make masks for")
    return MaskedPictures(np.stack(images), np.stack(masks), np.stack(known))
