"""What figures are made of: one record a picture, with the fate of each face and each detection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.matching import match, relative_size
from blazeface.geometry import Floats, Image

SCORE_CUT = 0.02
"""Score threshold of the detector under test: precision is long gone there."""

CENTRAL = 4
"""Keypoints that an error is measured on: eyes, nose, mouth (the first four)."""

MIN_EYE_DISTANCE = 3.0
"""Faces with eyes this close or closer, in pixels, say nothing about keypoints."""

Detect = Callable[[list[Image]], list[Detections]]
Read = Callable[[Path], Image | None]


@dataclass(frozen=True)
class Record:
    """One picture: its T counted faces (those that are not ignore regions) and its D detections.

    face_size: (T,) relative sizes. size: (D,) relative sizes. face: (D,) the counted face found, or -1.
    wrong: (D,) bool, false positives. keypoint_error: (T,) mean distance of the four central keypoints
    over the distance between the eyes, NaN where it cannot be measured.
    """

    sample: Sample
    detections: Detections
    face_size: Floats
    size: Floats
    face: NDArray[np.intp]
    wrong: NDArray[np.bool_]
    keypoint_error: Floats


def records(samples: Iterable[Sample], read: Read, detect: Detect, batch: int = 16) -> Iterator[Record]:
    """Detect and match, picture by picture.

    read: the picture of a path, BGR uint8, or None for one to pass over (naming it is up to `read`).
    detect: faces of several pictures at once, with scores from SCORE_CUT up.
    """
    pictures = ((sample, read(sample.path)) for sample in samples)
    found = ((sample, image) for sample, image in pictures if image is not None)
    while chunk := list(islice(found, batch)):
        images = [image for _, image in chunk]
        for (sample, image), detections in zip(chunk, detect(images), strict=True):
            yield make_record(sample, image.shape[0], image.shape[1], detections)


def make_record(sample: Sample, height: int, width: int, detections: Detections) -> Record:
    """Match one picture's detections with its labels."""
    sample = sample.within(height, width)
    counted = ~sample.ignore
    faces = sample.boxes[counted]
    matches = match(detections, faces, sample.boxes[sample.ignore])
    errors = np.full(len(faces), np.nan)
    for i in np.flatnonzero(matches.face >= 0):
        face = matches.face[i]
        errors[face] = keypoint_error(
            detections.keypoints[i], sample.keypoints[counted][face], sample.visibility[counted][face]
        )
    return Record(
        sample,
        detections,
        relative_size(faces, height, width),
        relative_size(detections.boxes, height, width),
        matches.face,
        matches.wrong,
        errors,
    )


def keypoint_error(found: Floats, wanted: Floats, visibility: NDArray[np.uint8]) -> float:
    """Mean distance of eyes, nose and mouth over the distance between the eyes, (K, 2) in pixels.

    NaN unless all four were annotated by a person and the eyes are more than three pixels apart.
    """
    eyes = float(np.linalg.norm(wanted[0] - wanted[1]))
    if not (visibility[:CENTRAL] == 2).all() or eyes <= MIN_EYE_DISTANCE:
        return float("nan")
    return float(np.linalg.norm(found[:CENTRAL] - wanted[:CENTRAL], axis=1).mean()) / eyes
