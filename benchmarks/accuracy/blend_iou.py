"""By how much candidates must overlap to be blended into one face: figures and double faces on training pictures.

    python -m benchmarks.accuracy.blend_iou --data ROOT [--pictures 5000]

The same candidates of each picture are blended at several thresholds, so that nothing but the threshold differs. A
double is a detection at the default score threshold that matches no label and overlaps one that does by more than
DOUBLE. Writes benchmarks/results/blend_iou.json and blend_iou.md. Ten minutes of one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks import RESULTS
from blazeface.blend import blend
from blazeface.data.samples import Sample, load_split
from blazeface.detections import Detections
from blazeface.detector import FaceDetector, model_path
from blazeface.evaluation.columns import make_columns
from blazeface.evaluation.record import SCORE_CUT, Record, make_record
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Floats, box_iou

MODELS = ("front-128", "back-256")
THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6)
DOUBLE = 0.2
RESULT = RESULTS / "blend_iou.json"


@dataclass(frozen=True)
class Seen:
    """One picture with a model's candidates in it, best first."""

    sample: Sample
    height: int
    width: int
    candidates: Detections


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare thresholds of blending on training pictures.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--pictures", type=int, default=5000, help="drawn from train (default: 5000)")
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    samples = load_split(args.data, "train")
    random.Random(args.seed).shuffle(samples)
    samples = samples[: args.pictures]
    result: dict[str, Any] = {"split": "train", "pictures": len(samples), "seed": args.seed, "models": {}}
    for model in MODELS:
        digest = hashlib.sha256(model_path(model).read_bytes()).hexdigest()
        pictures = look(samples, model)
        rows = {f"{threshold:g}": measure(pictures, threshold) for threshold in THRESHOLDS}
        result["models"][model] = {"sha256": digest, "blend_iou": rows}
    for path, text in (
        (RESULT, json.dumps(result, indent=2) + "\n"),
        (RESULT.with_suffix(".md"), markdown(result)),
    ):
        with staged_file(path) as part:
            part.write_text(text, encoding="utf-8")
    print(markdown(result), end="")


def look(samples: Sequence[Sample], model: str) -> list[Seen]:
    """Every picture's candidates, none of them blended."""
    detector = FaceDetector(model, score_threshold=SCORE_CUT, threads=1, reduce=unreduced)
    seen = []
    for sample in tqdm(samples, model, unit="picture", leave=False, disable=None):
        image = read_picture(str(sample.path))
        seen.append(Seen(sample, image.shape[0], image.shape[1], detector.detect(image)))
    return seen


def unreduced(boxes: Floats, scores: Floats, keypoints: Floats, iou: float) -> tuple[Floats, Floats, Floats]:
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order], keypoints[order]


def measure(pictures: Sequence[Seen], threshold: float) -> dict[str, float | int]:
    """The row of figures at one threshold, and how many faces are shown twice."""
    found = []
    for seen in pictures:
        each = seen.candidates
        faces = Detections(*blend(each.boxes, each.scores, each.keypoints, threshold))
        found.append(make_record(seen.sample, seen.height, seen.width, faces))
    figures = {name: round(value, 4) for name, value in make_columns(found).figures().items()}
    return {**figures, "doubles": sum(doubles(record) for record in found)}


def doubles(record: Record, score: float = 0.5) -> int:
    """False positives at the default threshold or above that lie on a face that was found."""
    sure = record.detections.scores >= score
    boxes = record.detections.boxes
    extra, right = boxes[sure & record.wrong], boxes[sure & (record.face >= 0)]
    if not len(extra) or not len(right):
        return 0
    return int((box_iou(extra, right).max(axis=1) > DOUBLE).sum())


def markdown(result: dict[str, Any]) -> str:
    names = list(next(iter(result["models"]["front-128"]["blend_iou"].values())))
    lines = [
        f"{result['pictures']:,} pictures of train, seed {result['seed']}. `python -m benchmarks.accuracy.blend_iou`",
        "",
        "| model | blend_iou | " + " | ".join(names) + " |",
        "| --- " * 2 + "| ---: " * len(names) + "|",
    ]
    for model, part in result["models"].items():
        for threshold, row in part["blend_iou"].items():
            values = [f"{row[name]:.4f}" if isinstance(row[name], float) else str(row[name]) for name in names]
            lines.append(f"| {model} | {threshold} | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
