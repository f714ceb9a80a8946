"""What searching for small faces finds, and what it takes.

    python -m benchmarks.search.measure --video ../shared/videos/street-group.mp4 --peers ../shared/peers --data ROOT

- A street clip at widths from 640 to 3840 pixels (scaled from 1920), with the truth of `street_truth`: faces a frame,
  recall of faces of 14 pixels or more, precision, time; beside YuNet_n and CenterFace at the frame's own size.
- A made photograph of 4000 x 3000 pixels with 100 faces of 20 pixels.
- The crowds of val (with --data), with and without; and what the picture's own shape gains on all of val.

Writes benchmarks/results/search.json, search.md and search.png, and docs/images/search.jpg. --only measures some of it and
leaves the other figures of the file as they are; so does --models, for one model's rows:

    python -m benchmarks.search.measure --only times --video ... --peers ...
    python -m benchmarks.search.measure --models back-256 --video ... --data ROOT

Times are of one thread, the contenders taking turns frame by frame: CPU time, mean and median, to be taken on a quiet
machine. The other figures do not depend on what else it does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import RESULTS
from benchmarks.peers.teachers import open_teachers
from benchmarks.search.made import made_photograph
from benchmarks.search.report import draw_plot, markdown
from blazeface.benchmark.interleave import machine
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector, model_path
from blazeface.evaluation.record import records, score_cut
from blazeface.evaluation.report import figures
from blazeface.files.pictures import read_picture, write_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Image, box_area, box_iou
from blazeface.sources.inputs import find_inputs
from blazeface.sources.opening import open_source
from blazeface.tracking.roi import RoiDetector

WIDTHS = (640, 1280, 1920, 3840)
PARTS = ("street", "photograph", "val", "times")
TIMED = 10
"""Every how many frames are timed; with ROI all are, since it goes from frame to frame."""
LEAST = 14.0
"""Pixels from which a face of the truth is asked for."""
SAME, UNSURE = 0.4, 0.3
"""IoU with a face of the truth from which it is found; with what the truth leaves open, from which nothing is counted."""
ROOT = Path(__file__).parents[2]

Detect = Callable[[Image], NDArray[Any]]


def main() -> None:
    args = parsed()
    truth = json.loads((Path(__file__).parent / f"{args.video.stem}.json").read_text(encoding="utf-8"))
    result = stored(RESULTS / "search.json")
    result["weights"] |= {name: weights_digest(name) for name in args.models if args.only != ["times"]}
    if "street" in args.only:
        for width in WIDTHS:
            update(result["street"].setdefault(str(width), {}), found_in_street(args, truth, width))
    if "photograph" in args.only:
        result["photograph"] |= {name: count_photograph(name, name == "front-128") for name in args.models}
    if "val" in args.only and args.data:
        result["val"] |= {name: measure_val(args.data, name) for name in args.models}
    if "times" in args.only:
        result["machine"] = machine()
        for width in WIDTHS:
            update(result["street"].setdefault(str(width), {}), times_in_street(args, width))
    with staged_file(RESULTS / "search.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    with staged_file(RESULTS / "search.md") as part:
        part.write_text(markdown(result), encoding="utf-8")
    draw_plot(result, RESULTS / "search.png")
    print(markdown(result))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--video", type=Path, required=True)
    add(
        "--peers",
        type=Path,
        help="folder of yunet_n_dynamic.onnx and centerface.onnx; left out: without these two",
    )
    add("--data", type=Path, help="folder in the WIDER FACE layout; left out: no figures on val")
    add("--models", nargs="+", default=["front-128", "back-256"])
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="what is measured (default: all)")
    add("--every", type=int, default=5, help="every how many frames are looked at; with ROI all are (default: 5)")
    return parser.parse_args()


def stored(path: Path) -> dict[str, Any]:
    """The figures of a file of results; none where there is no such file."""
    empty: dict[str, Any] = {"machine": {}, "weights": {}, "street": {}, "photograph": {}, "val": {}}
    return empty | json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty


def update(rows: dict[str, dict[str, float]], found: dict[str, dict[str, float]]) -> None:
    """Set the figures that were found, row by row, and leave the others of the row."""
    for name, row in found.items():
        rows[name] = rows.get(name, {}) | row


def weights_digest(name: str) -> str:
    """The first digits of the SHA-256 of a model's file."""
    return hashlib.sha256(model_path(name).read_bytes()).hexdigest()[:12]


def contenders_of(args: argparse.Namespace) -> tuple[dict[str, Detect], dict[str, Detect]]:
    """What looks at frames one by one, and what follows the faces of a video."""
    single: dict[str, Detect] = {}
    for name in args.models:
        single[name] = boxes_of(FaceDetector(name).detect)
        single[f"{name}, auto"] = boxes_of(FaceDetector(name, min_face="auto").detect)
    for peer, detect in (open_teachers(args.peers) if args.peers else {}).items():
        single[peer] = lambda image, detect=detect: detect(image)[0]  # type: ignore[misc]
    following = {
        f"{name}, auto, roi": boxes_of(RoiDetector(FaceDetector(name, min_face="auto")).detect)
        for name in args.models
    }
    return single, following


