"""The rules of the table a second time: slow, literal, in plain Python, one sentence of them after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Box = tuple[float, float, float, float]
Point = tuple[float, float]

SIZES = {
    ".05-.1": (0.05, 0.1),
    ".1-.2": (0.1, 0.2),
    ".2-.45": (0.2, 0.45),
    ">=.45": (0.45, math.inf),
    ">=.1": (0.1, math.inf),
    ">=.05": (0.05, math.inf),
}


@dataclass(frozen=True)
class Label:
    box: Box
    ignore: bool
    keypoints: tuple[Point, ...]
    visibility: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    box: Box
    score: float
    keypoints: tuple[Point, ...]


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    labels: tuple[Label, ...]
    found: tuple[Found, ...]


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared_area(a: Box, b: Box) -> float:
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    union = area(a) + area(b) - shared_area(a, b)
    return shared_area(a, b) / union if union else 0.0


def relative(box: Box, picture: Picture) -> float:
    return math.sqrt(area(box)) / max(picture.width, picture.height)


def slow_figures(pictures: Sequence[Picture]) -> dict[str, float]:
    matches: list[tuple[float, float]] = []  # score, relative size of the face
    wrong: list[tuple[float, float]] = []  # score, own relative size
    faces: list[float] = []
    errors: list[float] = []
    false_positives = empty = 0
    for picture in pictures:
        counted = [label for label in picture.labels if not label.ignore]
        faces += [relative(label.box, picture) for label in counted]
        empty += not counted
        free = list(counted)
        for found in sorted(
            picture.found, key=lambda found: -found.score
        ):  # stable: equal scores keep their order
            best = max(free, key=lambda label: iou(found.box, label.box), default=None)
            if best is not None and iou(found.box, best.box) >= 0.5:
                free = [label for label in free if label is not best]
                matches.append((found.score, relative(best.box, picture)))
                errors += measured_error(found, best)
            elif not any(
                shared_area(found.box, label.box) > 0.5 * area(found.box)
                for label in picture.labels
                if label.ignore
            ):
                wrong.append((found.score, relative(found.box, picture)))
                false_positives += not counted and found.score >= 0.5
    row = {}
    for name, (low, high) in SIZES.items():
        hits = [(score, True) for score, size in matches if low <= size < high]
        misses = [(score, False) for score, size in wrong if low <= size < high]
        row[f"AP {name}"] = slow_ap(hits + misses, sum(low <= size < high for size in faces))
    row["false positives per face-less picture"] = false_positives / empty if empty else math.nan
    row["keypoint error"] = median(errors) if errors else math.nan
    return row


def measured_error(found: Found, label: Label) -> list[float]:
    eyes = math.dist(label.keypoints[0], label.keypoints[1])
    if eyes <= 3 or any(visibility != 2 for visibility in label.visibility[:4]):
        return []
    distances = [math.dist(a, b) for a, b in zip(found.keypoints[:4], label.keypoints[:4], strict=True)]
    return [sum(distances) / 4 / eyes]


def slow_ap(ranked: Sequence[tuple[float, bool]], faces: int) -> float:
    if not faces:
        return math.nan
    points = []
    for threshold in sorted({score for score, _ in ranked}, reverse=True):
        taken = [hit for score, hit in ranked if score >= threshold]
        points.append((sum(taken) / faces, sum(taken) / len(taken)))
    total = before = 0.0
    for i, (recall, _) in enumerate(points):
        total += (recall - before) * max(precision for _, precision in points[i:])
        before = recall
    return total
