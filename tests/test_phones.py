"""docs/phones.md, done to the letter in plain loops, finds the faces that FaceDetector finds.

Nothing of the package but its answers and specs is used here, so that a number that is wrong in the document shows."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from blazeface.detector import FaceDetector
from blazeface.files.pictures import read_picture

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "phones.md").read_text("utf-8")
FRONT = ROOT / "blazeface" / "weights" / "front-128.onnx"
GAP = 0.15
"""Of a corner or keypoint, in pixels of the network's input."""
LABELLED = ROOT / ".." / "shared" / "faces" / "WIDER_val" / "images"


def rows() -> dict[str, dict[str, Any]]:
    """The document's table of numbers, by model."""
    found: dict[str, dict[str, Any]] = {}
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1].isdigit():
            maps = [tuple(map(int, part.split(" x "))) for part in cells[2].split(", ")]
            numbers = [float(cell) for cell in cells[3:]]
            named = zip(("anchors", "scale", "score", "overlap"), numbers, strict=True)
            found[cells[0]] = {**dict(named), "side": int(cells[1]), "maps": maps}
    return found


@pytest.mark.parametrize("name", ["front-128", "back-256"])
def test_the_table_is_the_specs(name: str) -> None:
    spec, row = FaceDetector(name).spec, rows()[name]
    assert row["side"] == spec.input_size and row["scale"] == spec.decode_scale
    assert row["maps"] == [(grid.cells, grid.cells, len(grid.sizes)) for grid in spec.anchor_maps]
    assert row["anchors"] == spec.num_anchors == sum(a * b * c for a, b, c in row["maps"])
    assert (row["score"], row["overlap"]) == (spec.score_threshold, spec.blend_iou)
    assert (spec.mean, spec.std) == (127.5, 127.5) and spec.resampling == "supersample"
    said = re.search(r"then x, y of (.*?) \(the person", TEXT.replace("\n   ", " "))
    assert said and said[1].replace("centre", "center").replace(" ", "_").split(",_") == list(spec.keypoint_names)


def resized(picture: list[list[list[int]]], width: int, height: int) -> list[list[list[int]]]:
    """Bilinear between pixel centres, rounded."""
    rows_, columns = len(picture), len(picture[0])
    result = []
    for y in range(height):
        at_y = min(max((y + 0.5) * rows_ / height - 0.5, 0), rows_ - 1)
        y0 = int(at_y)
        y1, part_y = min(y0 + 1, rows_ - 1), at_y - y0
        row = []
        for x in range(width):
            at_x = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            x0 = int(at_x)
            x1, part_x = min(x0 + 1, columns - 1), at_x - x0
            pixel = []
            for colour in range(3):
                upper = picture[y0][x0][colour] * (1 - part_x) + picture[y0][x1][colour] * part_x
                lower = picture[y1][x0][colour] * (1 - part_x) + picture[y1][x1][colour] * part_x
                pixel.append(int(upper * (1 - part_y) + lower * part_y + 0.5))
            row.append(pixel)
        result.append(row)
    return result


def halved(picture: list[list[list[int]]]) -> list[list[list[int]]]:
    """Each 2 x 2 pixels' mean, rounded."""
    result = []
    for y in range(0, len(picture), 2):
        row = []
        for x in range(0, len(picture[0]), 2):
            pixel = []
            for colour in range(3):
                total = sum(picture[y + i][x + j][colour] for i in (0, 1) for j in (0, 1))
                pixel.append(int(total / 4 + 0.5))
            row.append(pixel)
        result.append(row)
    return result