def found_in_street(args: argparse.Namespace, truth: dict[str, Any], width: int) -> dict[str, dict[str, float]]:
    """Faces found by each contender on the clip at one width."""
    single, following = contenders_of(args)
    counts = {name: Counts() for name in (*single, *following)}
    for number, image in tqdm(frames(args.video, width), f"{width} pixels", len(truth["frames"]), disable=None):
        labels = [
            np.array(truth["frames"][number][kind]).reshape(-1, 4) * width / truth["width"]
            for kind in ("faces", "unsure")
        ]
        for name, detect in (following | single if number % args.every == 0 else following).items():
            counts[name].add(detect(image), labels[0], labels[1])
    return {name: its.figures() for name, its in counts.items()}


def times_in_street(args: argparse.Namespace, width: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a core that each contender takes for a frame of the clip at one width."""
    single, following = contenders_of(args)
    seconds: dict[str, list[float]] = {name: [] for name in (*single, *following)}
    for number, image in tqdm(frames(args.video, width), f"times, {width} pixels", disable=None):
        for name, detect in (following | single if number % TIMED == 0 else following).items():
            started = time.process_time()
            detect(image)
            seconds[name].append(time.process_time() - started)
    return {
        name: {
            "cpu_ms": round(1e3 * float(np.median(its)), 1),
            "mean_cpu_ms": round(1e3 * float(np.mean(its)), 1),
        }
        for name, its in seconds.items()
    }


class Counts:
    """Counts of one contender."""

    def __init__(self) -> None:
        self.frames = self.found = self.faces = self.wrong = self.answers = 0

    def add(self, boxes: NDArray[Any], faces: NDArray[Any], unsure: NDArray[Any]) -> None:
        overlap = box_iou(faces, boxes)
        asked = np.sqrt(box_area(faces)) >= LEAST
        self.frames += 1
        self.answers += len(boxes)
        self.faces += int(asked.sum())
        pairs = matched(overlap)
        self.found += sum(bool(asked[i]) for i, _ in pairs)
        known = box_iou(unsure, boxes).max(axis=0, initial=0) >= UNSURE
        known[[j for _, j in pairs]] = True
        self.wrong += int((~known).sum())

    def figures(self) -> dict[str, float]:
        return {
            "faces_a_frame": round(self.answers / self.frames, 2),
            "recall": round(self.found / max(1, self.faces), 3),
            "precision": round(1 - self.wrong / max(1, self.answers), 3),
            "frames": self.frames,
        }


def matched(overlap: NDArray[Any]) -> list[tuple[int, int]]:
    """Pairs of rows and columns that overlap by SAME or more, the best first, each taken once."""
    overlap, pairs = overlap.copy(), []
    while overlap.size and overlap.max() >= SAME:
        i, j = (int(place) for place in np.unravel_index(int(overlap.argmax()), overlap.shape))
        pairs.append((i, j))
        overlap[i], overlap[:, j] = -1, -1
    return pairs


def boxes_of(detect: Callable[[Image], Any]) -> Detect:
    return lambda image: np.asarray(detect(image).boxes, np.float64)


def frames(video: Path, width: int) -> Iterator[tuple[int, Image]]:
    with open_source(find_inputs([str(video)], print)[0], 4.0, lambda: False) as source:
        for frame in source.frames():
            height = round(frame.image.shape[0] * width / frame.image.shape[1])
            way = cv2.INTER_AREA if width < frame.image.shape[1] else cv2.INTER_LINEAR
            yield frame.index, cv2.resize(frame.image, (width, height), interpolation=way)  # type: ignore[misc]


def count_photograph(name: str, show: bool) -> dict[str, Any]:
    """Faces found of the 100 of a made photograph, and answers that are none of them."""
    image, faces = made_photograph(read_picture(str(ROOT / "data" / "pictures" / "astronaut.png")))
    row: dict[str, Any] = {"faces": len(faces)}
    for key, min_face in (("None", None), ("auto", "auto"), ("20", 20), ("12", 12)):
        found = FaceDetector(name, min_face=min_face).detect(image)
        pairs = matched(box_iou(faces, found.boxes.astype(np.float64)))
        row[key] = {"found": len(pairs), "wrong": len(found) - len(pairs)}
        if show and key == "20":
            part = np.ascontiguousarray(image[:700, :1200])
            for x1, y1, x2, y2 in np.rint(found.boxes).astype(int).tolist():
                cv2.rectangle(part, (x1 - 3, y1 - 3), (x2 + 3, y2 + 3), (80, 220, 60), 2)  # too small for scores
            write_picture(ROOT / "docs" / "images" / "search.jpg", part)
    return row


def measure_val(data: Path, name: str) -> dict[str, Any]:
    """Figures by relative size on all of val, in the square and in the own shape, and on its crowds."""
    samples = load_split(data, "val")
    crowds = [sample for sample in samples if len(sample.boxes) >= 8]
    plans = (
        ("square", samples, None),
        ("own shape", samples, 1e6),
        ("crowds, square", crowds, None),
        ("crowds, own shape", crowds, 1e6),
        ("crowds, auto", crowds, "auto"),
    )
    rows: dict[str, Any] = {}
    for key, chosen, min_face in plans:
        detector = FaceDetector(name, score_cut(min_face), min_face=min_face)
        progress = tqdm(chosen, f"{name}, {key}", disable=None)
        found = list(records(progress, lambda path: read_picture(str(path)), detector.detect_batch))
        rows[key] = {"pictures": len(found)} | {
            label: round(float(value), 4) for label, value in figures(found).items()
        }
    return rows


if __name__ == "__main__":
    main()
