"""The headline: recall at a fixed rate of false positives, which is what a user of a detector meets.

The score threshold is the one that leaves at most 10 false positives in 1,000 pictures without a face; recall is the share
of faces found (IoU 0.5) at scores above it. Two tables sort the sources of a data set, by the beginning of their names:

- Face-less pictures are those of sources without any counted face. Where no source is without one, they are all pictures
  without a counted face. They are grouped by FACELESS_GROUPS; what is not named there forms a group of its own.
- Faces are those of all other sources, grouped by FACE_GROUPS; what is not named there is the group "general".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from blazeface.data.samples import Sample
from blazeface.evaluation.bootstrap import drawn_weights, interval_95, rounded
from blazeface.evaluation.columns import make_columns
from blazeface.evaluation.operating_point import (
    FALSE_POSITIVES_PER_THOUSAND,
    FalsePositives,
    FoundFaces,
    false_positives,
    found_faces,
)
from blazeface.evaluation.record import Record, rematched

SIZES: dict[str, float] = {">=.1": 0.1, ">=.05": 0.05}
"""Smallest relative size of the faces that a recall counts."""

FACELESS_GROUPS: dict[str, tuple[str, ...]] = {
    "houses": ("neg_houses",),
    "animals and objects": ("neg_animals", "neg_objects"),
}
FACE_GROUPS: dict[str, tuple[str, ...]] = {"crowds": ("crowd_",)}
"""Name of each group and how the names of its sources begin."""

OTHER_FACELESS, GENERAL = "face-less pictures", "general"


class Threshold(TypedDict):
    """Of a group of face-less pictures. Detections count that score higher than `threshold`; `left` of them are false
    positives, which is no more than `allowed`."""

    pictures: int
    allowed: int
    threshold: float
    left: int


class Recall(TypedDict):
    """Of a group of faces; None where there is nothing to measure.

    faces: how many there are of each of SIZES. recall: the share found, {face-less group: {size: ...}}, intervals: its
    95 % bootstrap intervals (empty where none were asked for). ap50, ap75: average precision at IoU 0.5 and 0.75 over the
    same pictures, those of the group and of the face-less group, {face-less group: {size bin: ...}}.
    """

    pictures: int
    faces: dict[str, int]
    recall: dict[str, dict[str, float | None]]
    intervals: dict[str, dict[str, tuple[float, float] | None]]
    ap50: dict[str, dict[str, float | None]]
    ap75: dict[str, dict[str, float | None]]


class Headline(TypedDict):
    """thresholds: by group of face-less pictures. recall: by group of faces."""

    false_positives_per_thousand: int
    thresholds: dict[str, Threshold]
    recall: dict[str, Recall]


def make_headline(records: Sequence[Record], resamples: int = 0, seed: int = 0) -> Headline:
    """All of the headline. resamples: of the bootstrap, which draws the pictures of each group anew by themselves, and
    takes the threshold from the face-less pictures drawn."""
    faceless_parts, face_parts = split_by_use(records)
    faceless = {name: false_positives(part) for name, part in faceless_parts.items()}
    faces = {name: found_faces(part) for name, part in face_parts.items()}
    thresholds = {name: group.threshold() for name, group in faceless.items()}
    draws = _bootstrap(faceless, faces, resamples, seed)
    return Headline(
        false_positives_per_thousand=FALSE_POSITIVES_PER_THOUSAND,
        thresholds={
            name: Threshold(
                pictures=group.pictures,
                allowed=group.allowed,
                threshold=thresholds[name],
                left=int((group.scores > thresholds[name]).sum()),
            )
            for name, group in faceless.items()
        },
        recall={
            name: Recall(
                pictures=group.pictures,
                faces={size: int((group.size >= least).sum()) for size, least in SIZES.items()},
                recall={
                    at: {size: rounded(group.recall(threshold, least)) for size, least in SIZES.items()}
                    for at, threshold in thresholds.items()
                },
                intervals={
                    at: {size: interval_95(draws[name, at, size]) for size in SIZES}
                    for at in (thresholds if resamples else ())
                },
                ap50={at: _ap([*face_parts[name], *part]) for at, part in faceless_parts.items()},
                ap75={
                    at: _ap([rematched(record, 0.75) for record in [*face_parts[name], *part]])
                    for at, part in faceless_parts.items()
                },
            )
            for name, group in faces.items()
        },
    )


def headline_figures(records: Sequence[Record]) -> dict[str, float]:
    """The recalls as one flat row, such as "recall >=.1 at houses" and, of other faces than the general ones,
    "recall >=.1 at houses, crowds"."""
    faceless, faces = split_by_use(records)
    thresholds = {at: false_positives(part).threshold() for at, part in faceless.items()}
    return {
        f"recall {size} at {at}" + ("" if name == GENERAL else f", {name}"): found_faces(part).recall(
            threshold, least
        )
        for name, part in faces.items()
        for at, threshold in thresholds.items()
        for size, least in SIZES.items()
    }


def faceless_samples(samples: Sequence[Sample]) -> list[Sample]:
    """The face-less pictures of a data set: see the head of this file."""
    with_faces = {sample.source for sample in samples if not sample.ignore.all()}
    faceless = [sample for sample in samples if sample.source not in with_faces]
    return faceless or [sample for sample in samples if sample.ignore.all()]


def split_by_use(records: Sequence[Record]) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
    """The groups of face-less pictures, and those of pictures with faces, in the order of their tables; empty ones are
    left out."""
    faceless = {id(sample) for sample in faceless_samples([record.sample for record in records])}
    parts: tuple[dict[str, list[Record]], dict[str, list[Record]]] = (
        {name: [] for name in (*FACELESS_GROUPS, OTHER_FACELESS)},
        {name: [] for name in (GENERAL, *FACE_GROUPS)},
    )
    for record in records:
        if id(record.sample) in faceless:
            parts[0][group_of(record.sample.source, FACELESS_GROUPS, OTHER_FACELESS)].append(record)
        else:
            parts[1][group_of(record.sample.source, FACE_GROUPS, GENERAL)].append(record)
    return {name: part for name, part in parts[0].items() if part}, {
        name: part for name, part in parts[1].items() if part
    }


def group_of(source: str, groups: Mapping[str, tuple[str, ...]], other: str) -> str:
    """The group that a source belongs to by the beginning of its name."""
    return next((name for name, starts in groups.items() if source.startswith(starts)), other)


def _ap(records: Sequence[Record]) -> dict[str, float | None]:
    return {name: rounded(ranking.average_precision()) for name, ranking in make_columns(records).rankings.items()}


def _bootstrap(
    faceless: Mapping[str, FalsePositives], faces: Mapping[str, FoundFaces], resamples: int, seed: int
) -> dict[tuple[str, str, str], list[float]]:
    """Recalls of all resamples by group of faces, group of face-less pictures, and size."""
    rng = np.random.default_rng(seed)
    draws: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(resamples):
        thresholds = {at: group.threshold(drawn_weights(group.pictures, rng)) for at, group in faceless.items()}
        for name, group in faces.items():
            weight = drawn_weights(group.pictures, rng)
            for at, threshold in thresholds.items():
                for size, least in SIZES.items():
                    draws.setdefault((name, at, size), []).append(group.recall(threshold, least, weight))
    return draws
