"""What a report is made of: one record a picture, with all that any figure needs."""

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
"""Detections below this are not asked for: precision is long gone there."""

CENTRAL = 4
"""Keypoints that an error is measured on: eyes, nose, mouth (the first four)."""

MIN_EYE_DISTANCE = 3.0
"""Faces with eyes closer than this, in pixels, say nothing about keypoints."""

Detect = Callable[[list[Image]], list[Detections]]


@dataclass(frozen=True)
class Record:
    """One picture: T counted faces and D detections, best score first.

    face_size: (T,) relative sizes. scores, size: (D,) scores and relative sizes. face: (D,) the face
    found or -1. wrong: (D,) bool, false positives. keypoint_error: (T,) mean distance of the four central
    keypoints over the distance between the eyes, NaN where it cannot be measured. boxes: (D, 4) pixels.
    """

    sample: Sample
    face_size: Floats
    scores: Floats
    size: Floats
    face: NDArray[np.intp]
    wrong: NDArray[np.bool_]
    keypoint_error: Floats
    boxes: Floats


def records(
    samples: Iterable[Sample], read: Callable[[Path], Image | None], detect: Detect, batch: int = 16
) -> Iterator[Record]:
    """Detect and match, picture by picture. `read` gives None for a picture to pass over."""
    pictures = ((sample, read(sample.path)) for sample in samples)
    found = ((sample, image) for sample, image in pictures if image is not None)
    while chunk := list(islice(found, batch)):
        images = [image for _, image in chunk]
        for (sample, image), detections in zip(chunk, detect(images), strict=True):
            yield make_record(sample, image.shape[0], image.shape[1], detections)


def make_record(sample: Sample, height: int, width: int, detections: Detections) -> Record:
    """Match one picture's detections with its labels."""
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
        relative_size(faces, height, width),
        detections.scores,
        relative_size(detections.boxes, height, width),
        matches.face,
        matches.false_positive,
        errors,
        detections.boxes,
    )


def keypoint_error(found: Floats, wanted: Floats, visibility: NDArray[np.uint8]) -> float:
    """Mean distance of eyes, nose and mouth over the distance between the eyes, (K, 2) in pixels.

    NaN unless all four were annotated by a person and the eyes are more than three pixels apart.
    """
    eyes = float(np.linalg.norm(wanted[0] - wanted[1]))
    if not (visibility[:CENTRAL] == 2).all() or eyes <= MIN_EYE_DISTANCE:
        return float("nan")
    return float(np.linalg.norm(found[:CENTRAL] - wanted[:CENTRAL], axis=1).mean()) / eyes
