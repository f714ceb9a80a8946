"""Where the faces of a video are, by two detectors of others that agree: the truth for `measure` and for privacy.

    python -m benchmarks.search.street_truth ../shared/videos/street-group.mp4 --peers ../shared/peers

A face is where YuNet_n and CenterFace, both at the frame's own size, overlap by half; its box is the mean of theirs.
What only one of them sees, from a low score on, is `unsure`: finding it counts neither for nor against a detector.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.peers.teachers import SURE, open_teachers
from blazeface.files.staged import staged_file
from blazeface.geometry import box_iou
from blazeface.sources.inputs import find_inputs
from blazeface.sources.opening import open_source

HERE = Path(__file__).parent
LOW = 0.2
"""Score from which what a single teacher sees is unsure and not a false positive."""
AGREE = 0.5
NOBODY_ABOVE = {"street-group": 450.0}
"""Row of a clip above which nobody is, seen by eye: the emblem over the street's entrance is a face to both in eight boxes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--peers", type=Path, required=True, help="folder of the two .onnx files")
    args = parser.parse_args()
    teachers = open_teachers(args.peers, LOW)
    frames = []
    with open_source(find_inputs([str(args.video)], print)[0], 4.0, lambda: False) as source:
        for frame in tqdm(source.frames(), total=source.length, disable=None):
            answers = [(*teachers[name](frame.image)[:2], least) for name, least in SURE.items()]
            frames.append(below(agreed(*answers), NOBODY_ABOVE.get(args.video.stem, 0.0)))
            shape = frame.image.shape
    about = {"video": args.video.name, "height": shape[0], "width": shape[1], "frames": frames}
    with staged_file(HERE / f"{args.video.stem}.json") as part:
        part.write_text(json.dumps(about).replace("}, {", "},\n{") + "\n", encoding="utf-8")
    print(f"{len(frames)} frames, {np.mean([len(f['faces']) for f in frames]):.2f} faces a frame")


def agreed(first: Any, second: Any) -> dict[str, list[list[float]]]:
    """faces and unsure of a frame, boxes as x1 y1 x2 y2; each argument: boxes, scores, and the score from which it is sure."""
    (a, a_scores, a_least), (b, b_scores, b_least) = first, second
    overlap = box_iou(a, b) if len(a) and len(b) else np.zeros((len(a), len(b)))
    pairs = []
    while overlap.size and overlap.max() >= AGREE:
        i, j = np.unravel_index(int(overlap.argmax()), overlap.shape)
        overlap[i], overlap[:, j] = 0, 0
        if a_scores[i] >= a_least and b_scores[j] >= b_least:
            pairs.append((i, j))
    faces = [(a[i] + b[j]) / 2 for i, j in pairs]
    left = [np.delete(a, [i for i, _ in pairs], 0), np.delete(b, [j for _, j in pairs], 0)]
    return {"faces": _rounded(faces), "unsure": _rounded(np.concatenate(left))}


def below(frame: dict[str, list[list[float]]], row: float) -> dict[str, list[list[float]]]:
    """A frame in which the faces that end above a row of the picture are unsure."""
    above = [box for box in frame["faces"] if box[3] < row]
    faces = [box for box in frame["faces"] if box[3] >= row]
    return {"faces": faces, "unsure": frame["unsure"] + above}


def _rounded(boxes: list[NDArray[Any]] | NDArray[Any]) -> list[list[float]]:
    return [[round(float(value), 1) for value in box] for box in boxes]


if __name__ == "__main__":
    main()
