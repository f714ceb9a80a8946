"""Files written in a temporary folder and moved to their place when they are complete and verified."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blazeface.files.staged import write_errors


@contextmanager
def staging_folder(path: Path) -> Iterator[Path]:
    """A path of the same name in an empty temporary folder; when the block ends well, all that lies in that folder
    then is moved beside `path`.

    The temporary folder is the system's, so that a process that is killed in the middle leaves nothing near `path`.
    Raises BlazeFaceError where a file cannot be written; what stood there before then stays.
    """
    with write_errors(path), tempfile.TemporaryDirectory(prefix="blazeface-") as folder:  # errors in both folders
        yield Path(folder) / path.name
        target = Path(os.path.realpath(path))
        place(sorted(Path(folder).iterdir()), target.parent)


def place(entries: list[Path], folder: Path) -> None:
    """Copy files and folders into `folder`: all under hidden names first, which takes time, then renamed at once."""
    token = secrets.token_hex(4)  # two containers that share a folder have the same process numbers
    hidden = {entry: folder / f".{entry.stem[:40]}-{token}.part{entry.suffix}" for entry in entries}
    try:
        for entry, part in hidden.items():
            if entry.is_dir():
                shutil.copytree(entry, part, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(entry, part)
        for entry, part in hidden.items():
            _replace(part, folder / entry.name)
    except BaseException:
        for part in hidden.values():
            _remove(part)
        raise


def _replace(part: Path, target: Path) -> None:
    """Give `part` the name `target`. A folder cannot replace one that is not empty, so that one is renamed first."""
    if not target.is_dir() or target.is_symlink():
        part.replace(target)
        return
    aside = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(4)}.before{target.suffix}")
    target.rename(aside)
    try:
        part.replace(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
