"""What `--output` means: which file each input's annotated copy goes to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import can_write_picture
from blazeface.files.staged import EXISTS, write_errors
from blazeface.sinks.video_writer import WRITABLE_VIDEOS
from blazeface.sources.inputs import Input

FRAME_NAME = re.compile(r"(.+)-\d{6,}")
"""NAME-FRAME: what the file of one frame of a video is called, without its suffix."""


class WrongUsage(BlazeFaceError):
    """The flags contradict each other or the inputs; nothing was read or written."""


def names_folder(texts: Sequence[str], output: str) -> bool:
    """Whether `--output` names a folder: for several inputs or a folder always, else when it looks like one."""
    if len(texts) != 1 or os.path.isdir(texts[0]):
        return True
    return os.path.isdir(output) or output.endswith(("/", os.sep)) or not PurePath(output).suffix


def plan_outputs(inputs: Sequence[Input], output: str, folder: bool) -> list[Path]:
    """The file that each input's annotated copy goes to, in the order of the inputs.

    In a folder the names mirror the inputs' own; a name that is taken gets a number, and a format
    that cannot be written becomes .png or .mp4. Raises WrongUsage when an input would be overwritten,
    or a single output file cannot be written in the format of its suffix.
    """
    shown = printable(output)
    if output == "-":
        raise WrongUsage("--output -: copies are not printed; name a file or a folder (./- for one called so)")
    if not folder:
        _refuse_missing_folder(Path(output), "--output")
        for item in inputs:
            suffix = PurePath(output).suffix
            kind = "picture" if item.kind == "picture" else "video"
            if not _can_write(item, suffix):
                known = ".jpg, .png and the like" if kind == "picture" else ", ".join(WRITABLE_VIDEOS)
                raise WrongUsage(f"--output {shown}: a {kind} cannot be written as {suffix} (it can as {known})")
        plan = [Path(output) for _ in inputs]
    else:
        if os.path.exists(output) and not os.path.isdir(output):
            raise WrongUsage(f"--output {shown}: is a file, but a folder is needed for these inputs")
        suffix = PurePath(output).suffix
        if not os.path.isdir(output) and (suffix.lower() in WRITABLE_VIDEOS or can_write_picture(suffix)):
            raise WrongUsage(f"--output {shown}: names a file, but a folder is needed for these inputs")
        plan = _plan_folder(inputs, Path(output))
    refuse_overwriting(plan, inputs, "--output")
    return plan


def plan_names(inputs: Sequence[Input], flag: str, suffix: str) -> dict[str, PurePath]:
    """The name of each source's files below a folder, without a suffix, by the source's own name.

    Raises WrongUsage when two inputs would share one (a.jpg and a.png).
    """
    names: dict[str, PurePath] = {}
    taken: dict[str, str] = {}
    moving = {
        str(item.relative.with_suffix("") if item.kind == "video" else item.relative).casefold(): item.name
        for item in inputs
        if item.kind != "picture"
    }
    for item in inputs:
        name = item.relative.with_suffix("") if item.kind in ("picture", "video") else item.relative
        if taken.setdefault(str(name).casefold(), item.name) != item.name:
            other = taken[str(name).casefold()]
            raise WrongUsage(
                f"{flag}: {printable(other)} and {printable(item.name)} would share one {printable(str(name))}{suffix}"
            )
        numbered = FRAME_NAME.fullmatch(str(name).casefold()) if item.kind == "picture" else None
        if numbered and numbered[1] in moving:  # a-000001.jpg beside a.mp4: a frame of that has the same name
            raise WrongUsage(
                f"{flag}: {printable(item.name)} and a frame of {printable(moving[numbered[1]])} would share one"
                f" {printable(str(name))}{suffix}"
            )
        names[item.name] = name
    return names


def refuse_existing(targets: Iterable[Path], flag: str) -> None:
    """Raise WrongUsage, naming the first, when files to be written are there already."""
    there = [target for target in targets if os.path.lexists(target)]
    if there:
        others = f", and {len(there) - 1} more" if len(there) > 1 else ""
        raise WrongUsage(f"{flag} {printable(str(there[0]))}: {EXISTS}{others}")


def check_folder(path: str, flag: str) -> Path:
    """The folder of a flag, which may not exist yet. Raises WrongUsage when it is a file."""
    if path == "-":
        raise WrongUsage(f"{flag} -: is not printed; name a folder (./- for one called so)")
    if os.path.exists(path) and not os.path.isdir(path):
        raise WrongUsage(f"{flag} {printable(path)}: is a file, but a folder is needed")
    return Path(path)


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, unless it is there. Raises BlazeFaceError when it cannot be made."""
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def refuse_overwriting(targets: Iterable[Path], inputs: Iterable[Input], flag: str) -> None:
    """Raise WrongUsage when a file to be written is one of the inputs."""
    there = [target for target in targets if target.exists()]
    if not there:
        return
    sources = {_identity(item.address) for item in inputs if item.kind in ("picture", "video")} - {None}
    for target in there:
        if _identity(target) in sources:
            raise WrongUsage(f"{flag} {printable(str(target))}: would overwrite an input")


