"""What `--output` means: which file each input's annotated copy goes to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import can_write_picture
from blazeface.video.inputs import Input
from blazeface.video.video_writer import WRITABLE_VIDEOS


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


def refuse_overwriting(targets: Iterable[Path], inputs: Iterable[Input], flag: str) -> None:
    """Raise WrongUsage when a file to be written is one of the inputs."""
    sources = {_identity(item.address) for item in inputs if item.kind in ("picture", "video")}
    for target in targets:
        if target.exists() and _identity(target) in sources:
            raise WrongUsage(f"{flag} {printable(str(target))}: would overwrite an input")


def check_json(path: str, outputs: Iterable[Path], inputs: Iterable[Input]) -> Path:
    """The file of `--json`. Raises WrongUsage for a suffix that says no form, and for a file that is taken."""
    target = Path(path)
    shown = printable(path)
    if target.suffix.lower() not in (".json", ".jsonl"):
        raise WrongUsage(f"--json {shown}: name a .json (a list), a .jsonl (one object per line), or - to print")
    if os.path.isdir(path):
        raise WrongUsage(f"--json {shown}: is a folder")
    _refuse_missing_folder(target, "--json")
    refuse_overwriting([target], inputs, "--json")
    if os.path.realpath(target) in {os.path.realpath(output) for output in outputs}:
        raise WrongUsage(f"--json {shown}: is the same file as --output")
    return target


def _plan_folder(inputs: Sequence[Input], folder: Path) -> list[Path]:
    plan: list[Path] = []
    taken: set[str] = set()
    for item in inputs:
        relative = item.relative
        if not _can_write(item, relative.suffix):
            relative = relative.with_name(relative.name + (".png" if item.kind == "picture" else ".mp4"))
        name, number = relative, 1
        while str(name).casefold() in taken:  # casefold: two names may be one on some file systems
            number += 1
            name = relative.with_name(f"{relative.stem}-{number}{relative.suffix}")
        taken.add(str(name).casefold())
        plan.append(folder / name)
    return plan


def _can_write(item: Input, suffix: str) -> bool:
    return can_write_picture(suffix) if item.kind == "picture" else suffix.lower() in WRITABLE_VIDEOS


def _refuse_missing_folder(path: Path, flag: str) -> None:
    if not path.parent.is_dir():
        raise WrongUsage(f"{flag} {printable(str(path))}: the folder {printable(str(path.parent))} does not exist")


def _identity(path: str | Path) -> tuple[int, int]:
    """Device and number of a file: the same for all of its names."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
