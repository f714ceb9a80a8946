"""Parity: an exported .tflite is a drop-in for MediaPipe: its own Tasks `FaceDetector` opens the file and finds the
faces that blazeface finds. Part of `make parity` (`measure.py`).

1. Squares: pictures that are already of the input's size, so that nobody scales anything. There both must agree: the
   same faces, keypoints, scores, and corner and sides of boxes within LIMITS (a pixel for boxes, since Tasks gives
   whole ones). Tasks moves a box that begins left of or above the picture to its edge, and keeps width and height:
   ours are moved likewise for the comparison. Faces within a hair of the threshold may be missing on either side.
   An int8 file is held to wider limits: the two LiteRTs need not round every sum alike.
2. Whole pictures: MediaPipe samples one point of the picture for each pixel of the input, where blazeface, and with it
   front-128's training, averages over all of them. Scores move by that, and points by a part of an input pixel.
   A sure face (SURE or more) of the one must be a face of the other, overlapping by half, in SHARE of the cases.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.make import export_network
from blazeface.geometry import Floats, box_iou, letterbox_image
from blazeface.models.network import BlazeFace

LIMITS = {"float32": (1e-5, 1e-5, 1.01), "float16": (1e-5, 1e-5, 1.01), "int8": (0.02, 0.1, 3.6)}
"""Of each precision: keypoints in units of the side, scores, and boxes in pixels (Tasks' rounding, and in int8 the
keypoints' limit in pixels on top)."""
HAIR = 0.01
"""Of the threshold: faces this close to it, or as close as scores may differ, may fall on either side."""
SURE, SHARE = 0.75, 0.95


@dataclass
class DropInParity:
    """limits: see LIMITS. faces: on squares, in both detectors. missing: of them, found by one only. keypoint (of the side), score, pixel
    (of a box's corner and sides): largest differences. sure: sure faces of either on whole pictures. same: of them, found by both."""

    limits: tuple[float, float, float]
    pictures: int = 0
    faces: int = 0
    missing: int = 0
    keypoint: float = 0.0
    score: float = 0.0
    pixel: float = 0.0
    sure: int = 0
    same: int = 0

    @property
    def passed(self) -> bool:
        points, scores, pixels = self.limits
        squares = self.keypoint <= points and self.score <= scores and self.pixel <= pixels
        return bool(self.faces and not self.missing and squares and self.sure and self.same >= SHARE * self.sure)


def compare_drop_in(
    network: BlazeFace, pictures: list[NDArray[np.uint8]], mediapipe: Path
) -> dict[str, DropInParity]:
    """The file of each precision in both detectors, on squares made of the pictures and on the pictures."""
    spec = network.spec
    squares = [letterbox_image(picture, spec.input_size, spec.resampling)[0] for picture in pictures]
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{precision}.tflite" for precision in LIMITS]
        for file in files:
            options = Options(file.stem, calibration=squares)
            export_network(network, file, "tflite", options, pictures[:4], report=False)
        theirs = ask_tasks(files, [*squares, *pictures], spec.blend_iou, mediapipe)
        for file in files:
            detector, faces = FaceDetector(file), theirs[file.name]
            result = results[file.stem] = DropInParity(LIMITS[file.stem], len(pictures))
            for square, found in zip(squares, faces[: len(squares)], strict=True):
                _compare_square(result, detector.detect(square), found, spec.input_size, spec.score_threshold)
            for picture, found in zip(pictures, faces[len(squares) :], strict=True):
                _compare_whole(result, detector.detect(picture), found)
    return results


def _compare_square(result: DropInParity, ours: Detections, theirs: Floats, size: int, threshold: float) -> None:
    mine = np.array([_as_tasks(box) for box in ours.boxes]).reshape(-1, 4)
    overlap = box_iou(_boxes(np.trunc(mine)), _boxes(theirs[:, 1:5])) if len(theirs) and len(mine) else None
    pairs = [] if overlap is None else [(i, int(row.argmax())) for i, row in enumerate(overlap) if row.max() > 0.5]
    result.faces += len(pairs)
    for i, j in pairs:
        points = theirs[j, 5:].reshape(-1, 2)
        result.keypoint = max(result.keypoint, float(np.abs(ours.keypoints[i] / size - points).max()))
        result.score = max(result.score, float(abs(ours.scores[i] - theirs[j, 0])))
        result.pixel = max(result.pixel, float(np.abs(mine[i] - theirs[j, 1:5]).max()))
    clear_of = threshold + max(HAIR, result.limits[1])
    lone = {i for i, score in enumerate(ours.scores) if score > clear_of} - {i for i, _ in pairs}
    result.missing += len(lone)
    result.missing += len({j for j, row in enumerate(theirs) if row[0] > clear_of} - {j for _, j in pairs})


def _compare_whole(result: DropInParity, ours: Detections, theirs: Floats) -> None:
    mine = np.array([_as_tasks(box) for box in ours.boxes]).reshape(-1, 4)
    overlap = box_iou(_boxes(mine), _boxes(theirs[:, 1:5])) > 0.5
    for scores, matched in ((ours.scores, overlap.any(axis=1)), (theirs[:, 0], overlap.any(axis=0))):
        sure = scores >= SURE
        result.sure += int(sure.sum())
        result.same += int((sure & matched).sum())


def _as_tasks(box: Floats) -> NDArray[np.float64]:
    """x1 y1 x2 y2 as Tasks states it: x y width height, x and y not below 0, width and height whole."""
    x1, y1, x2, y2 = box.astype(np.float64)
    return np.array([max(x1, 0.0), max(y1, 0.0), x2 - x1, y2 - y1])


def _boxes(sides: Floats) -> Floats:
    """(N, 4) x y width height as x1 y1 x2 y2."""
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)


def ask_tasks(
    files: list[Path], pictures: list[NDArray[np.uint8]], overlap: float, python: Path
) -> dict[str, list[NDArray[np.float64]]]:
    """For each file the faces of each picture, (N, 17): see `mediapipe_tasks.py`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, picture in enumerate(pictures):
            np.save(folder / f"{index:05d}.npy", cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        script, out = Path(__file__).with_name("mediapipe_tasks.py"), folder / "faces.json"
        command = [str(python), str(script), name, str(out), str(overlap), *map(str, files)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BlazeFaceError(f"--mediapipe {python}: {error}") from error
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BlazeFaceError(f"--mediapipe {python}: it failed: {reason}")
        found = json.loads(out.read_text())
    return {
        file: [np.array(faces, np.float64).reshape(-1, 17) for faces in pages] for file, pages in found.items()
    }
