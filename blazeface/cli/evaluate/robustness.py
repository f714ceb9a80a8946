"""`blazeface evaluate --robustness` and `--clips`: pictures made harder, centred faces, and clips."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from blazeface.cli.benchmark import PICTURE
from blazeface.data.samples import Sample
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.record import Detect, Read, Record
from blazeface.evaluation.robustness.centred import (
    ASTRONAUT,
    centred_scores,
    score_single_faces,
    single_faces,
    summary,
)
from blazeface.evaluation.robustness.clips import clip_scores
from blazeface.evaluation.robustness.measure import harder_records, measure_robustness
from blazeface.evaluation.robustness.table import Hardness
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture
from blazeface.geometry import Image
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--robustness",
        action="store_true",
        help="also turned, blurred, covered and other harder pictures, and a face at 200 places about the middle",
    )
    add(
        "--clips",
        type=Path,
        nargs="+",
        metavar="VIDEO",
        default=[],
        help="also clips that show a face in every frame: the share of frames whose best score is over .5",
    )


def check_clips(clips: Sequence[Path]) -> None:
    """Refuse what is no video file before the scoring, which takes minutes."""
    for path in clips:
        if not path.is_file():
            raise BlazeFaceError(f"--clips {path}: no such file")
        if find_input(str(path)).kind != "video":
            raise BlazeFaceError(f"--clips {path}: not a video by its name")
    if len({path.name for path in clips}) < len(clips):
        raise BlazeFaceError("--clips: two files have the same name, which their row in the report would share")


def measure_hardness(
    found: Sequence[Record],
    read: Read,
    detect: Detect,
    split: str,
    robustness: bool = True,
    clips: Sequence[Path] = (),
    resamples: int = 0,
) -> tuple[Hardness, int]:
    """What was measured, and how many clips could not be read: those are named on stderr, the rest is done.

    found: the records of the pictures of `split` as they are. robustness: whether pictures are made harder and faces
    centred. resamples: of the intervals.
    """
    result = Hardness(robustness=None, centred={}, clips={})
    if robustness:
        with tqdm(desc="harder pictures", unit="picture", leave=False, disable=None) as progress:

            def harder(name: str, samples: Sequence[Sample]) -> list[Record]:
                records = harder_records(name, samples, read, detect)
                progress.update(len(samples))
                return records

            result["robustness"] = measure_robustness(found, harder, resamples)
        if result["robustness"] is None:
            print(
                "--robustness: needs pictures without a face, and faces of .1 or more; left out", file=sys.stderr
            )
        if PICTURE.is_file():  # it is in the repository, not in the installed package
            result["centred"]["astronaut"] = summary(
                [centred_scores(read_picture(str(PICTURE)), np.array(ASTRONAUT), detect)]
            )
        singles = single_faces(found)
        if singles:
            result["centred"][f"faces of {split}"] = score_single_faces(singles, read, detect)
    unread = 0
    for path in clips:
        frames = tqdm(clip_frames(path), printable(path.name), unit="frame", leave=False, disable=None)
        try:
            result["clips"][path.name] = clip_scores(frames, detect)
        except BlazeFaceError as error:
            print(printable(f"--clips: {error}; left out"), file=sys.stderr)
            unread += 1
    return result, unread


def clip_frames(path: Path) -> Iterator[Image]:
    """Every frame of a video file."""
    with open_source(find_input(str(path)), timeout=60, stop=lambda: False) as source:
        for frame in source.frames():
            yield frame.image
