"""What it gains to weigh a face's score by the candidates that support it, and why three of them are usual.

    python -m benchmarks.search.support --video ../shared/videos/street-group.mp4 --data ROOT

Each picture is looked at once, with `min_face="auto"`; its candidates are then joined without the rule and with several
values of `search.USUAL_SUPPORT`. The value is chosen so that face-less pictures give about as many false positives at the
threshold of .5 as without the rule. Writes benchmarks/results/search_support.json and .md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from tqdm import tqdm

from benchmarks import RESULTS
from benchmarks.search.measure import Counts, frames
from blazeface import search
from blazeface.data.samples import Sample, load_split
from blazeface.detections import Detections
from blazeface.detector import FaceDetector, to_detections
from blazeface.evaluation.record import make_record, score_cut
from blazeface.evaluation.report import figures
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Image

USUAL: dict[str, float | None] = {"without": None, "2": 2.0, "2.5": 2.5, "3": 3.0, "4": 4.0}
WIDTH = 1920
THRESHOLDS = (0.3, 0.5)
"""Of covers (`privacy.rules`) and of detection."""
COLUMNS = ("recall", "precision", "AP .05-.1", "AP >=.1", "AP >=.05", *(f"false, {t}" for t in THRESHOLDS))

Found = dict[str, Detections]
"""The faces of a picture by each of USUAL."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--models", nargs="+", default=["front-128", "back-256"])
    args = parser.parse_args()
    result = {name: measured(args, FaceDetector(name, score_cut("auto"), min_face="auto")) for name in args.models}
    with staged_file(RESULTS / "search_support.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    with staged_file(RESULTS / "search_support.md") as part:
        part.write_text(table(result), encoding="utf-8")
    print(table(result))


def measured(args: argparse.Namespace, detector: FaceDetector) -> dict[str, dict[str, float]]:
    """The row of each of USUAL."""
    truth = json.loads((Path(__file__).parent / f"{args.video.stem}.json").read_text(encoding="utf-8"))
    counts = {usual: Counts() for usual in USUAL}
    for number, image in tqdm(frames(args.video, WIDTH), "street", disable=None):
        faces, unsure = (
            np.array(truth["frames"][number][kind]).reshape(-1, 4) * WIDTH / truth["width"]
            for kind in ("faces", "unsure")
        )
        for usual, found in joined(detector, image).items():
            sure = found.scores >= detector.spec.score_threshold
            counts[usual].add(found.boxes[sure].astype(np.float64), faces, unsure)
    samples = load_split(args.data, "val")
    crowds = list(looked_at(detector, [sample for sample in samples if len(sample.boxes) >= 8], "crowds"))
    empty = list(
        looked_at(detector, [sample for sample in samples if sample.source.startswith("neg_")], "no face")
    )
    rows = {}
    for usual in USUAL:
        row: dict[str, float] = dict(counts[usual].figures())
        row |= figures([make_record(sample, *shape, found[usual]) for sample, shape, found in crowds])
        for threshold in THRESHOLDS:
            wrong = [int((found[usual].scores >= threshold).sum()) for _, _, found in empty]
            row[f"false, {threshold}"] = float(np.mean(wrong))
        rows[usual] = {column: round(float(row[column]), 4) for column in COLUMNS}
    return rows


def looked_at(
    detector: FaceDetector, samples: Sequence[Sample], text: str
) -> Iterator[tuple[Sample, tuple[int, int], Found]]:
    for sample in tqdm(samples, text, disable=None):
        image = read_picture(str(sample.path))
        yield sample, (image.shape[0], image.shape[1]), joined(detector, image)


def joined(detector: FaceDetector, image: Image) -> Found:
    """The faces of a picture, joined in each way from the same candidates."""
    least = search.faintest(detector.score_threshold)
    parts = list(detector._candidates(image, detector.views(*image.shape[:2]), least))
    found = {}
    for name, usual in USUAL.items():
        rule = (
            patch.object(search, "supported", unweighed)
            if usual is None
            else patch.object(search, "USUAL_SUPPORT", usual)
        )
        with rule:
            faces = search.union(parts, detector.spec.blend_iou, detector._reduce, detector.score_threshold)
        found[name] = to_detections(*faces)
    return found


def unweighed(faces: Any, best: Any, *_: Any) -> Any:
    return best


def table(result: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [
        f"Street clip at {WIDTH} pixels, all frames: recall and precision at the threshold of detection. Crowds of val: AP by",
        "relative size. Pictures of val without a face: false positives a picture from scores of .3 and of .5.",
        "",
        "| model | usual support | " + " | ".join(COLUMNS) + " |",
        "| --- " * (len(COLUMNS) + 2) + "|",
    ]
    for name, rows in result.items():
        for usual, row in rows.items():
            lines.append(f"| {name} | {usual} | " + " | ".join(f"{row[column]:.3f}" for column in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
