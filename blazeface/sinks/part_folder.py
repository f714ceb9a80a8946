"""Folders with one file for each picture or frame, or for each face in it (`--yolo`, `--crop`): how the files are called."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import NamedTuple

from blazeface.errors import BlazeFaceError
from blazeface.files.staged import NameTooLong
from blazeface.sinks.output_paths import FRAME_NAME, make_folder, refuse_existing, refuse_overwriting
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import Input


class PartFolder:
    """NAME.txt or NAME-FACE.jpg for a picture, NAME-FRAME.txt or NAME-FRAME-FACE.jpg for a frame of a video,
    sequence, camera or stream.

    names: the name of each source below the folder, without a suffix. report takes the fault of a name that is too long
    for the file system, once per source, and the others are still written; None: it is raised.
    """

    def __init__(
        self, folder: Path, names: Mapping[str, PurePath], report: Callable[[BlazeFaceError], None] | None = None
    ):
        self._folder = folder
        self._names = names
        self._report = report
        self._reported: set[str] = set()

    @contextmanager
    def file(self, frame: Frame, ending: str) -> Iterator[Path]:
        """The path of a file to be written in the block: ending is ".txt" or "-FACE.jpg". Its folder is made.

        Raises BlazeFaceError where the folder cannot be made.
        """
        name = self._names[frame.source]
        number = "" if frame.alone else f"-{frame.index:06d}"
        target = self._folder / name.with_name(f"{name.name}{number}{ending}")
        make_folder(target.parent)
        try:
            yield target
        except NameTooLong as fault:
            if self._report is None:
                raise
            if frame.source not in self._reported:
                self._reported.add(frame.source)
                self._report(fault)


def refuse_existing_parts(
    folder: Path, names: Mapping[str, PurePath], inputs: Sequence[Input], flag: str, overwrite: bool
) -> None:
    """Raise WrongUsage when a file in a folder has a name that a crop or a label of an input may get.

    flag: "--crop" or "--yolo", whose names are NAME-FACE.jpg and NAME.txt for a picture, NAME-FRAME-FACE.jpg and
    NAME-FRAME.txt for other inputs. overwrite: only an input may not be replaced. Each folder is listed once.
    """
    form = _PARTS[flag]
    alone = {str(names[item.name]).casefold() for item in inputs if item.kind == "picture"}
    moving = {str(names[item.name]).casefold() for item in inputs if item.kind != "picture"}
    there = []
    for below in sorted({name.parent for name in names.values()}):
        with suppress(OSError), os.scandir(folder / below) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(str(below / entry.name).casefold())
                if suffix != form.suffix:
                    continue
                one, many = form.alone.fullmatch(stem), form.moving.fullmatch(stem)
                if (one and one[1] in alone) or (many and many[1] in moving):
                    there.append(folder / below / entry.name)
    refuse_overwriting(there, inputs, flag)
    if not overwrite:
        refuse_existing(sorted(there), flag)


class _Parts(NamedTuple):
    """suffix of a flag's files; patterns of their stems for a picture, and for a frame of any other input."""

    suffix: str
    alone: re.Pattern[str]
    moving: re.Pattern[str]


_PARTS = {
    "--crop": _Parts(".jpg", re.compile(r"(.+)-\d+"), re.compile(r"(.+)-\d{6,}-\d+")),
    "--yolo": _Parts(".txt", re.compile(r"(.+)"), FRAME_NAME),
}
