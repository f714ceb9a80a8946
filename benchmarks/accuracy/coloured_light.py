"""Recall of faces in light of one colour, as on stages: those of val that are bluish or greenish, and any of val put into such light.

    python -m benchmarks.accuracy.coloured_light --data ROOT [--model front-128 runs/front/model.safetensors ...]

The faces are the largest labelled one of each picture of val, from LEAST of the picture's size up; the light is made by dimming
the other channels to DIM. Found means an IoU of 0.5 at a score of SCORE or more. Writes benchmarks/results/coloured_light.json
and .md. A minute of one thread for each model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import RESULTS
from blazeface.data.even_choice import chosen_evenly
from blazeface.data.samples import Sample, load_split
from blazeface.detector import FaceDetector, model_path
from blazeface.evaluation.record import make_record
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Image

LEAST, SCORE, DIM, PICTURES = 0.1, 0.3, 0.15, 400
WHITE = (1, 1, 1)
LIGHTS = {
    "red": (0, 0, 1),
    "green": (0, 1, 0),
    "blue": (1, 0, 0),
    "cyan": (1, 1, 0),
    "magenta": (1, 0, 1),
    "yellow": (0, 1, 1),
}
"""Which of blue, green and red (OpenCV's order) shine."""

BLUISH, GREENISH = 1.15, 1.1
"""By how much the mean blue, or green, of a face exceeds its red."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall of faces in light of one colour.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the WIDER FACE layout")
    parser.add_argument("--model", nargs="+", default=["front-128", "back-256"])
    args = parser.parse_args()
    portraits = [portrait for sample in load_split(args.data, "val") if (portrait := largest(sample)) is not None]
    tints = [is_tinted(*portrait) for portrait in portraits]
    tinted = [portrait for portrait, tint in zip(portraits, tints, strict=True) if tint]
    others = [portrait for portrait, tint in zip(portraits, tints, strict=True) if not tint]
    plain = chosen_evenly(others, PICTURES)
    rows: dict[str, Any] = {}
    for model in args.model:
        detector = FaceDetector(model, SCORE)
        lights = {"as they are": WHITE, **LIGHTS}
        recall = {name: round(hits(detector, plain, light) / len(plain), 4) for name, light in lights.items()}
        digest = hashlib.sha256(model_path(model).read_bytes()).hexdigest()
        rows[model] = {"sha256": digest, "tinted": hits(detector, tinted, WHITE), "recall": recall}
    result = {"score": SCORE, "dim": DIM, "faces": len(plain), "tinted": len(tinted), "models": rows}
    path = RESULTS / "coloured_light.json"
    write_text(path, json.dumps(result, indent=2) + "\n", replace=True)
    write_text(path.with_suffix(".md"), markdown(result), replace=True)
    print(markdown(result), end="")


def largest(sample: Sample) -> tuple[Sample, int] | None:
    """A picture with the position of its largest labelled face; None without one of LEAST. Crowds have none."""
    faces = np.flatnonzero(~sample.ignore)
    if not len(faces) or sample.source.startswith("crowd"):
        return None
    image = read_picture(str(sample.path))
    sides = sample.boxes[faces, 2:] - sample.boxes[faces, :2]
    best = int(np.argmax(sides.prod(axis=1)))
    if np.sqrt(sides[best].prod()) < LEAST * max(image.shape[:2]):
        return None
    return sample, int(faces[best])


def is_tinted(sample: Sample, face: int) -> bool:
    """Whether a face is bluish or greenish as it is."""
    image = read_picture(str(sample.path))
    x1, y1, x2, y2 = np.clip(sample.boxes[face], 0, None).astype(int)
    blue, green, red = image[y1:y2, x1:x2].reshape(-1, 3).mean(axis=0)
    return bool(blue > BLUISH * red or green > GREENISH * red)


def hits(detector: FaceDetector, portraits: Sequence[tuple[Sample, int]], light: Sequence[int]) -> int:
    """How many of the faces are found in a light."""
    found = 0
    for sample, face in portraits:
        image = lit(read_picture(str(sample.path)), light)
        height, width = image.shape[:2]
        record = make_record(sample, height, width, detector.detect(image))
        counted = int(np.count_nonzero(~sample.ignore[:face]))
        found += bool((record.face == counted).any())
    return found


def lit(image: Image, light: Sequence[int]) -> Image:
    """A BGR picture (H, W, 3) whose channels that do not shine are dimmed."""
    gain: NDArray[np.float32] = np.where(np.asarray(light) > 0, 1.0, DIM).astype(np.float32)
    return (image * gain).round().astype(np.uint8)


def markdown(result: dict[str, Any]) -> str:
    lines = [
        "# Faces in coloured light",
        f"Recall at a score of {result['score']} or more of {result['faces']} val faces, the other channels dimmed to {result['dim']};"
        f" last, how many of {result['tinted']} that are bluish or greenish as they are. Written by `benchmarks/accuracy/coloured_light.py`.",
        "",
        f"|  | as they are | {' | '.join(LIGHTS)} | tinted |",
        f"| --- | {'---: | ' * (len(LIGHTS) + 2)}".rstrip(),
    ]
    for model, row in result["models"].items():
        values = " | ".join(f"{value:.3f}" for value in row["recall"].values())
        lines.append(f"| {Path(model).parent.name if '/' in model else model} | {values} | {row['tinted']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
