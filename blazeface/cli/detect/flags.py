"""The flags of `detect`, and the options that they make."""

from __future__ import annotations

import argparse
from pathlib import Path

from blazeface.backends import BACKENDS, TRUST_HELP
from blazeface.cli.shared_flags import add_min_face
from blazeface.options import (
    BatchOptions,
    CoverOptions,
    DetectOptions,
    FollowOptions,
    LookOptions,
    ReadOptions,
    WriteOptions,
)
from blazeface.privacy.background import WEIGHTS as SEGMENTER
from blazeface.privacy.cover import COVER_STYLES
from blazeface.refine import WEIGHTS as SHIPPED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a picture, a video, numbered pictures (img_%%04d.jpg), or a folder whose pictures and videos are all read, in order",
    )
    add(
        "--video",
        metavar="SOURCE",
        help="a camera (cam0, its device or its name), a video, a picture that moves, or an rtsp, http or udp URL",
    )

    finding = parser.add_argument_group("finding")
    add = finding.add_argument
    add("--model", default=LookOptions.model, help="a shipped model or a model file (default: front-128)")
    add("--score-threshold", type=_fraction, metavar="T", help="leave out faces of a lower score, 0 to 1")
    add_min_face(finding)
    add("--backend", choices=BACKENDS, help="what runs the model (default: by its suffix)")
    add(
        "--threads",
        type=_count,
        default=LookOptions.threads,
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
    add("--trust-model", action="store_true", help=TRUST_HELP)
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
        help="cover the faces in copies and window; nothing is drawn into copies then. Video files are read twice,"
        " so that a face is covered before it is first found, in gaps, and after it is last found",
    )
    add(
        "--cover-report",
        metavar="FILE",
        help="with --blur: write what was covered into a .json, and a contact sheet of it into a .png beside it",
    )
    add(
        "--covers",
        type=Path,
        metavar="FILE",
        help="with --blur: cover what this report says, edited or not, without looking again",
    )
    add(
        "--delay",
        type=_delay,
        default=CoverOptions.delay,
        metavar="SECONDS",
        help="with --blur: keep frames of cameras and streams back for so long, so that faces which are found then"
        " are covered before as well (default: 0, at most 10)",
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
    add(
        "--sound",
        choices=("copy", "aac"),
        default="copy",
        help="sound that cannot be copied as it is gets left out, or encoded as AAC (default: copy)",
    )
    add(
        "--overwrite", action="store_true", help="replace files that are there already (inputs are never replaced)"
    )

    add = parser.add_argument_group("running").add_argument
    add("--no-window", action="store_true", help="open no window")
    add(
        "--timeout",
        type=_seconds,
        default=ReadOptions.timeout,
        metavar="SECONDS",
        help="a camera or stream that is silent for so long is lost (default: 4)",
    )
    add(
        "--reconnect",
        type=_pause,
        default=ReadOptions.reconnect,
        metavar="SECONDS",
        help="look for a lost camera or stream for so long; 0: not at all (default: 30)",
    )
    add(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="many pictures: N processes read them into --jsonl (or --json), in order",
    )
    add("--resume", action="store_true", help="with --jobs: go on where a run that was cut short stopped")
    add(
        "--engine",
        choices=("process", "ray"),
        default=BatchOptions.engine,
        help="with --jobs: where the N run (default: here)",
    )
    add("--quiet", action="store_true", help="no progress bar and no summary")


def options_from(args: argparse.Namespace) -> DetectOptions:
    """The options behind parsed flags."""
    return DetectOptions(
        ReadOptions(tuple(args.inputs), args.video, args.timeout, args.reconnect),
        LookOptions(
            args.model,
            args.score_threshold,
            args.backend,
            args.threads,
            args.refine,
            args.roi,
            args.trust_model,
            args.min_face,
        ),
        FollowOptions(args.track, args.smooth),
        CoverOptions(args.blur, args.delay, args.cover_report, args.covers, args.background_blur),
        WriteOptions(
            output=args.output,
            json=args.json,
            jsonl=args.jsonl,
            csv=args.csv,
            coco=args.coco,
            yolo=args.yolo,
            crop=args.crop,
            sound=not args.no_sound,
            sound_as=args.sound,
            overwrite=args.overwrite,
            window=not args.no_window,
            quiet=args.quiet,
        ),
        BatchOptions(args.jobs, args.resume, args.engine),
    )


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


def _delay(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 to 10, not {text}")
    return value


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
