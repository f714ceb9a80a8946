"""Which data a run was begun with, kept in its folder, so that going on need not say it again.

In a file of its own and not in the checkpoint, since it names folders of this machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import write_text

FILE = "data.json"
FLAGS = ("data", "regions", "retain", "val_split", "format", "category")
PATHS = ("data", "regions", "retain")


def keep_data_flags(args: argparse.Namespace, out: Path) -> None:
    """Write data.json: the flags that say which data a run learns from, files and folders as whole paths."""
    given = {name: getattr(args, name) for name in FLAGS if getattr(args, name, None) is not None}
    text = json.dumps(
        {name: str(v.resolve()) if isinstance(v, Path) else v for name, v in given.items()}, indent=2
    )
    write_text(out / FILE, text + "\n")


def restore_data_flags(args: argparse.Namespace) -> None:
    """Set the flags that were not given to those of the run that goes on: all of them, or those beside a --data that names where the
    data lies now, on another machine, say. Raises BlazeFaceError where they are not known, or what they name is not there."""
    path = None if args.resume is None else args.resume / FILE
    if path is None or not path.is_file():
        if args.data is not None:
            return
        why = (
            "the folder of labelled pictures" if path is None else f"{args.resume} does not say which data it had"
        )
        raise BlazeFaceError(f"--data is needed: {why}")
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        found = {name: Path(before[name]) if name in PATHS else before[name] for name in FLAGS if name in before}
        if "data" not in found or not isinstance(found.get("val_split", 0.1), float):
            raise ValueError("no data in it")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if args.data is not None:
            return
        raise BlazeFaceError(f"{path}: not readable: {error}; name the data with --data") from error
    for name, value in found.items():
        if getattr(args, name, None) in (None, []):
            if name in PATHS and not value.exists():
                raise BlazeFaceError(
                    f"--resume: the run's --{name} was {printable(str(value))}, which is not here: --{name} names where it is now"
                )
            setattr(args, name, value)
