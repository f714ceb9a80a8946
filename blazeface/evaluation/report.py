"""Figures of a model: by relative face size, by source, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from blazeface.evaluation.bootstrap import drawn_weights, interval_95, rounded
from blazeface.evaluation.calibration import Calibration, calibration
from blazeface.evaluation.coco import coco_ap
from blazeface.evaluation.columns import Columns, make_columns
from blazeface.evaluation.headline import Headline, make_headline
from blazeface.evaluation.points import PointFigures, point_figures
from blazeface.evaluation.record import Record


class Group(TypedDict):
    """Figures of some pictures; None where there is nothing to measure.

    pictures, faceless_pictures, faces (by size bin), measured_keypoints: on how much a figure rests.
    figures: see `Columns.figures`. intervals: 95 % bootstrap interval over pictures of each figure; empty
    where none were asked for.
    """

    pictures: int
    faceless_pictures: int
    faces: dict[str, int]
    measured_keypoints: int
    figures: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


class Report(Group):
    """Figures of all pictures, and of each source. Ready for JSON.

    headline: recall at a fixed rate of false positives (see `headline`). calibration: whether scores are
    probabilities. coco: by size bin, AP by COCO's rules (see
    `CocoAp`). points: by keypoint (see `point_figures`).
    """

    headline: Headline
    calibration: Calibration
    coco: dict[str, dict[str, float | None]]
    points: dict[str, PointFigures]
    by_source: dict[str, Group]


def figures(records: Sequence[Record]) -> dict[str, float]:
    """The row of the table, without more; NaN where there is nothing to measure."""
    return make_columns(records).figures()


def make_report(records: Sequence[Record], resamples: int = 0, seed: int = 0) -> Report:
    """All figures. resamples: of the bootstrap, 0 leaves the intervals out; the seed fixes what it draws."""
    sources = sorted({record.sample.source for record in records})
    parts = {source: [record for record in records if record.sample.source == source] for source in sources}
    return Report(
        **_group(records, resamples, seed),
        headline=make_headline(records, resamples, seed),
        calibration=calibration(records),
        coco={
            name: {kind: rounded(value) for kind, value in ap._asdict().items()}
            for name, ap in coco_ap(records).items()
        },
        points=point_figures(records),
        by_source={source: _group(part, resamples, seed) for source, part in parts.items()},
    )


def _group(records: Sequence[Record], resamples: int, seed: int) -> Group:
    columns = make_columns(records)
    return Group(
        pictures=len(records),
        faceless_pictures=int(columns.faceless.sum()),
        faces={name: int(ranking.faces.sum()) for name, ranking in columns.rankings.items()},
        measured_keypoints=len(columns.error),
        figures={name: rounded(value) for name, value in columns.figures().items()},
        intervals=intervals(columns, resamples, seed) if resamples and records else {},
    )


def intervals(columns: Columns, resamples: int, seed: int) -> dict[str, tuple[float, float] | None]:
    """95 % interval of each figure: pictures drawn anew with replacement, 2.5th and 97.5th percentile.

    Resamples in which a figure has nothing to measure (no face of that size, say) do not count for it.
    """
    rng = np.random.default_rng(seed)
    count = len(columns.faceless)
    rows: dict[str, list[float]] = {}
    for _ in range(resamples):
        weight = drawn_weights(count, rng)
        for name, value in columns.figures(weight).items():
            rows.setdefault(name, []).append(value)
    return {name: interval_95(values) for name, values in rows.items()}
