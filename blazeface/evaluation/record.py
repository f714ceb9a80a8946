"""What figures are made of: one record a picture, with what became of each face and each detection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.evaluation.matching import match, relative_size
from blazeface.geometry import Floats, Image
from blazeface.search import USUAL_SUPPORT, MinFace
from blazeface.spec import KEYPOINT_NAMES

SCORE_CUT = 0.02
"""Score threshold of the detector under test: precision is long gone there."""

CENTRAL = 4
"""Keypoints that an error is measured on: eyes, nose, mouth (the first four)."""

MIN_EYE_DISTANCE = 3.0
"""Faces with eyes this close or closer, in pixels, say nothing about keypoints."""

Detect = Callable[[list[Image]], list[Detections]]
Read = Callable[[Path], Image | None]


def score_cut(min_face: MinFace) -> float:
    """SCORE_CUT; a USUAL_SUPPORT-th of it for a search, which weighs what one candidate alone saw down to about that: as
    many faces are then looked at with a search as without one."""
    return SCORE_CUT if min_face is None else SCORE_CUT / USUAL_SUPPORT


@dataclass(frozen=True)
class Record:
    """One picture: its T counted faces (those that are not ignore regions) and its D detections.

    face_size: (T,) relative sizes. size: (D,) relative sizes. face: (D,) the counted face found, or -1.
    wrong: (D,) bool, false positives. keypoint_error: (T,) mean distance of the four central keypoints
    over the distance between the eyes, NaN where it cannot be measured. point_error: (T, K) of each keypoint that
    the detector gives, see `point_errors`.
    """

    sample: Sample
    detections: Detections
    face_size: Floats
    size: Floats
    face: NDArray[np.intp]
    wrong: NDArray[np.bool_]
    keypoint_error: Floats
    point_error: Floats


def with_points_of_labels(detect: Detect, names: Sequence[str]) -> Detect:
    """The same without the keypoints from the first on that another name than the labels' stands for.

    names: of the detector's keypoints, in order. A corner of the mouth is not to be held against its centre.
    """
    pairs = enumerate(zip(names, KEYPOINT_NAMES, strict=False))
    same = next((place for place, (own, label) in pairs if own != label), len(KEYPOINT_NAMES))
    if same >= len(names):
        return detect
    return lambda images: [replace(found, keypoints=found.keypoints[:, :same]) for found in detect(images)]


def records(samples: Iterable[Sample], read: Read, detect: Detect, batch: int = 16) -> Iterator[Record]:
    """Detect and match, picture by picture.

    read: the picture of a path, BGR uint8, or None for one to pass over (naming it is up to `read`).
    detect: faces of several pictures at once, with scores from SCORE_CUT up.
    """
    pictures = ((sample, read(sample.path)) for sample in samples)
    return records_of(((sample, image) for sample, image in pictures if image is not None), detect, batch)


def records_of(labelled: Iterable[tuple[Sample, Image]], detect: Detect, batch: int = 16) -> Iterator[Record]:
    """The same of pictures that are at hand."""
    waiting = iter(labelled)
    while chunk := list(islice(waiting, batch)):
        images = [image for _, image in chunk]
        for (sample, image), detections in zip(chunk, detect(images), strict=True):
            yield make_record(sample, image.shape[0], image.shape[1], detections)


def make_record(sample: Sample, height: int, width: int, detections: Detections) -> Record:
    """Match one picture's detections with its labels."""
    counted = ~sample.ignore
    faces = sample.boxes[counted]
    matches = match(detections, faces, sample.boxes[sample.ignore])
    errors = np.full(len(faces), np.nan)
    points = np.full((len(faces), detections.keypoints.shape[1]), np.nan)
    for i in np.flatnonzero(matches.face >= 0):
        face = matches.face[i]
        labels = sample.keypoints[counted][face], sample.visibility[counted][face]
        errors[face] = keypoint_error(detections.keypoints[i], *labels)
        points[face] = point_errors(detections.keypoints[i], *labels)
    return Record(
        sample,
        detections,
        relative_size(faces, height, width),
        relative_size(detections.boxes, height, width),
        matches.face,
        matches.wrong,
        errors,
        points,
    )


def rematched(record: Record, iou_threshold: float) -> Record:
    """The same with another IoU from which a face counts as found; keypoint errors stay as they are."""
    boxes, ignore = record.sample.boxes, record.sample.ignore
    matches = match(record.detections, boxes[~ignore], boxes[ignore], iou_threshold)
    return replace(record, face=matches.face, wrong=matches.wrong)


def keypoint_error(found: Floats, expected: Floats, visibility: NDArray[np.uint8]) -> float:
    """Mean distance of eyes, nose and mouth over the distance between the eyes, (K, 2) in pixels.

    NaN unless all four were annotated by a person, the eyes are more than three pixels apart, and the detector gives
    these points at all.
    """
    eyes = float(np.linalg.norm(expected[0] - expected[1]))
    if len(found) < CENTRAL or not (visibility[:CENTRAL] == 2).all() or eyes <= MIN_EYE_DISTANCE:
        return float("nan")
    return float(np.linalg.norm(found[:CENTRAL] - expected[:CENTRAL], axis=1).mean()) / eyes


def point_errors(found: Floats, expected: Floats, visibility: NDArray[np.uint8]) -> Floats:
    """Distance of each keypoint found (K, 2) from its label, over the distance between the eyes: (K,).

    NaN where the eyes were not marked by a person or are three pixels apart or less, where one of the four central
    points was not marked by a person, and where one of the others has no label.
    """
    eyes = float(np.linalg.norm(expected[0] - expected[1]))
    count = len(found)
    if not (visibility[:2] == 2).all() or eyes <= MIN_EYE_DISTANCE:
        return np.full(count, np.nan)
    least = np.where(np.arange(count) < CENTRAL, 2, 1)
    distance = np.linalg.norm(found - expected[:count], axis=1) / eyes
    known: Floats = np.where(visibility[:count] >= least, distance, np.nan)
    return known
