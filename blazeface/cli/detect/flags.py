"""The flags of `detect`, and the plan that they make: what is read, what is written where."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blazeface.backends import BACKENDS
from blazeface.errors import BlazeFaceError
from blazeface.privacy.background import WEIGHTS as SEGMENTER
from blazeface.privacy.cover import COVER_STYLES
from blazeface.refine import WEIGHTS as SHIPPED
from blazeface.sinks.crops import CropFolder
from blazeface.sinks.labels import YoloFolder, coco_file, csv_file
from blazeface.sinks.output_paths import (
    WrongUsage,
    check_file,
    check_folder,
    names_folder,
    plan_names,
    plan_outputs,
)
from blazeface.sinks.records import Recorder, json_file
from blazeface.sources.inputs import Input, find_inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a picture, a video, numbered pictures (img_%%04d.jpg), or a folder whose pictures are all read, in order",
    )
    add("--video", metavar="SOURCE", help="a camera (cam0, cam1 ...), a video file, or an rtsp, http or udp URL")

    add = parser.add_argument_group("finding").add_argument
    add("--model", default="front-128", help="a shipped model or a model file (default: front-128)")
    add("--score-threshold", type=_fraction, metavar="T", help="leave out faces of a lower score, 0 to 1")
    add("--backend", choices=BACKENDS, help="what runs the model (default: by its suffix)")
    add(
        "--threads",
        type=_count,
        default=1,
        metavar="N",
        help="CPU threads of the backend; 0: it chooses (default: 1)",
    )
    add(
        "--refine",
        nargs="?",
        type=Path,
        const=SHIPPED,
        metavar="FILE",
        help="sharpen the keypoints with a second network: a file of `blazeface refine`, or the shipped one",
    )
    add("--track", action="store_true", help="give each face of a video a number that stays")
    add(
        "--smooth",
        action=argparse.BooleanOptionalAction,
        help="steady the faces of a video; they are tracked then as well (default: for cameras and streams)",
    )
    add("--roi", action="store_true", help="look around the last frame's faces first: small, far and turned ones")

    add = parser.add_argument_group("writing").add_argument
    add(
        "--json",
        metavar="FILE",
        help="write the faces: a list into a .json, one object per line into a .jsonl, or printed with -",
    )
    add("--jsonl", metavar="FILE", help="write the faces, one object per line; what --jobs and --resume work with")
    add("--csv", metavar="FILE", help="write the faces as a table, one row each")
    add("--coco", metavar="FILE", help="write the faces as COCO keypoints")
    add("--yolo", metavar="FOLDER", help="write the faces as YOLO labels, a text file per picture or frame")
    add("--crop", metavar="FOLDER", help="write each face as a picture of its own, with its eyes level")
    add(
        "--output",
        metavar="PATH",
        help="write annotated copies: a file for one picture or video, a folder for several inputs or a folder",
    )
    add(
        "--blur",
        choices=COVER_STYLES,
        help="cover the faces in copies and window; nothing is drawn into copies then",
    )
    add(
        "--background-blur",
        nargs="?",
        type=Path,
        const=SEGMENTER,
        metavar="FILE",
        help="blur all but the faces in copies and window, by a file of `blazeface segment` or the shipped one;"
        " nothing is drawn into copies then",
    )
    add("--no-sound", action="store_true", help="leave the sound out of copies of videos")

    add = parser.add_argument_group("running").add_argument
    add("--no-window", action="store_true", help="open no window")
    add(
        "--timeout",
        type=_seconds,
        default=4.0,
        metavar="SECONDS",
        help="a camera or stream that is silent for so long is lost (default: 4)",
    )
    add(
        "--reconnect",
        type=_pause,
        default=30.0,
        metavar="SECONDS",
        help="look for a lost camera or stream for so long; 0: not at all (default: 30)",
    )
    add(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="many pictures: N processes read them into --jsonl, in order",
    )
    add("--resume", action="store_true", help="with --jobs: go on where a run that was cut short stopped")
    add(
        "--engine",
        choices=("process", "ray"),
        default="process",
        help="with --jobs: where the N run (default: here)",
    )
    add("--quiet", action="store_true", help="no progress bar and no summary")


@dataclass(frozen=True)
class Plan:
    """inputs, and where the copy of each goes; files: what opens those that take the faces; folders: what fills them."""

    inputs: list[Input]
    outputs: Sequence[Path | None]
    files: list[Callable[[], AbstractContextManager[Recorder]]]
    folders: list[Recorder]


def make_plan(args: argparse.Namespace, report: Callable[[BlazeFaceError], None]) -> Plan:
    """Look at all that was named before anything is done. Raises WrongUsage; reports inputs that are not there."""
    texts = [*args.inputs, *([args.video] if args.video is not None else [])]
    if not texts:
        raise WrongUsage("no input: name pictures, folders or videos, or a camera with --video cam0")
    if args.json is not None and args.jsonl is not None:
        raise WrongUsage("--json and --jsonl: name one of them")
    if args.resume and args.jobs is None:
        raise WrongUsage("--resume: works with --jobs N and --jsonl FILE alone")
    if args.blur and args.crop is not None:
        raise WrongUsage("--crop would save the faces that --blur covers")
    folder = args.output is not None and names_folder(texts, args.output)
    skip = [path for path in (args.output if folder else None, args.crop) if path is not None]
    inputs = find_inputs(texts, report, skip)
    outputs: Sequence[Path | None] = [None] * len(inputs)
    written: list[Path] = []
    if args.output is not None:
        outputs = written = plan_outputs(inputs, args.output, folder)
    files: list[Callable[[], AbstractContextManager[Recorder]]] = []
    folders: list[Recorder] = []
    for flag, path, opener in (
        ("--json", args.json if args.json != "-" else None, json_file),
        ("--jsonl", args.jsonl, json_file),
        ("--csv", args.csv, csv_file),
        ("--coco", args.coco, coco_file),
    ):
        if path is not None:
            target = check_file(flag, path, written, inputs)
            written = [*written, target]
            files.append(partial(opener, target))
    if args.yolo is not None:
        folders.append(YoloFolder(check_folder(args.yolo, "--yolo"), plan_names(inputs, "--yolo", ".txt")))
    if args.crop is not None:
        folders.append(CropFolder(check_folder(args.crop, "--crop"), plan_names(inputs, "--crop", ".jpg")))
    return Plan(inputs, outputs, files, folders)


def _fraction(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, not {text}")
    return value


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, at most a day, not {text}")
    return value


def _pause(text: str) -> float:
    return 0.0 if _number(text) == 0 else _seconds(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 1024, not {text}")
    return int(text)


def _jobs(text: str) -> int:
    if _count(text) == 0:
        raise argparse.ArgumentTypeError("must be 1 or more, not 0")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text}") from None
