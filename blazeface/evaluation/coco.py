"""Average precision by relative size with COCO's matching and ignore rules, at IoU 0.5 and over 0.5 to 0.95.

How these differ from the rules of `matching` and `columns`: a face outside the size bin is not left out but ignored, and so
is what finds it; a detection goes to a counted face first, and to an ignored one only where no counted one is free; an
ignore region (COCO: a crowd) takes any number of detections, and the overlap with it is the share of the *detection* that
lies inside, held against the same threshold. A detection that finds nothing is ignored where its own size is
outside the bin. Bins are closed at both ends. The rules are those of COCO's evaluation code (COCOeval in
cocodataset/cocoapi), but areas are relative to the picture and no number of detections is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blazeface.evaluation.ap import average_precision, recall_steps
from blazeface.evaluation.columns import BINS
from blazeface.evaluation.record import Record
from blazeface.geometry import Floats, box_area, box_intersection, box_iou

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
AT_75 = THRESHOLDS.index(0.75)
RECALLS = np.linspace(0, 1, 101)

Bools = NDArray[np.bool_]


class CocoAp(NamedTuple):
    """Of one size bin, NaN without a face in it.

    ap50, ap75, ap: at IoU 0.5, at 0.75, and the mean over THRESHOLDS; the exact area under the precision envelope, detections of equal
    score counting at once. ap50_101, ap_101: as COCO takes it, the mean of the envelope at 101 recalls, one
    detection after another.
    """

    ap50: float
    ap: float
    ap50_101: float
    ap_101: float
    ap75: float


def coco_ap(records: Sequence[Record]) -> dict[str, CocoAp]:
    """The figures of each of BINS over all pictures."""
    scores = np.concatenate([np.zeros(0), *(record.detections.scores.astype(np.float64) for record in records)])
    order = np.argsort(-scores, kind="stable")
    overlaps = [_overlaps(record) for record in records]
    figures = {}
    for name, (low, high) in BINS.items():
        faces = sum(int(((record.face_size >= low) & (record.face_size <= high)).sum()) for record in records)
        rows = []
        for threshold in THRESHOLDS:
            outcomes = [
                _match_outcomes(record, overlap, low, high, threshold)
                for record, overlap in zip(records, overlaps, strict=True)
            ]
            hit = np.concatenate([np.zeros(0, bool), *(hits for hits, _ in outcomes)])[order]
            counted = np.concatenate([np.zeros(0, bool), *(counts for _, counts in outcomes)])[order]
            ranked, hit = scores[order][counted], hit[counted]
            rows.append((average_precision(recall_steps(ranked, hit), faces), _interpolated(hit, faces)))
        exact, sampled = np.array(rows).T
        figures[name] = CocoAp(*map(float, (exact[0], exact.mean(), sampled[0], sampled.mean(), exact[AT_75])))
    return figures


def _overlaps(record: Record) -> Floats:
    """Of D detections with the B labelled boxes, regions among them, in the order of the labels: (D, B)."""
    boxes = record.detections.boxes.astype(np.float64)
    labels, ignore = record.sample.boxes.astype(np.float64), record.sample.ignore
    area = box_area(boxes)[:, None]
    inside = box_intersection(boxes, labels[ignore])
    overlap = box_iou(boxes, labels)
    overlap[:, ignore] = np.divide(inside, area, out=np.zeros_like(inside), where=area > 0)
    return overlap


def _match_outcomes(
    record: Record, overlap: Floats, low: float, high: float, threshold: float
) -> tuple[Bools, Bools]:
    """Of the D detections: which found a counted face, and which count at all, (D,) each."""
    crowd = record.sample.ignore
    ignored = crowd.copy()
    ignored[~crowd] = (record.face_size < low) | (record.face_size > high)
    free = np.ones(len(crowd), bool)
    hit = np.zeros(len(overlap), bool)
    counts = (record.size >= low) & (record.size <= high)
    # COCO lowers a threshold of 1 by this little; none of ours is, but rounding of 0.5 must agree.
    least = min(threshold, 1 - 1e-10)
    for i in np.flatnonzero(overlap.max(axis=1, initial=0.0) >= least):
        usable = (overlap[i] >= least) & (free | crowd)
        for group in (usable & ~ignored, usable & ignored):
            places = np.flatnonzero(group)
            if len(places):
                values = overlap[i, places]
                taken = places[np.flatnonzero(values == values.max())[-1]]  # of equal ones the last
                free[taken] = False
                hit[i] = counts[i] = not ignored[taken]
                break
    return hit, counts


def _interpolated(hit: Bools, faces: int) -> float:
    """Mean of the precision envelope at 101 recalls, zero where a recall is not reached."""
    if not faces:
        return float("nan")
    found = np.cumsum(hit)
    precision = found / np.arange(1, len(hit) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(found / faces, RECALLS, side="left")].mean())
