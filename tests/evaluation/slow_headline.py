"""The headline's rules a second time, in plain Python: every threshold tried, every resample a list of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slow_rules import Label, Picture, area, iou, relative, shared_area

Named = tuple[str, Picture]
"""A source's name and one of its pictures."""

FACELESS = {"neg_houses": "houses", "neg_animals": "animals and objects", "neg_objects": "animals and objects"}


def slow_recalls(pictures: Sequence[Named], per_thousand: int) -> dict[str, float]:
    """By the names of `headline_figures`."""
    counted = [source for source, picture in pictures if any(not label.ignore for label in picture.labels)]
    faceless = [(source, picture) for source, picture in pictures if source not in counted]
    rest = [(source, picture) for source, picture in pictures if source in counted]
    if not faceless:
        faceless = [pair for pair in pictures if all(label.ignore for label in pair[1].labels)]
        rest = [pair for pair in pictures if not all(label.ignore for label in pair[1].labels)]
    groups: dict[str, list[Picture]] = {}
    for source, picture in faceless:
        groups.setdefault(FACELESS.get(source, "face-less pictures"), []).append(picture)
    row = {}
    for crowd in (False, True):
        faces = [picture for source, picture in rest if source.startswith("crowd_") == crowd]
        for name, group in groups.items():
            threshold = slow_threshold(group, per_thousand)
            for size, least in ((">=.1", 0.1), (">=.05", 0.05)):
                if faces:
                    row[f"recall {size} at {name}" + ", crowds" * crowd] = slow_recall(faces, threshold, least)
    return row


def slow_threshold(pictures: Sequence[Picture], per_thousand: int) -> float:
    """The lowest of all scores (and 0) above which no more false positives are left than allowed."""
    wrong = [score for picture in pictures for score, face in slow_matches(picture) if face is None]
    allowed = math.floor(len(pictures) * per_thousand / 1000)
    return min(score for score in [0.0, *wrong] if sum(other > score for other in wrong) <= allowed)


def slow_recall(pictures: Sequence[Picture], threshold: float, least: float) -> float:
    total = found = 0
    for picture in pictures:
        total += sum(relative(label.box, picture) >= least for label in picture.labels if not label.ignore)
        for score, face in slow_matches(picture):
            found += face is not None and score > threshold and relative(face.box, picture) >= least
    return found / total if total else math.nan


def slow_matches(picture: Picture) -> list[tuple[float, Label | None]]:
    """Score and face of each detection that found one or is wrong."""
    free = [label for label in picture.labels if not label.ignore]
    rows: list[tuple[float, Label | None]] = []
    for found in sorted(picture.found, key=lambda found: -found.score):
        best = max(free, key=lambda label: iou(found.box, label.box), default=None)
        if best is not None and iou(found.box, best.box) >= 0.5:
            free = [label for label in free if label is not best]
            rows.append((found.score, best))
        elif not any(
            shared_area(found.box, label.box) > 0.5 * area(found.box) for label in picture.labels if label.ignore
        ):
            rows.append((found.score, None))
    return rows
