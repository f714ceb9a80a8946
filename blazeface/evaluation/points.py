"""How far each keypoint lies from its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from blazeface.evaluation.record import CENTRAL, Record
from blazeface.geometry import Floats
from blazeface.spec import KEYPOINT_NAMES

FAILURE = 0.1
"""Error over the distance between the eyes from which a keypoint counts as failed."""

CENTRAL_NAME = "eyes, nose, mouth"


class PointFigures(TypedDict):
    """faces: measured ones. mean, median: of the error over the distance between the eyes. failures: share over
    FAILURE. None where no face was measured."""

    faces: int
    mean: float | None
    median: float | None
    failures: float | None


def point_figures(records: Sequence[Record]) -> dict[str, PointFigures]:
    """Of each face's mean over the four central keypoints, then of each keypoint by itself.

    Only keypoints that the detector gives are there. The four central ones are held against what a person marked, the
    ears, which nobody marked, against checked predictions of a teacher: see `record.point_errors`.
    """
    central = np.concatenate([np.zeros(0), *(record.keypoint_error for record in records)])
    rows = [record.point_error for record in records if record.point_error.size]
    points = np.concatenate(rows) if rows else np.zeros((0, 0))
    figures = {CENTRAL_NAME: _figures(central)} if points.shape[1] >= CENTRAL else {}
    return figures | {name: _figures(points[:, i]) for i, name in enumerate(KEYPOINT_NAMES[: points.shape[1]])}


def _figures(error: Floats) -> PointFigures:
    known = error[np.isfinite(error)]
    if not len(known):
        return PointFigures(faces=0, mean=None, median=None, failures=None)
    return PointFigures(
        faces=len(known),
        mean=round(float(known.mean()), 5),
        median=round(float(np.median(known)), 5),
        failures=round(float((known > FAILURE).mean()), 5),
    )
