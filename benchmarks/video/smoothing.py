"""How much steadier tracking and smoothing make the faces of a video, and by how many frames they lag.

    python -m benchmarks.video.smoothing FOLDER_OF_VIDEOS [--model front-128 --model back-256]

Jitter is measured as said at the head of tracks.py, on the same faces and frames raw and smoothed. The lag on a video
is the delay, in whole frames, at which the raw points fit the smoothed ones best. The lag on a face that moves is measured
where the truth is known: a face made of numbers moves at an even speed, or swings to and fro, with errors of a
hundredth of its size, through the same tracker; even motion in distance behind over distance a frame, a swing as the delay
at which the truth fits best. Writes benchmarks/results/video_jitter.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.video.tracks import MIN_FRAMES, Track, jitter, keep
from blazeface import FaceDetector
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.staged import staged_file
from blazeface.sources.inputs import VIDEO_SUFFIXES, find_input
from blazeface.sources.opening import open_source
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker

RESULT = RESULTS / "video_jitter.json"
MAX_LAG = 8
SIZE, NOISE = 100.0, 0.01
SPEEDS = (0.5, 1.0, 2.0, 4.0)
RATES = (25.0, 30.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the jitter of a video's faces, raw and smoothed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--model", action="append", help="a shipped model or a file; default: front-128 and back-256"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    models: dict[str, Any] = {}
    for name in args.model or ["front-128", "back-256"]:
        detector = FaceDetector(name, threads=1)
        models[detector.spec.name] = videos = {}
        for path in sorted(path for path in args.folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES):
            videos[path.name] = figures(*follow(path, detector))
            print(detector.spec.name, path.name, videos[path.name], flush=True)
    result = {"filter": vars(OneEuro()), "moving_face": moving_face(), "models": models}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(args.out) as part:
        part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def follow(path: Path, detector: FaceDetector) -> tuple[list[Track], list[Track]]:
    """The faces of a video as found and as smoothed, the same faces and frames in both."""
    trackers = (Tracker(None, hold=0.0), Tracker(OneEuro(), hold=0.0))
    tracks: tuple[dict[int, Track], dict[int, Track]] = (defaultdict(dict), defaultdict(dict))
    with open_source(find_input(str(path)), 10.0, lambda: False) as source:
        try:
            for frame in source.frames():
                found = detector.detect(frame.image)
                for tracker, kept in zip(trackers, tracks, strict=True):
                    keep(kept, tracker.update(found, float(frame.time)), frame.index)
        except BlazeFaceError as fault:  # a file that ends too early still has frames
            print(fault)
    raw, smooth = ([track for track in found.values() if len(track) >= MIN_FRAMES] for found in tracks)
    return raw, smooth


def figures(raw: list[Track], smooth: list[Track]) -> dict[str, Any]:
    if not raw:
        return {"faces": 0}
    before, after = jitter(raw), jitter(smooth)
    return {
        "faces": len(raw),
        "frames": sum(len(track) for track in raw),
        "raw": round(before, 5),
        "smoothed": round(after, 5),
        "ratio": round(after / before, 3),
        "lag_frames": max(lag(a, b) for a, b in zip(raw, smooth, strict=True)),
    }


def lag(raw: Track, smooth: Track) -> int:
    a, b = (np.array(list(track.values())) for track in (raw, smooth))
    misfits = [np.abs(b[MAX_LAG:] - a[MAX_LAG - shift : len(a) - shift]).mean() for shift in range(MAX_LAG)]
    return int(np.argmin(misfits))


def moving_face() -> dict[str, Any]:
    """Lags in frames: by speed in face sizes a second, and of a swing of a quarter of the size once a second."""
    found: dict[str, Any] = {}
    for rate in RATES:
        time = np.arange(int(6 * rate)) / rate
        row = {}
        for speed in SPEEDS:
            truth = np.maximum(time - 1, 0) * speed * SIZE  # a second at rest, then even motion
            behind = (truth - tracked(truth, rate))[int(2 * rate) :].mean()
            row[f"{speed:g} sizes a second"] = round(float(behind / (speed * SIZE / rate)), 2)
        swing = SIZE / 4 * np.sin(2 * np.pi * time)
        row["swing"] = round(best_delay(swing, tracked(swing, rate)), 2)
        found[f"{rate:g} frames a second"] = row
    return found


def tracked(way: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Where the smoothing tracker sees a face whose middle goes `way` pixels to the right, frame by frame."""
    tracker, rng = Tracker(OneEuro()), np.random.default_rng(4)
    shape = np.array([[0, 0], [1, 1], [0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.5, 0.8], [0, 0.4], [1, 0.4]]) * SIZE
    seen = []
    for n, shift in enumerate(way):
        points = (500 + shape + (shift, 0) + rng.normal(0, NOISE * SIZE, shape.shape)).astype(np.float32)
        found = tracker.update(
            Detections(points[:2].reshape(1, 4), np.ones(1, np.float32), points[None, 2:]), n / rate
        )
        assert found.track_ids is not None and list(found.track_ids) == [1]
        middle = np.concatenate([found.boxes[0].reshape(2, 2), found.keypoints[0]]) - shape - 500
        seen.append(middle[:, 0].mean())
    return np.array(seen)


def best_delay(truth: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    frames = np.arange(len(truth))
    delays = np.arange(0, MAX_LAG, 0.05)
    misfit = [np.abs(np.interp(frames - delay, frames, truth) - seen)[2 * MAX_LAG :].mean() for delay in delays]
    return float(delays[int(np.argmin(misfit))])


if __name__ == "__main__":
    main()
