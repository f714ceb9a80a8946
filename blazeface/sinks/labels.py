"""Faces as CSV, YOLO and COCO files, written as they are found."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.staged import staged_file, write_errors, write_text
from blazeface.sinks.part_folder import PartFolder
from blazeface.sinks.records import Recorder
from blazeface.sources.frames import Frame
from blazeface.spec import KEYPOINT_NAMES


@contextmanager
def csv_file(
    path: Path, keypoint_names: Sequence[str] = KEYPOINT_NAMES, replace: bool = True
) -> Iterator[Recorder]:
    """One row per face: source, index, time, width, height, track_id (or nothing), score, x1 y1 x2 y2, keypoints."""
    points = [f"{name}_{axis}" for name in keypoint_names for axis in "xy"]
    head = ["source", "index", "time", "width", "height", "track_id", "score", "x1", "y1", "x2", "y2", *points]
    with staged_file(path, replace) as part, _open(part, path) as file:
        writer = csv.writer(file, lineterminator="\n")
        with write_errors(path):
            writer.writerow(head)

        def write(frame: Frame, faces: Detections) -> None:
            height, width = frame.image.shape[:2]
            start = [_cell(frame.source), frame.index, round(float(frame.time), 6), width, height]
            with write_errors(path):
                for face in faces.to_dict():
                    keypoints = [value for point in face["keypoints"] for value in point]
                    writer.writerow([*start, face.get("track_id", ""), face["score"], *face["box"], *keypoints])

        yield write
        with write_errors(path):
            file.flush()


def _cell(source: str) -> str:
    """A file's name as a cell that no spreadsheet takes for a formula: the same file, by another name."""
    return f"./{source}" if source.startswith(("=", "+", "-", "@", "\t", "\r")) else source


@contextmanager
def coco_file(
    path: Path, keypoint_names: Sequence[str] = KEYPOINT_NAMES, replace: bool = True
) -> Iterator[Recorder]:
    """COCO keypoints: one image per picture or frame, one annotation per face, with its score and track_id.

    The file_name of a frame is its source, a # and its index. Annotations wait in a second file, so that a long run
    needs no memory.
    """
    category = {"id": 1, "name": "face", "keypoints": list(keypoint_names), "skeleton": []}
    images = annotations = 0
    with (
        staged_file(path, replace) as part,
        _open(part, path) as file,
        tempfile.TemporaryFile("w+", encoding="ascii", dir=part.parent) as waiting,
    ):
        with write_errors(path):
            file.write(f'{{"categories": [{json.dumps(category)}],\n"images": [')

        def write(frame: Frame, faces: Detections) -> None:
            nonlocal images, annotations
            height, width = frame.image.shape[:2]
            name = frame.source if frame.alone else f"{frame.source}#{frame.index}"
            image = {"id": images, "file_name": name, "width": width, "height": height}
            with write_errors(path):
                file.write(f"{',' if images else ''}\n{json.dumps(image)}")
                for face in faces.to_dict():
                    text = json.dumps(_annotation(annotations, images, face))
                    waiting.write(f"{',' if annotations else ''}\n{text}")
                    annotations += 1
            images += 1

        yield write
        with write_errors(path):
            file.write('\n],\n"annotations": [')
            waiting.seek(0)
            shutil.copyfileobj(waiting, file)
            file.write("\n]}\n")
            file.flush()


def _annotation(number: int, image: int, face: dict[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = face["box"]
    width, height = round(x2 - x1, 2), round(y2 - y1, 2)
    points = [value for x, y in face["keypoints"] for value in (x, y, 2)]
    annotation = {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [x1, y1, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "keypoints": points,
        "num_keypoints": len(face["keypoints"]),
        "score": face["score"],
    }
    return annotation | ({"track_id": face["track_id"]} if "track_id" in face else {})


class YoloFolder:
    """One text file per picture or frame, a line per face: 0 x y w h, the middle and sides as parts of the picture's.

    Boxes are cut at the picture's edge. A picture without a face gets an empty file. names, report: as in
    `PartFolder`. replace: as in `staged_file`.
    """

    def __init__(
        self,
        folder: Path,
        names: dict[str, PurePath],
        replace: bool = True,
        report: Callable[[BlazeFaceError], None] | None = None,
    ):
        self._parts = PartFolder(folder, names, report)
        self._replace = replace

    def __call__(self, frame: Frame, faces: Detections) -> None:
        height, width = frame.image.shape[:2]
        with self._parts.file(frame, ".txt") as target:
            write_text(target, "".join(yolo_lines(faces.boxes, width, height)), self._replace)


def yolo_lines(boxes: NDArray[np.float32], width: int, height: int) -> list[str]:
    sides = np.array([width, height, width, height], np.float64)
    corners = np.clip(boxes / sides, 0, 1)
    middles, extents = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    rows = np.concatenate([middles, extents], axis=1)
    return [f"0 {' '.join(f'{value:.6f}' for value in row)}\n" for row in rows if (row[2:] > 0).all()]


@contextmanager
def _open(part: Path, path: Path) -> Iterator[Any]:
    with write_errors(path):
        file = part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    try:
        yield file
    finally:
        with suppress(OSError):  # what could not be flushed was said above
            file.close()
