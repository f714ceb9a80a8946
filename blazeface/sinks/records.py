"""Faces as JSON: a list in a .json, one object per line in a .jsonl or on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blazeface.detections import Detections
from blazeface.files.staged import staged_file, write_errors
from blazeface.sources.frames import Frame

Recorder = Callable[[Frame, Detections], None]


def record(frame: Frame, faces: Detections) -> dict[str, Any]:
    """One frame and its faces, ready for JSON: pixels of the frame, seconds from the first frame."""
    height, width = frame.image.shape[:2]
    return {
        "source": frame.source,
        "index": frame.index,
        "time": round(float(frame.time), 6),
        "width": width,
        "height": height,
        "faces": faces.to_dict(),
    }


def print_record(frame: Frame, faces: Detections) -> None:
    """One line on standard output, at once: the reader may be a pipe that waits for it."""
    # Names that are no UTF-8 and terminals that are no UTF-8 both pass, as JSON escapes.
    sys.stdout.write(json.dumps(record(frame, faces)) + "\n")
    sys.stdout.flush()


def to_all(recorders: Sequence[Recorder]) -> Recorder | None:
    """One that passes each frame on to all of several; None for none."""
    if not recorders:
        return None

    def write(frame: Frame, faces: Detections) -> None:
        for recorder in recorders:
            recorder(frame, faces)

    return write


@contextmanager
def json_file(path: Path, replace: bool = True) -> Iterator[Recorder]:
    """Record into a file, frame by frame (see `json_texts`)."""
    with json_texts(path, replace) as write:
        yield lambda frame, faces: write(json.dumps(record(frame, faces)))


@contextmanager
def json_texts(path: Path, replace: bool = True) -> Iterator[Callable[[str], None]]:
    """Write JSON objects, each a text without line breaks, into a file as they come, so that a long run needs no memory.

    A `.jsonl` holds one object per line, any other suffix a list. It is named when the block ends well. replace: as in
    `staged_file`.
    """
    lines = path.suffix.lower() == ".jsonl"
    count = 0
    with staged_file(path, replace) as part:
        with write_errors(path):
            file = part.open("w", encoding="ascii")

        def write(text: str) -> None:
            nonlocal count
            with write_errors(path):
                file.write(f"{text}\n" if lines else f"{',' if count else '['}\n{text}")
            count += 1

        try:
            yield write
            with write_errors(path):
                if not lines:
                    file.write("\n]\n" if count else "[]\n")
                file.flush()
        finally:
            with suppress(OSError):  # what could not be flushed was said above
                file.close()
