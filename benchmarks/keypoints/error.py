"""What the keypoint error is made of: small faces, and sources whose labels put the same point at different places.

    python -m benchmarks.keypoints.error --data ROOT --model front-128 back-256

Each matched face that a person marked is turned and scaled until its eyes lie one unit apart on a level line; there the four
central keypoints found are held against their labels. The median displacement of all faces of one source is that
source's own convention as against the detector's: the error is given with it and without it. By the distance between
the eyes in the picture, since labels in whole pixels say little where that is ten. Writes
benchmarks/results/keypoints.json and keypoints.md.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import RESULTS
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector, model_path
from blazeface.evaluation.record import CENTRAL, MIN_EYE_DISTANCE, SCORE_CUT, Record, records
from blazeface.evaluation.table import markdown_table
from blazeface.files.pictures import read_picture
from blazeface.files.staged import staged_file
from blazeface.geometry import Floats
from blazeface.spec import KEYPOINT_NAMES

EYES = (MIN_EYE_DISTANCE, 8.0, 12.0, 20.0, 40.0, 80.0, float("inf"))
"""Bounds of the bins of the distance between the eyes, in pixels of the picture."""

OWN = "without the source's displacement"
RESULT = RESULTS / "keypoints.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the keypoint error apart, by source and by size.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--model", nargs="+", default=["front-128", "back-256"], help="shipped models or files")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    samples = [
        sample
        for sample in load_split(args.data, "val")
        if (sample.visibility[:, :CENTRAL] == 2).all(axis=1).any()
    ]
    result = {}
    for name in args.model:
        detector = FaceDetector(name, SCORE_CUT, threads=1)
        faces: dict[str, list[tuple[float, Floats]]] = {}
        for record in records(samples, lambda path: read_picture(str(path)), detector.detect_batch):
            faces.setdefault(record.sample.path.parent.name, []).extend(displacements(record))
        digest = hashlib.sha256(model_path(name, "onnxruntime").read_bytes()).hexdigest()
        result[name] = {"sha256": digest, **figures(faces)}
    for path, text in (
        (args.out, json.dumps(result, indent=2) + "\n"),
        (args.out.with_suffix(".md"), markdown(result)),
    ):
        with staged_file(path) as part:
            part.write_text(text, encoding="utf-8")
    print(markdown(result), end="")


def displacements(record: Record) -> list[tuple[float, Floats]]:
    """Of each measured face: the distance between its eyes in pixels, and (4, 2) label to keypoint found, in units of that
    distance, x along the line from the right eye to the left."""
    counted = ~record.sample.ignore
    labels, visibility = record.sample.keypoints[counted], record.sample.visibility[counted]
    rows = []
    for i in np.flatnonzero(record.face >= 0):
        label = labels[record.face[i]][:CENTRAL]
        along = label[1] - label[0]
        distance = float(np.linalg.norm(along))
        if (visibility[record.face[i]][:CENTRAL] == 2).all() and distance > MIN_EYE_DISTANCE:
            x, y = along / distance
            level = np.array([[x, -y], [y, x]])
            rows.append((distance, (record.detections.keypoints[i][:CENTRAL] - label) @ level / distance))
    return rows


def figures(faces: dict[str, list[tuple[float, Floats]]]) -> dict[str, Any]:
    """Median errors, of all faces and by bin, with each source's median displacement and without it."""
    eyes = np.array([distance for rows in faces.values() for distance, _ in rows])
    found = {source: np.array([moved for _, moved in rows]) for source, rows in faces.items()}
    convention = {source: np.median(moved, axis=0) for source, moved in found.items()}
    error = np.concatenate([_error(moved) for moved in found.values()])
    own = np.concatenate([_error(moved - convention[source]) for source, moved in found.items()])
    bins = []
    for low, high in itertools.pairwise(EYES):
        inside = (eyes > low) & (eyes <= high)
        if inside.any():
            bins.append(
                {"above": low, "up to": high if np.isfinite(high) else None, **_medians(error, own, inside)}
            )
    return {
        "all": _medians(error, own, np.ones(len(eyes), bool)),
        "by eye distance": bins,
        "by source": {
            source: {
                **_medians(_error(moved), _error(moved - convention[source]), np.ones(len(moved), bool)),
                "median displacement": dict(
                    zip(KEYPOINT_NAMES, np.round(convention[source], 3).tolist(), strict=False)
                ),
            }
            for source, moved in found.items()
        },
    }


def _error(moved: Floats) -> Floats:
    distance: Floats = np.linalg.norm(moved, axis=2).mean(axis=1)
    return distance


def _medians(error: Floats, own: Floats, chosen: Any) -> dict[str, Any]:
    return {
        "faces": int(chosen.sum()),
        "error": round(float(np.median(error[chosen])), 4),
        OWN: round(float(np.median(own[chosen])), 4),
    }


def markdown(result: dict[str, Any]) -> str:
    """A table a model: rows are all faces, the bins, the sources."""
    parts = [
        "# What the keypoint error is made of\nWritten by `benchmarks/keypoints/error.py`; see there what the columns mean.\n"
    ]
    for name, found in result.items():
        rows = [["all", found["all"], ""]]
        for row in found["by eye distance"]:
            title = f"eyes over {row['above']:g} px" + (f", up to {row['up to']:g}" if row["up to"] else "")
            rows.append([title, row, ""])
        for source, row in found["by source"].items():
            nose = row["median displacement"]["nose_tip"]
            rows.append([source, row, f"({nose[0]:+.3f}, {nose[1]:+.3f})"])
        cells = [
            [title, str(row["faces"]), f"{row['error']:.3f}", f"{row[OWN]:.3f}", nose] for title, row, nose in rows
        ]
        heads = ["", "faces", "median error", OWN, "nose found from label"]
        parts.append(f"## {name}\n\n{markdown_table(heads, cells)}")
    return "\n".join(part.rstrip() + "\n" for part in parts)


if __name__ == "__main__":
    main()