def found_by_the_document(picture: Any, row: dict[str, Any], session: Any) -> list[tuple[float, list[float]]]:
    """Score, and x1 y1 x2 y2 and keypoints, of each face of an RGB picture."""
    side, scale_of = row["side"], row["side"] / max(picture.shape[:2])
    height, width = picture.shape[:2]
    w, h = max(1, round(width * scale_of)), max(1, round(height * scale_of))
    plain = picture.tolist()
    small = halved(resized(plain, 2 * w, 2 * h)) if scale_of < 0.5 else resized(plain, w, h)
    left, top = (side - w) // 2, (side - h) // 2
    values = [[[(0 - 127.5) / 127.5] * side for _ in range(side)] for _ in range(3)]
    for y in range(h):
        for x in range(w):
            for colour in range(3):
                values[colour][top + y][left + x] = (small[y][x][colour] - 127.5) / 127.5
    logits, regressions = session.run(["logits", "regressions"], {"image": np.array([values], np.float32)})

    places = []
    for cells, _, anchors in row["maps"]:
        for r in range(cells):
            for c in range(cells):
                places += [((c + 0.5) / cells, (r + 0.5) / cells)] * anchors
    candidates = []
    for number, (place_x, place_y) in enumerate(places):
        score = 1 / (1 + math.exp(-float(logits[0][number])))
        if score < row["score"]:
            continue
        raw = [float(value) / row["scale"] for value in regressions[0][number]]
        if raw[2] <= 0 or raw[3] <= 0:
            continue
        x, y = raw[0] + place_x, raw[1] + place_y
        face = [x - raw[2] / 2, y - raw[3] / 2, x + raw[2] / 2, y + raw[3] / 2]
        for k in range(4, 16, 2):
            face += [raw[k] + place_x, raw[k + 1] + place_y]
        candidates.append((score, face))

    candidates.sort(key=lambda candidate: -candidate[0])
    faces = []
    while candidates:
        best = candidates[0]
        group = [
            candidate
            for candidate in candidates
            if candidate is best or iou(candidate[1], best[1]) > row["overlap"]
        ]
        candidates = [candidate for candidate in candidates if not any(candidate is member for member in group)]
        total = sum(score for score, _ in group)
        mean = [sum(score * face[i] for score, face in group) / total for i in range(16)]
        for i in range(0, 16, 2):
            mean[i] = (mean[i] * side - left) * width / w
            mean[i + 1] = (mean[i + 1] * side - top) * height / h
        faces.append((best[0], mean))
    return faces


def iou(a: list[float], b: list[float]) -> float:
    shared_w, shared_h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if shared_w <= 0 or shared_h <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared_w * shared_h / (areas - shared_w * shared_h)


def pictures() -> list[Any]:
    portrait = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    chosen = [portrait, portrait[:200, 100:330], portrait[60:160, 180:270], portrait[::2, ::2]]
    if LABELLED.is_dir():
        paths = sorted(LABELLED.rglob("*.jpg"))
        chosen += [read_picture(str(path)) for path in paths[:: len(paths) // 4 + 1]]
    return [np.ascontiguousarray(picture) for picture in chosen]


def test_the_document_finds_what_the_detector_finds() -> None:
    detector, row = FaceDetector("front-128"), rows()["front-128"]
    session = onnxruntime.InferenceSession(str(FRONT), providers=["CPUExecutionProvider"])
    compared = 0
    for picture in pictures():
        expected = detector.detect(picture)
        found = found_by_the_document(picture[:, :, ::-1], row, session)
        # OpenCV resizes in whole numbers, so a byte may be off by one, and a score by so much that a face on the
        # threshold is on its other side.
        assert all(score < 0.53 for score, _ in found[len(expected) :])
        for i, score in enumerate(expected.scores):
            if score < 0.53:
                continue
            points = [*map(float, expected.boxes[i]), *map(float, expected.keypoints[i].ravel())]
            gaps = [max(abs(a - b) for a, b in zip(face, points, strict=True)) for _, face in found]
            nearest = min(range(len(found)), key=gaps.__getitem__)
            assert gaps[nearest] * row["side"] / max(picture.shape[:2]) < GAP
            assert abs(found[nearest][0] - score) < 0.02
            compared += 1
    assert compared >= 3
