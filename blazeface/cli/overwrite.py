"""--overwrite: without it no command replaces a file that an earlier run, or the user, has made."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from blazeface.sinks.output_paths import refuse_existing


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")


def refuse_unless(overwrite: bool, flag: str, paths: Iterable[Path]) -> None:
    """Raise BlazeFaceError, before anything slow begins, where a file that `flag` is going to write is there."""
    if not overwrite:
        refuse_existing(paths, flag)
