"""AP by COCO's rules against faster-coco-eval, which is COCO's own evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_material import face, pictures, seen, to_record
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rules import Picture, slow_ap

from blazeface.data.samples import load_split
from blazeface.detections import Detections
from blazeface.evaluation.coco import THRESHOLDS, coco_ap
from blazeface.evaluation.columns import BINS
from blazeface.evaluation.record import Record, make_record
from blazeface.files.pictures import read_picture

FACES = Path(__file__).parents[2] / ".." / "shared" / "faces"

SIDE = 1000.0
"""To COCO each picture is one whose long side is this, so that its ranges of areas are ranges of relative size."""


def reference(records: Sequence[Record], sides: Sequence[float]) -> dict[str, tuple[float, float]]:
    """AP at 0.5 and from 0.5 to 0.95 of each size bin as faster-coco-eval has it."""
    coco_module = pytest.importorskip("faster_coco_eval")
    labels: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for i, (record, side) in enumerate(zip(records, sides, strict=True)):
        scale = SIDE / side
        for box, ignore in zip(record.sample.boxes.astype(float), record.sample.ignore, strict=True):
            labels.append({**coco_box(box * scale), "image_id": i, "id": len(labels) + 1, "iscrowd": int(ignore)})
        for box, score in zip(record.detections.boxes.astype(float), record.detections.scores, strict=True):
            found.append({**coco_box(box * scale), "image_id": i, "score": float(score)})
    truth = coco_module.COCO(
        {
            "images": [{"id": i, "width": SIDE, "height": SIDE} for i in range(len(records))],
            "categories": [{"id": 1, "name": "face"}],
            "annotations": labels,
        }
    )
    evaluation = coco_module.COCOeval_faster(truth, truth.loadRes(found), "bbox", print_function=lambda *_: None)
    parameters = evaluation.params
    parameters.maxDets = [10_000]
    parameters.areaRng = [[(low * SIDE) ** 2, min(high * SIDE, 1e9) ** 2] for low, high in BINS.values()]
    parameters.areaRngLbl = list(BINS)
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, :, 0]  # thresholds, recalls, category, ranges, cut
    precision = np.where(precision < 0, np.nan, precision)  # -1: no face there
    return {name: (precision[0, :, i].mean(), precision[:, :, i].mean()) for i, name in enumerate(BINS)}


def coco_box(box: np.ndarray) -> dict[str, object]:
    x, y, width, height = box[0], box[1], box[2] - box[0], box[3] - box[1]
    return {"bbox": [x, y, width, height], "area": width * height, "category_id": 1}


def agree(records: Sequence[Record], sides: Sequence[float]) -> None:
    ours, theirs = coco_ap(records), reference(records, sides)
    for name, pair in theirs.items():
        assert (ours[name].ap50_101, ours[name].ap_101) == pytest.approx(pair, abs=1e-9, nan_ok=True), name


def test_random_boxes_as_coco_has_them() -> None:
    rng = np.random.default_rng(5)
    records, sides = [], []
    for _ in range(40):
        side = float(rng.integers(200, 900))
        boxes = random_boxes(rng, int(rng.integers(0, 6)), side)
        ignore = rng.random(len(boxes)) < 0.25
        copies = rng.integers(0, max(len(boxes), 1), 8 if len(boxes) else 0)
        near = boxes[copies] + rng.normal(0, 0.06, (len(copies), 4)) * side * 0.15
        made = np.concatenate([near, random_boxes(rng, 4, side)])
        made = made[(made[:, 2:] > made[:, :2] + 1).all(axis=1)]
        records.append(make_random(boxes, ignore, made, np.sort(rng.random(len(made)))[::-1], side))
        sides.append(side)
    agree(records, sides)
    assert 0.05 < coco_ap(records)[">=.05"].ap < 0.95


@settings(deadline=None, max_examples=15)
@given(st.lists(pictures(), min_size=1, max_size=3))
def test_ties_duplicates_and_edges_as_coco_has_them(several: list[Picture]) -> None:
    # COCO wants at least one detection, and takes equal scores in the order in which they are listed, as we do.
    several = [*several, Picture(100, 100, (face(10, 10, 30),), (seen(60, 60, 20, 0.1),))]
    agree([to_record(picture) for picture in several], [100.0] * len(several))


def test_real_pictures_as_coco_has_them() -> None:
    from blazeface import FaceDetector

    if not FACES.is_dir():
        pytest.skip("needs the folder `shared` beside the repository")
    detector = FaceDetector(score_threshold=0.02)
    records, sides = [], []
    for sample in load_split(FACES, "val")[::120]:
        image = read_picture(str(sample.path))
        records.append(make_record(sample, image.shape[0], image.shape[1], detector.detect(image)))
        sides.append(float(max(image.shape[:2])))
    agree(records, sides)


def test_exact_area_against_a_slow_one() -> None:
    """With one face a picture, all in one bin and no ignore region, nothing is ignored but stray sizes."""
    rng = np.random.default_rng(3)
    shown = [
        Picture(100, 100, (face(20, 20, 40),), (seen(20 + shift, 20, 40, score),))
        for shift, score in zip(rng.integers(0, 25, 30), rng.integers(1, 9, 30) / 10, strict=True)
    ]
    expected = []
    for threshold in THRESHOLDS:
        ranked = []
        for picture in shown:
            (x, *_), score = picture.found[0].box, picture.found[0].score
            shared = (60 - x) * 40
            ranked.append((float(np.float32(score)), shared / (3200 - shared) >= threshold))
        expected.append(slow_ap(ranked, 30))
    found = coco_ap([to_record(picture) for picture in shown])[".2-.45"]
    assert (found.ap50, found.ap) == pytest.approx((expected[0], np.mean(expected)))


def test_what_finds_an_ignored_face_does_not_count() -> None:
    # The face of side 60 is too large for the bin. The detection of side 44 finds it at IoU 0.5 and is ignored; at the
    # nine higher thresholds it finds nothing, is of the bin's size, and so a false positive above the right one.
    picture = Picture(
        100,
        100,
        (face(0, 0, 60), face(70, 70, 20)),
        (seen(0, 0, 44, 0.9), seen(0, 0, 60, 0.8), seen(70, 70, 20, 0.7)),
    )
    ap = coco_ap([to_record(picture)])[".2-.45"]
    assert (ap.ap50, ap.ap) == pytest.approx((1.0, 0.55))


def random_boxes(rng: np.random.Generator, count: int, side: float) -> np.ndarray:
    size = side * np.exp(rng.uniform(np.log(0.03), np.log(0.6), count))
    corner = rng.uniform(0, 1, (count, 2)) * (side - size)[:, None]
    return np.concatenate([corner, corner + size[:, None] * rng.uniform(0.8, 1.2, (count, 2))], axis=1)


def make_random(
    boxes: np.ndarray, ignore: np.ndarray, found: np.ndarray, scores: np.ndarray, side: float
) -> Record:
    labels = to_record(Picture(100, 100, (), ())).sample
    sample = type(labels)(
        labels.path,
        labels.source,
        boxes.astype(np.float32),
        np.zeros((len(boxes), 6, 2), np.float32),
        np.zeros((len(boxes), 6), np.uint8),
        ignore,
    )
    points = np.zeros((len(found), 6, 2), np.float32)
    return make_record(
        sample, int(side), int(side), Detections(found.astype(np.float32), scores.astype(np.float32), points)
    )