FORMS = {
    "--json": ((".json", ".jsonl"), "name a .json (a list), a .jsonl (one object per line), or - to print"),
    "--jsonl": ((".jsonl",), "name a .jsonl"),
    "--csv": ((".csv",), "name a .csv"),
    "--coco": ((".json",), "name a .json"),
    "--cover-report": ((".json",), "name a .json"),
}
"""Suffixes that the files of each flag may have, and what is said of others."""


def check_file(flag: str, path: str, others: Iterable[Path], inputs: Iterable[Input]) -> Path:
    """The file of a flag of FORMS. Raises WrongUsage for a suffix that does not fit it, and for a file that is taken.

    others: what the run writes besides.
    """
    target = Path(path)
    shown = printable(path)
    suffixes, wish = FORMS[flag]
    if target.suffix.lower() not in suffixes:
        raise WrongUsage(f"{flag} {shown}: {wish}")
    if os.path.isdir(path):
        raise WrongUsage(f"{flag} {shown}: is a folder")
    if os.path.exists(path) and not os.path.isfile(path):
        raise WrongUsage(f"{flag} {shown}: is a pipe or a device, not a file")
    _refuse_missing_folder(target, flag)
    refuse_overwriting([target], inputs, flag)
    if os.path.realpath(target) in {os.path.realpath(other) for other in others}:
        raise WrongUsage(f"{flag} {shown}: is the same file as another that is written")
    return target


def _plan_folder(inputs: Sequence[Input], folder: Path) -> list[Path]:
    plan: list[Path] = []
    taken: dict[
        str, int
    ] = {}  # how often a name was asked for: the next number to try, so that planning is linear
    for item in inputs:
        relative = item.relative
        if not _can_write(item, relative.suffix):
            relative = relative.with_name(relative.name + (".png" if item.kind == "picture" else ".mp4"))
        name = relative
        asked = str(relative).casefold()  # casefold: two names may be one on some file systems
        number = taken.get(asked, 0)
        while number and str(name).casefold() in taken:
            number += 1
            name = relative.with_name(f"{relative.stem}-{number}{relative.suffix}")
        taken[asked] = max(number, 1)
        taken.setdefault(str(name).casefold(), 1)
        plan.append(folder / name)
    return plan


def _can_write(item: Input, suffix: str) -> bool:
    return can_write_picture(suffix) if item.kind == "picture" else suffix.lower() in WRITABLE_VIDEOS


def _refuse_missing_folder(path: Path, flag: str) -> None:
    if not path.parent.is_dir():
        raise WrongUsage(f"{flag} {printable(str(path))}: the folder {printable(str(path.parent))} does not exist")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and number of a file: the same for all of its names; None for one that has gone meanwhile."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
