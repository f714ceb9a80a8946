"""Flags that several commands share: searching for small faces, and replacing what is there."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.search import AUTO_SHARE, check_min_face
from blazeface.sinks.output_paths import refuse_existing


def add_min_face(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --min-face; its value is what FaceDetector takes as min_face."""
    parser.add_argument(
        "--min-face",
        type=_min_face,
        metavar="PX|auto",
        help="search for faces from so many pixels on, in as many views as that takes; auto:"
        f" 1/{1 / AUTO_SHARE:.0f} of the picture's long side (default: the whole picture once, at the model's size)",
    )


def _min_face(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        value = float(text)
        check_min_face(value)
    except (ValueError, BlazeFaceError):
        raise argparse.ArgumentTypeError(f"must be auto or a number of pixels from 1 up, not {text}") from None
    return value


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")


def refuse_unless(overwrite: bool, flag: str, paths: Iterable[Path]) -> None:
    """Raise BlazeFaceError, before anything slow begins, where a file that `flag` is going to write is there."""
    if not overwrite:
        refuse_existing(paths, flag)
