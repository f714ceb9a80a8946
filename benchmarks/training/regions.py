"""Ignore regions for faces that nobody labelled, decoys and hard faces, for the training pictures: regions.json.

    python -m benchmarks.training.regions --data ROOT --peers FOLDER --model runs/front/model.onnx --out regions.json

Pictures of SOURCES_LABELLED_BY_HAND are looked at by two detectors of others, at native size: where one of them sees a face that no
label and no ignore region covers, an ignore region is added (the other sources were labelled by the same two). Decoys are
false positives of `--model` that touch no label; where they lie on a new ignore region they are dropped, and so are those
of lfw at the edge of the picture, which are neighbours cut in half. Hard faces are labelled ones of HARD_SIZE and more that
`--model` does not find at a score of SURE.

regions.json is of two runs: decoys of front-128, then those of back-256 and its hard faces. What YuNet_n or CenterFace took for faces among
the decoys when shown them from close, and what back-256 took for faces where no label is, was looked at by eye: 105 places are ignore
regions since.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.peers.teachers import open_teachers
from blazeface.blend import hard_nms
from blazeface.data.samples import Sample, load_split
from blazeface.detector import FaceDetector
from blazeface.evaluation.record import Record, make_record
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Floats, Image, box_area, box_intersection, box_iou

SOURCES_LABELLED_BY_HAND = ("webfaces", "lfw", "ytfaces", "facemask")
SMALLEST = 6.0
"""Side in pixels from which a face of the two counts."""

DECOY_SCORE, DECOYS = 0.3, 4
"""Of a false positive, and the most that are kept of a picture."""

HARD_SIZE, SURE = 0.05, 0.5
"""Share of the picture's side from which a face may be hard, and the score from which it is found."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True, help="folder of the two .onnx files")
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("regions.json"))
    args = parser.parse_args()
    teachers = list(open_teachers(args.peers).values())
    detector = FaceDetector(args.model, score_threshold=DECOY_SCORE)
    found: dict[str, dict[str, list[list[int]]]] = {}
    for sample in tqdm(load_split(args.data, "train")):
        image = read_picture(str(sample.path))
        by_hand = sample.source in SOURCES_LABELLED_BY_HAND
        ignore = unlabelled(image, sample, teachers) if by_hand else np.zeros((0, 4))
        height, width = image.shape[:2]
        record = make_record(sample, height, width, detector.detect(image))
        entry = {
            "ignore": whole(ignore),
            "decoys": whole(decoys(record, width, height, ignore)),
            "hard": whole(hard_faces(record)),
        }
        if any(entry.values()):
            found[f"{sample.source}/{sample.path.name}"] = {kind: boxes for kind, boxes in entry.items() if boxes}
    lines = [
        f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}" for name, entry in sorted(found.items())
    ]
    with staged_file(args.out) as part:
        part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def unlabelled(image: Image, sample: Sample, teachers: list[Any]) -> Floats:
    """Boxes (N, 4) of the teachers' faces that no label covers."""
    answers = [teacher(image) for teacher in teachers]
    boxes, scores, points = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    boxes, _, _ = hard_nms(boxes, scores, points, 0.4)
    boxes = boxes[np.sqrt(box_area(boxes)) >= SMALLEST]
    overlap = box_iou(boxes, sample.boxes).max(axis=1, initial=0.0)
    inside = (box_intersection(boxes, sample.boxes) / np.maximum(box_area(boxes), 1e-6)[:, None]).max(
        axis=1, initial=0.0
    )
    kept: Floats = boxes[(overlap < 0.3) & (inside < 0.5)]
    return kept


def decoys(record: Record, width: int, height: int, ignore: Floats) -> Floats:
    """Boxes (N, 4) of the detector's false positives in a picture of that size, the surest first."""
    boxes = record.detections.boxes[record.wrong]
    apart = box_iou(boxes, record.sample.boxes).max(axis=1, initial=0.0) <= 0.1
    on_ignore = (box_intersection(boxes, ignore) / np.maximum(box_area(boxes), 1e-6)[:, None]).max(
        axis=1, initial=0.0
    )
    kept: NDArray[np.bool_] = apart & (on_ignore < 0.2)
    if record.sample.source == "lfw":
        kept &= (boxes[:, 0] > 2) & (boxes[:, 2] < width - 2) & (boxes[:, 3] < height - 2)
    return boxes[kept][:DECOYS]


def hard_faces(record: Record) -> Floats:
    """Boxes (N, 4) of the labelled faces that the detector missed."""
    found = record.face[(record.face >= 0) & (record.detections.scores >= SURE)]
    missed = np.setdiff1d(np.flatnonzero(record.face_size >= HARD_SIZE), found)
    boxes: Floats = record.sample.boxes[~record.sample.ignore][missed]
    return boxes


def whole(boxes: Floats) -> list[list[int]]:
    """Boxes in whole pixels, without those that are none then."""
    rounded = np.round(boxes).astype(int)
    rounded = rounded[(rounded[:, 2:] > rounded[:, :2]).all(axis=1)]
    values: list[list[int]] = rounded.tolist()
    return values


if __name__ == "__main__":
    main()
