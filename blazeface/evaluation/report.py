"""Figures from records: by relative face size, by source, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from blazeface.evaluation.ap import average_precision
from blazeface.evaluation.record import Record

BINS: dict[str, tuple[float, float]] = {
    ".05-.1": (0.05, 0.1),
    ".1-.2": (0.1, 0.2),
    ".2-.45": (0.2, 0.45),
    ">=.45": (0.45, float("inf")),
    ">=.1": (0.1, float("inf")),
    ">=.05": (0.05, float("inf")),
}
"""Relative face sizes r = sqrt(box area) / long side of the picture, low <= r < high."""

ALARM_SCORE = 0.5
"""Score from which a detection in a picture without a face is an alarm."""


def bin_ap(records: Sequence[Record], low: float, high: float) -> tuple[float, int]:
    """Average precision and number of the counted faces whose relative size lies in [low, high).

    Counted are the matches with those faces and the false positives whose own size is in the bin; matches
    with other faces are left out.
    """
    scores, hits, faces = [], [], 0
    for record in records:
        inside = (record.face_size >= low) & (record.face_size < high)
        faces += int(inside.sum())
        matched = record.face >= 0
        hit = np.zeros(len(record.scores), bool)
        hit[matched] = inside[record.face[matched]]
        wrong = record.wrong & (record.size >= low) & (record.size < high)
        counted = hit | wrong
        scores.append(record.scores[counted])
        hits.append(hit[counted])
    if not scores:
        return float("nan"), 0
    return average_precision(np.concatenate(scores), np.concatenate(hits), faces), faces


def alarms(records: Sequence[Record]) -> tuple[float, int]:
    """False positives at score 0.5 or more per picture without a counted face, and how many those are."""
    empty = [record for record in records if len(record.face_size) == 0]
    count = sum(int((record.wrong & (record.scores >= ALARM_SCORE)).sum()) for record in empty)
    return (count / len(empty) if empty else float("nan")), len(empty)


def median_keypoint_error(records: Sequence[Record]) -> tuple[float, int]:
    """Median over matched faces, and how many were measured."""
    errors = np.concatenate([record.keypoint_error for record in records] or [np.zeros(0)])
    errors = errors[np.isfinite(errors)]
    return (float(np.median(errors)) if len(errors) else float("nan")), len(errors)


def figures(records: Sequence[Record]) -> dict[str, float]:
    """The row of the table: AP by size bin, alarms per face-less picture, keypoint error."""
    row = {f"AP {name}": bin_ap(records, *limits)[0] for name, limits in BINS.items()}
    row["false positives per face-less picture"] = alarms(records)[0]
    row["keypoint error"] = median_keypoint_error(records)[0]
    return row


def make_report(records: Sequence[Record], resamples: int = 0, seed: int = 0) -> dict[str, Any]:
    """All figures as a JSON-ready object: overall and by source, with 95 % bootstrap intervals over pictures.

    NaN (nothing to measure) becomes null. resamples: 0 leaves the intervals out.
    """
    sources = sorted({record.sample.source for record in records})
    report: dict[str, Any] = {
        "pictures": len(records),
        "faces": {name: bin_ap(records, *limits)[1] for name, limits in BINS.items()},
        "pictures without a face": alarms(records)[1],
        "faces with measured keypoints": median_keypoint_error(records)[1],
        "figures": _clean(figures(records)),
        "by source": {
            source: {
                "pictures": len(part),
                "figures": _clean(figures(part)),
            }
            for source in sources
            for part in [[record for record in records if record.sample.source == source]]
        },
    }
    if resamples:
        report["intervals"] = intervals(records, resamples, seed)
    return report


def intervals(records: Sequence[Record], resamples: int, seed: int) -> dict[str, list[float | None]]:
    """95 % interval of each figure: pictures drawn again with replacement, 2.5th and 97.5th percentile."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(records), len(records))
        rows.append(list(figures([records[i] for i in chosen]).values()))
    low, high = np.nanpercentile(np.array(rows), [2.5, 97.5], axis=0)
    names = figures(records).keys()
    return {name: [_round(a), _round(b)] for name, a, b in zip(names, low, high, strict=True)}


def _clean(row: dict[str, float]) -> dict[str, float | None]:
    return {name: _round(value) for name, value in row.items()}


def _round(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
