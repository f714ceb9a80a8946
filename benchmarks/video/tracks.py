"""Jitter of a video's tracks: the share of their motion that a steady face cannot make.

The energy of a track at high frequencies is that of its second differences, d(t) = p(t - 1) - 2 p(t) + p(t + 1): a filter
whose gain is 4 sin^2(pi f / fs) (Oppenheim and Schafer, Discrete-Time Signal Processing, on the frequency response of
difference equations), nothing for a face at rest or in even motion, 16 times the energy at half the frame rate fs. Noise
that is independent from frame to frame with standard deviation s comes out as sqrt(6) s, so that

    jitter = sqrt(mean |d|^2 / 6) / distance between the eyes

is the r.m.s. displacement of independent noise, in the units of stills.py. The mean goes over all points
(two box corners, six keypoints) and all three frames in a row; |d| is the length in the plane. The distance between the
eyes is the median over the track.

The lag of smoothing on a track is the delay, in whole frames, at which the raw points fit the smoothed ones best; of a video
the longest of its tracks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends import Backend
from blazeface.blend import blend, hard_nms
from blazeface.detections import Detections
from blazeface.detector import postprocess, prepare
from blazeface.errors import BlazeFaceError
from blazeface.sources.inputs import VIDEO_SUFFIXES, find_input
from blazeface.sources.opening import open_source
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker

MIN_FRAMES = 15
"""Tracks with fewer frames are left out: they are false finds or faces on the way out."""

MAX_LAG = 8
WAYS = ("blend", "hard_nms", "blend_one_euro")

Track = dict[int, NDArray[np.float64]]
"""Points (2 + K, 2) of a face by number of the frame."""


def measure_videos(folder: Path, backend: Backend) -> dict[str, Any]:
    """For each video of the folder the jitter of each way; and over all of them, each video weighing the same."""
    videos = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES):
        videos[path.name] = video_figures(follow(path, backend))
        print(path.name, videos[path.name], flush=True)
    measured = [video for video in videos.values() if video["tracks"]]
    if not measured:
        return {"videos": videos}
    means = {way: round(float(np.mean([video[way] for video in measured])), 5) for way in WAYS}
    return {"videos": videos, "mean": {**means, **shares(means)}}


def follow(path: Path, backend: Backend) -> dict[str, dict[int, Track]]:
    """The tracks of a video in each way, from the same raw outputs of the network."""
    spec, centers = backend.spec, anchor_centers(backend.spec.anchor_maps)
    trackers = {way: Tracker(OneEuro() if way == "blend_one_euro" else None, hold=0.0) for way in WAYS}
    tracks: dict[str, dict[int, Track]] = {way: defaultdict(dict) for way in WAYS}
    with open_source(find_input(str(path)), 10.0, lambda: False) as source:
        try:
            for frame in source.frames():
                planes, letterbox = prepare(frame.image, spec)
                logits, regressions = backend.run(planes[None])
                found = {
                    reduce: postprocess(
                        logits[0], regressions[0], letterbox, spec, centers, spec.score_threshold, reduce
                    )
                    for reduce in (blend, hard_nms)
                }
                for way, tracker in trackers.items():
                    faces = tracker.update(found[hard_nms if way == "hard_nms" else blend], float(frame.time))
                    keep(tracks[way], faces, frame.index)
        except BlazeFaceError as fault:  # a file that ends too early still has frames
            print(fault)
    return tracks


def keep(tracks: dict[int, Track], faces: Detections, frame: int) -> None:
    assert faces.track_ids is not None
    for i, number in enumerate(faces.track_ids):
        points = np.concatenate([faces.boxes[i].reshape(2, 2), faces.keypoints[i]])
        tracks[int(number)][frame] = points.astype(np.float64)


def video_figures(tracks: Mapping[str, Mapping[int, Track]]) -> dict[str, Any]:
    """Jitter of each way over one video, on the frames in which the tracks of all ways have a face."""
    long = {way: [track for track in found.values() if len(track) >= MIN_FRAMES] for way, found in tracks.items()}
    row: dict[str, Any] = {"tracks": len(long["blend"]), "frames": sum(map(len, long["blend"]))}
    if not all(long.values()):
        return {**row, "tracks": 0}
    values = {way: round(jitter(found), 5) for way, found in long.items()}
    lags = [lag(raw, smooth) for raw, smooth in zip(long["blend"], long["blend_one_euro"], strict=True)]
    return {**row, **values, **shares(values), "lag_frames": max(lags)}


def shares(values: Mapping[str, float]) -> dict[str, float]:
    """By how much blending is steadier than hard suppression, and with the filter steadier than without."""
    return {
        "less_with_blending": round(1 - values["blend"] / values["hard_nms"], 4),
        "less_with_one_euro": round(1 - values["blend_one_euro"] / values["blend"], 4),
    }


def lag(raw: Track, smooth: Track) -> int:
    """Frames of delay, below MAX_LAG, at which the raw points fit the smoothed ones best; both tracks have the same frames."""
    a, b = (np.array(list(track.values())) for track in (raw, smooth))
    misfits = [np.abs(b[MAX_LAG:] - a[MAX_LAG - shift : len(a) - shift]).mean() for shift in range(MAX_LAG)]
    return int(np.argmin(misfits))


def jitter(tracks: list[Track]) -> float:
    """See the head of this file."""
    squares = []
    for track in tracks:
        eyes = np.median([np.linalg.norm(points[2] - points[3]) for points in track.values()])
        for frame, points in track.items():
            if frame - 1 in track and frame + 1 in track:
                difference = track[frame - 1] - 2 * points + track[frame + 1]
                squares.append(((difference / eyes) ** 2).sum(axis=1))
    return float(np.sqrt(np.mean(squares) / 6)) if squares else float("nan")
