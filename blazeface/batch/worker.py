"""The work of one worker of a batch run: names of pictures in, an Outcome for each out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction

from blazeface.batch.run import Outcome
from blazeface.detections import Detections
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.sinks.records import record
from blazeface.sources.frames import Frame

BATCH_PIXELS = 2**25
"""Pictures are decoded until they have this many pixels together, then looked at in one run: 100 MB of memory."""


def outcomes(detector: FaceDetector, names: Sequence[str]) -> list[Outcome]:
    """Read pictures and detect faces in them, in order; an error with one of them is that picture's outcome."""
    found: list[Outcome | None] = [None] * len(names)
    batch: list[tuple[int, Image]] = []
    pixels = 0
    for place, name in enumerate(names):
        try:
            image = read_picture(name)
        except BlazeFaceError as fault:
            found[place] = Outcome(None, str(fault), 0)
            continue
        batch.append((place, image))
        pixels += image.shape[0] * image.shape[1]
        if pixels >= BATCH_PIXELS:
            _look(detector, names, batch, found)
            batch, pixels = [], 0
    _look(detector, names, batch, found)
    return [outcome for outcome in found if outcome is not None]


def _look(
    detector: FaceDetector, names: Sequence[str], batch: list[tuple[int, Image]], found: list[Outcome | None]
) -> None:
    try:
        faces = detector.detect_batch([image for _, image in batch])
    except Exception as error:  # runtimes raise many types
        if len(batch) == 1:
            place = batch[0][0]
            reason = (str(error).splitlines() or [""])[0] or type(error).__name__
            found[place] = Outcome(None, f"{printable(names[place])}: faces could not be looked for: {reason}", 0)
        else:
            for one in batch:
                _look(detector, names, [one], found)
        return
    for (place, image), seen in zip(batch, faces, strict=True):
        found[place] = Outcome(_line(names[place], image, seen), None, len(seen))


def _line(name: str, image: Image, faces: Detections) -> str:
    return json.dumps(record(Frame(image, 0, Fraction(0), name, alone=True), faces))
