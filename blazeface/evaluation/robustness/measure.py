"""Recall under each of CONDITIONS, at the score threshold that the face-less pictures as they are set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypedDict

import numpy as np

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample
from blazeface.evaluation.bootstrap import drawn_weights, interval_95, rounded
from blazeface.evaluation.headline import GENERAL, split_by_use
from blazeface.evaluation.operating_point import false_positives, found_faces
from blazeface.evaluation.record import Detect, Read, Record, records_of
from blazeface.evaluation.robustness.conditions import CONDITIONS, Condition
from blazeface.geometry import Image

PICTURES = 600
"""At most so many pictures are made harder, an even choice of those that qualify."""

SMALLEST = 0.1
"""Relative size from which faces count."""

CLEAN = "clean"


class ConditionRecall(TypedDict):
    """faces: counted ones from SMALLEST up. recall: the share found. interval: 95 %, by drawing pictures anew."""

    faces: int
    recall: float | None
    interval: tuple[float, float] | None


class Robustness(TypedDict):
    """threshold: of the group of face-less pictures `at`. pictures: how many were made harder. conditions: first CLEAN,
    the same pictures as they are, then each of CONDITIONS."""

    at: str
    threshold: float
    pictures: int
    conditions: dict[str, ConditionRecall]


Harder = Callable[[str, Sequence[Sample]], Sequence[Record]]
"""Of the name of a condition and the pictures chosen: the records of the pictures made harder."""


def measure_robustness(records: Sequence[Record], harder: Harder, resamples: int = 0) -> Robustness | None:
    """records: of all pictures as they are. None where no picture is without a face, or none has a large one.

    Pictures of the general faces (see `headline`) with a face from SMALLEST up are chosen evenly, at most PICTURES.
    """
    faceless, faces = split_by_use(records)
    fit = [record for record in faces.get(GENERAL, []) if (record.face_size >= SMALLEST).any()]
    if not faceless or not fit:
        return None
    at, empty = next(iter(faceless.items()))
    threshold = false_positives(empty).threshold()
    chosen = chosen_evenly(fit, PICTURES)
    samples = [record.sample for record in chosen]
    conditions = {CLEAN: _recall(chosen, threshold, resamples)}
    for name in CONDITIONS:
        conditions[name] = _recall(harder(name, samples), threshold, resamples)
    return Robustness(at=at, threshold=threshold, pictures=len(chosen), conditions=conditions)


def harder_records(name: str, samples: Sequence[Sample], read: Read, detect: Detect) -> list[Record]:
    """What a detector in this process finds under one of CONDITIONS."""
    return list(records_of(harder_pictures(CONDITIONS[name], samples, read), detect))


def harder_pictures(condition: Condition, samples: Iterable[Sample], read: Read) -> Iterator[tuple[Sample, Image]]:
    """Labels and picture of each sample, made harder."""
    for position, sample in enumerate(samples):
        image = read(sample.path)
        if image is not None:
            image, labels = condition(image, sample, position)
            yield labels, image


def _recall(records: Sequence[Record], threshold: float, resamples: int) -> ConditionRecall:
    faces = found_faces(records)
    rng = np.random.default_rng(0)
    draws = [faces.recall(threshold, SMALLEST, drawn_weights(faces.pictures, rng)) for _ in range(resamples)]
    return ConditionRecall(
        faces=int((faces.size >= SMALLEST).sum()),
        recall=rounded(faces.recall(threshold, SMALLEST)),
        interval=interval_95(draws),
    )
