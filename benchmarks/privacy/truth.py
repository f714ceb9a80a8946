"""The truth about the shared clips: the faces that YuNet_n and CenterFace, at native size, agree on.

    python -m benchmarks.privacy.truth --videos FOLDER --peers FOLDER

A face that is agreed on before and after a gap of at most two seconds is there in between as well, whatever the two say
of those frames: its box is interpolated, and marked as such. Of a clip of more than 300 frames every fourth is looked
at. Writes benchmarks/privacy/truth/NAME.json. Of the street clip four frames were looked at by eye: every box was on a face; a few
that are half hidden or turned away have none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.privacy.teachers import Teachers
from blazeface.detections import Detections
from blazeface.files.staged import staged_file
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source
from blazeface.tracking.tracker import Tracker

FOLDER = Path(__file__).parent / "truth"
GAP = 2.0
LONG, EVERY = 300, 4
BY_EYE: dict[str, tuple[float, float, float, float]] = {"bird.mkv": (590.0, 105.0, 686.0, 268.0)}
"""A face that is there in all frames of a clip, roughly, by eye. In bird.mkv a second person sits at the right edge, half in the picture, and
hardly moves; CenterFace finds him, YuNet_n does not. Covering him is not needless; since a hand drew his box, and a few pixels of it decide
how many frames count as open, nobody is asked to.
"""
FOUND, INTERPOLATED, DRAWN = 0, 1, 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Find the faces of clips by two detectors of others.")
    parser.add_argument("--videos", type=Path, default=Path())
    parser.add_argument("--clips", type=Path, nargs="*", help="these alone")
    parser.add_argument("--peers", type=Path, required=True, help="holds yunet_n_dynamic.onnx and centerface.onnx")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    teachers = Teachers(args.peers)
    FOLDER.mkdir(exist_ok=True)
    for path in args.clips or sorted(p for p in args.videos.iterdir() if p.suffix in (".mp4", ".mkv")):
        truth = truth_of(path, teachers)
        with staged_file(FOLDER / f"{path.stem}.json") as part:
            part.write_text(compact(truth), encoding="utf-8")
        faces = [face for frame in truth["faces"] for face in frame]
        print(
            f"{path.name}: {len(truth['faces'])} frames, {len(faces)} faces, {sum(f[5] == INTERPOLATED for f in faces)} in gaps"
        )


def truth_of(path: Path, teachers: Teachers) -> dict[str, Any]:
    """faces: for each frame [person, x1, y1, x2, y2, FOUND, INTERPOLATED or DRAWN], boxes in pixels."""
    tracker = Tracker(hold=0.0, remember=GAP)
    paths: dict[int, list[tuple[int, float, Any]]] = {}
    times: list[float] = []
    with open_source(find_input(str(path)), 4.0, lambda: False) as source:
        every = EVERY if (source.length or 0) > LONG else 1
        for frame in tqdm(source.frames(), path.name, disable=None):
            height, width = frame.image.shape[:2]
            times.append(float(frame.time))
            if frame.index % every:
                continue
            boxes, scores = teachers.agreed(frame.image)
            points = np.zeros((len(boxes), 1, 2), np.float32)
            found = Detections(boxes.astype(np.float32), scores.clip(0, 1).astype(np.float32), points)
            seen = tracker.update(found, float(frame.time))
            for number, box in zip(seen.track_ids if seen.track_ids is not None else [], seen.boxes, strict=True):
                paths.setdefault(int(number), []).append((frame.index, float(frame.time), box))
    faces: list[list[list[float]]] = [[] for _ in times]
    for number, sightings in paths.items():
        for (i, t, box), (j, u, later) in zip(sightings, [*sightings[1:], sightings[-1]], strict=True):
            faces[i].append([number, *(round(float(v), 1) for v in box), FOUND])
            for k in range(i + 1, j):
                share = (times[k] - t) / (u - t)
                faces[k].append([number, *(round(float(v), 1) for v in box + share * (later - box)), INTERPOLATED])
    if path.name in BY_EYE:
        for row in faces:
            row.append([max(paths, default=0) + 1, *BY_EYE[path.name], DRAWN])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rate = (len(times) - 1) / times[-1] if len(times) > 1 else 0.0
    return {
        "clip": path.name,
        "sha256": digest,
        "width": width,
        "height": height,
        "rate": round(rate, 3),
        "faces": faces,
    }


def compact(truth: dict[str, Any]) -> str:
    """JSON with a line for each frame."""
    head = json.dumps({key: value for key, value in truth.items() if key != "faces"})
    lines = ",\n".join(json.dumps(frame) for frame in truth["faces"])
    return f'{head[:-1]}, "faces": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    main()
