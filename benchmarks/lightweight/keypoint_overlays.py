"""Keypoints of the detector and of second stages, drawn side by side on enlarged faces, to be looked at.

    python -m benchmarks.lightweight.keypoint_overlays data/pictures --out docs/images/residual-keypoints.png \\
        --files runs/lightweight/refine-residual/refine.onnx runs/lightweight/refine-residual-separable/refine.onnx
    python -m benchmarks.lightweight.keypoint_overlays --data ROOT --faces 24 --out out/overlays.png --files ...

One row a face: as the detector finds it, then each file's keypoints. With --data an even choice of val's faces that a person
annotated, the labels as white rings; that sheet shows people of the data set and stays out of the project.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import load_split
from blazeface.detector import FaceDetector
from blazeface.evaluation.matching import match
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image, map_points, view_matrix, warp
from blazeface.refine import KeypointRefiner

SIDE, CONTEXT = 256, 1.5
COLORS = ((0, 0, 255), (255, 0, 0), (0, 255, 255), (255, 0, 255), (0, 128, 255), (255, 255, 0))

Points = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw keypoints of several second stages side by side.")
    add = parser.add_argument
    add("pictures", nargs="*", type=Path, help="pictures, or folders of them")
    add("--data", type=Path, metavar="ROOT", help="labelled pictures, of whose val faces are drawn")
    add("--faces", type=int, default=24, help="at most so many faces (default 24)")
    add("--files", nargs="+", type=Path, required=True, metavar="FILE", help="second stages (.onnx)")
    add("--out", type=Path, required=True, metavar="PNG")
    args = parser.parse_args()
    detector = FaceDetector("front-128")
    refiners = [KeypointRefiner(path) for path in args.files]
    rows = []
    for image, labels in _labelled(args.data, args.faces) if args.data else _plain(args.pictures):
        faces = detector.detect(image)
        found = [faces, *(refiner.refine(image, faces) for refiner in refiners)]
        if len(faces):
            i = int(match(faces, labels[0], np.empty((0, 4))).face.argmax()) if labels else 0
            known = labels[1][0] if labels else None
            rows.append(np.hstack([_drawn(image, f.boxes[i], f.keypoints[i], known) for f in found]))
    columns = 1 if len(rows) < 8 else 2
    rows += [np.zeros_like(rows[0])] * (-len(rows) % columns)
    sheet = np.vstack([np.hstack(rows[start : start + columns]) for start in range(0, len(rows), columns)])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), sheet)


def _plain(paths: list[Path]) -> Iterator[tuple[Image, None]]:
    for path in paths:
        for file in sorted(path.glob("*.png")) if path.is_dir() else [path]:
            yield read_picture(str(file)), None


def _labelled(data: Path, count: int) -> Iterator[tuple[Image, tuple[NDArray[np.float32], Points]]]:
    """Pictures with one annotated face each: its box (1, 4) and keypoints (1, 6, 2)."""
    samples = [
        sample
        for sample in load_split(data, "val")
        if len(sample.boxes) == 1 and (sample.visibility[0, :4] == 2).all() and not sample.ignore[0]
    ]
    for sample in chosen_evenly(samples, count):
        yield read_picture(str(sample.path)), (sample.boxes, sample.keypoints)


def _drawn(image: Image, box: NDArray[np.float32], points: Points, labels: Points | None) -> Image:
    side = CONTEXT * float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
    matrix = view_matrix((box[:2] + box[2:]) / 2, side, 0.0, SIDE)
    crop = np.ascontiguousarray(warp(image, matrix, SIDE, 1))
    for x, y in map_points(matrix, labels) if labels is not None else ():
        cv2.circle(crop, (round(x), round(y)), 6, (255, 255, 255), 1, cv2.LINE_AA)
    for (x, y), color in zip(map_points(matrix, points), COLORS, strict=True):
        cv2.circle(crop, (round(x), round(y)), 3, color, -1, cv2.LINE_AA)
    return crop


if __name__ == "__main__":
    main()
