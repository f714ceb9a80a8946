"""What a detector in a process of its own finds, kept on disk by the picture's content."""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from blazeface.benchmark.contender import Contender
from blazeface.detections import Detections
from blazeface.evaluation.record import SCORE_CUT
from blazeface.geometry import Image

Row = dict[str, Any]
"""One picture: its digest, and the boxes, scores and keypoints found."""

DIGITS = {"boxes": 2, "scores": 6, "keypoints": 2}
"""Decimals that are kept."""


class Answers:
    """Asks a contender about pictures that it has not seen yet.

    kept: a file of JSON lines; the first says about whom (`about` and the date), each other one is a Row. Rows of another
    detector, version or options are dropped, and so is a line that was cut off.
    """

    def __init__(self, contender: Contender, about: dict[str, Any], kept: Path, fresh: bool = False):
        self._contender = contender
        self.date, self._found = (None, {}) if fresh else read_kept(kept, about)
        kept.parent.mkdir(parents=True, exist_ok=True)
        self._file = kept.open("a" if self.date else "w", encoding="utf-8")
        if self.date is None:
            self.date = datetime.date.today().isoformat()
            self._file.write(json.dumps({**about, "date": self.date}) + "\n")
        self._folder = tempfile.TemporaryDirectory()

    def detect(self, images: list[Image]) -> list[Detections]:
        """Faces of several pictures, from SCORE_CUT up. Raises BlazeFaceError where the contender ends."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Detections:
        digest = hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=12).hexdigest()
        if digest not in self._found:
            place = Path(self._folder.name) / "picture.npy"
            np.save(place, image)
            found = self._contender.ask(do="detect", file=str(place))
            row = {name: np.round(np.array(found[name]), digits).tolist() for name, digits in DIGITS.items()}
            self._file.write(json.dumps({"digest": digest, **row}) + "\n")
            self._found[digest] = to_detections(row)
        return self._found[digest]

    def __enter__(self) -> Answers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._folder.cleanup()


def read_kept(file: Path, about: dict[str, Any]) -> tuple[str | None, dict[str, Detections]]:
    """Date and findings of an earlier run of the very same detector; None and nothing where there is none."""
    found: dict[str, Detections] = {}
    if not file.exists():
        return None, found
    with file.open(encoding="utf-8") as lines:
        try:
            first = json.loads(next(lines, ""))
        except json.JSONDecodeError:
            return None, found
        if {**first, "date": None} != {**about, "date": None}:
            return None, found
        for line in lines:  # as arrays at once: lists of numbers would take ten times the memory
            try:
                row = json.loads(line)
                found[row["digest"]] = to_detections(row)
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
    return first["date"], found


def to_detections(row: Row) -> Detections:
    """A row as detections, best first, those under SCORE_CUT left out."""
    scores = np.clip(np.array(row["scores"], np.float32).reshape(-1), 0, 1)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= SCORE_CUT]
    points = np.array(row["keypoints"], np.float32)
    points = points.reshape(len(scores), -1, 2) if points.size else np.zeros((len(scores), 0, 2), np.float32)
    boxes = np.array(row["boxes"], np.float32).reshape(-1, 4)
    return Detections(boxes[order], scores[order], points[order])
