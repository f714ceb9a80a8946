"""Aligned face crops: the eyes level, every face of the same size at the same place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import write_picture
from blazeface.geometry import Image, Matrix, map_scale, warp
from blazeface.sinks.part_folder import PartFolder
from blazeface.sources.frames import Frame
from blazeface.spec import EYES, KEYPOINT_NAMES

SIDE = 256
"""Width and height of a crop, in pixels."""

PLACES = np.array([[0.36, 0.42], [0.64, 0.42], [0.5, 0.58], [0.5, 0.71]])
"""Where right eye, left eye, nose tip and mouth centre of a frontal face come to lie, in sides of the crop."""

BOX_MIDDLE, BOX_SIDE = 0.5 + 0.56j, 0.6
"""Where the middle of its box lies then, x + y i, and how long the box is, in sides of the crop."""

EYES_APART = 0.1
"""Sides of the box between the eyes, from which their line says how the head is turned; in profile it does not."""


def aligned_crop(
    image: Image,
    box: NDArray[np.float32],
    keypoints: NDArray[np.float32],
    side: int = SIDE,
    keypoint_names: Sequence[str] = KEYPOINT_NAMES,
) -> Image:
    """A BGR picture (side, side, 3) of one face, turned so that its eyes are level; black beyond the picture's edge.

    box (4,), keypoints (K, 2), which are called so (ModelSpec.keypoint_names). Where eyes, nose tip and mouth centre are not all
    among them, the box says where the face lies.
    """
    matrix = alignment(box, keypoints, keypoint_names) * side
    # Finer than each pixel of the picture, so that nothing flickers from frame to frame.
    oversampling = min(8, max(1, ceil(0.75 / max(map_scale(matrix), 1e-6))))
    return warp(image, matrix, side, oversampling)


def alignment(
    box: NDArray[np.float32], keypoints: NDArray[np.float32], keypoint_names: Sequence[str] = KEYPOINT_NAMES
) -> Matrix:
    """The similarity (2, 3) from pixels of the picture to sides of the crop.

    Points are complex numbers, so that a similarity is z -> a z + b. The scale is that of the least squares fit of
    the four points to PLACES, a = sum(conj(z) w) / sum(|z|^2) about their means; so is the rotation where the eyes
    are too close together to be trusted. Points that all fall together give the place alone. Where one of the four is missing,
    place and scale are the box's.
    """
    points = {name: complex(x, y) for name, (x, y) in zip(keypoint_names, keypoints, strict=False)}
    size = max(float(box[2] - box[0]), float(box[3] - box[1]), 1e-3)
    a = BOX_SIDE / size + 0j
    central = [points[name] for name in KEYPOINT_NAMES[: len(PLACES)] if name in points]
    if len(central) == len(PLACES):
        z, w = np.array(central), PLACES[:, 0] + 1j * PLACES[:, 1]
        z_mean, w_mean = z.mean(), w.mean()
        spread = (np.abs(z - z_mean) ** 2).sum()
        if spread > (0.01 * size) ** 2:
            a = (np.conj(z - z_mean) * (w - w_mean)).sum() / spread
    else:
        z_mean, w_mean = complex(box[0] + box[2], box[1] + box[3]) / 2, BOX_MIDDLE
    right, left = (points.get(eye) for eye in EYES)
    if right is not None and left is not None and abs(left - right) > EYES_APART * size:
        a = abs(a) * abs(left - right) / (left - right)
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


class CropFolder:
    """Records faces as pictures in a folder: NAME-FACE.jpg, for a video NAME-FRAME-FACE.jpg.

    FACE is the track id, or the place of the face by score. names, report: as in `PartFolder`. replace: as in
    `staged_file`. keypoint_names: as in `aligned_crop`.
    """

    def __init__(
        self,
        folder: Path,
        names: dict[str, PurePath],
        replace: bool = True,
        report: Callable[[BlazeFaceError], None] | None = None,
        keypoint_names: Sequence[str] = KEYPOINT_NAMES,
    ):
        self._parts = PartFolder(folder, names, report)
        self._replace = replace
        self._keypoint_names = keypoint_names

    def __call__(self, frame: Frame, faces: Detections) -> None:
        for n in range(len(faces)):
            face = n + 1 if faces.track_ids is None else int(faces.track_ids[n])
            with self._parts.file(frame, f"-{face}.jpg") as target:
                crop = aligned_crop(
                    frame.image, faces.boxes[n], faces.keypoints[n], keypoint_names=self._keypoint_names
                )
                write_picture(target, crop, self._replace)
