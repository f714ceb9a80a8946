"""How much steadier tracking and smoothing make the faces of a video, and by how many frames they lag.

    python benchmarks/video_jitter.py FOLDER_OF_VIDEOS [--model front-128]

Jitter is the r.m.s. of the points' second differences (box corners and keypoints, where a face was found in three
frames in a row) over sqrt(6) times the distance between the eyes: of independent errors from frame to frame it is
their standard deviation, and even motion adds nothing. The lag is the delay, in whole frames, at which the raw
points fit the smoothed ones best. Faces with fewer than MIN_FRAMES frames are left out. Writes
benchmarks/results/video_jitter.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.files.whole import beside
from blazeface.video.clips import open_clip
from blazeface.video.inputs import VIDEO_SUFFIXES, find_input
from blazeface.video.smoothing import OneEuro
from blazeface.video.tracking import Tracker

MIN_FRAMES = 15
RESULT = Path(__file__).parent / "results" / "video_jitter.json"

Run = list[tuple[int, NDArray[np.float64]]]
"""Index of the frame and points (2 + K, 2) of one face, frame after frame."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the jitter of a video's faces, raw and smoothed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--model", default="front-128", help="a shipped model or a model file (default: front-128)"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    detector = FaceDetector(args.model)
    videos: dict[str, Any] = {}
    for path in sorted(path for path in args.folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES):
        videos[path.name] = figures(*follow(path, detector))
        print(path.name, videos[path.name], flush=True)
    text = json.dumps({"model": detector.spec.name, "filter": vars(OneEuro()), "videos": videos}, indent=2) + "\n"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with beside(args.out) as part:
        part.write_text(text, encoding="utf-8")


def follow(path: Path, detector: FaceDetector) -> tuple[list[Run], list[Run]]:
    """The faces of a video as found and as smoothed, the same faces and frames in both."""
    trackers = (Tracker(None, hold=0.0), Tracker(OneEuro(), hold=0.0))
    runs: tuple[dict[int, Run], dict[int, Run]] = (defaultdict(list), defaultdict(list))
    with open_clip(find_input(str(path)), 10.0, lambda: False) as clip:
        try:
            for frame in clip.frames():
                found = detector.detect(frame.image)
                for tracker, run in zip(trackers, runs, strict=True):
                    faces = tracker.update(found, float(frame.time))
                    assert faces.track_ids is not None
                    for n, number in enumerate(faces.track_ids):
                        points = np.concatenate([faces.boxes[n].reshape(2, 2), faces.keypoints[n]])
                        run[int(number)].append((frame.index, points.astype(np.float64)))
        except BlazeFaceError as fault:  # a file that ends too early still has frames
            print(fault)
    raw, smooth = ([run for run in found.values() if len(run) >= MIN_FRAMES] for found in runs)
    return raw, smooth


def figures(raw: list[Run], smooth: list[Run]) -> dict[str, Any]:
    if not raw:
        return {"faces": 0}
    before, after = jitter(raw), jitter(smooth)
    lags = [lag(a, b) for a, b in zip(raw, smooth, strict=True)]
    return {
        "faces": len(raw),
        "frames": sum(len(run) for run in raw),
        "raw": round(before, 5),
        "smoothed": round(after, 5),
        "ratio": round(after / before, 3),
        "lag_frames": max(lags),
    }


def jitter(runs: list[Run]) -> float:
    squares = []
    for run in runs:
        eyes = np.median([np.linalg.norm(points[2] - points[3]) for _, points in run])
        for (first, a), (_, b), (last, c) in zip(run, run[1:], run[2:], strict=False):
            if last - first == 2:
                squares.append((((a - 2 * b + c) / eyes) ** 2).sum(axis=1))
    return float(np.sqrt(np.mean(squares) / 6))


def lag(raw: Run, smooth: Run) -> int:
    most = 8
    a, b = (np.array([points for _, points in run]) for run in (raw, smooth))
    misfits = [np.abs(b[most:] - a[most - shift : len(a) - shift]).mean() for shift in range(most)]
    return int(np.argmin(misfits))


if __name__ == "__main__":
    main()
