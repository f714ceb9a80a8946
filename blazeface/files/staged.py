"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable

EXISTS = "exists already (--overwrite replaces it)"
"""What is said of a file that is not to be replaced."""

STALE = 3600.0
"""Seconds after which a part that nobody writes to any more is removed."""

_PART = re.compile(r"\..*-\d+(-\d+)?\.part(\.[^.]*)?")
_numbers = itertools.count()
_cleaned: set[Path] = set()


class NameTooLong(BlazeFaceError):
    """The file system does not take so long a name; other files can still be written."""


@contextmanager
def staged_file(path: Path, replace: bool = True) -> Iterator[Path]:
    """A hidden path in the same folder to write to; it takes the name `path` when the block ends well.

    When the block raises, the part that was written is removed and a file that stood at `path` before
    stays untouched. The suffix is kept, since writers choose the format by it. Parts that a killed
    process left in the folder long ago are removed.

    replace: whether a file that stands at `path` by then is replaced; False raises BlazeFaceError instead.
    """
    target = Path(os.path.realpath(path))
    _remove_stale_parts(target.parent)
    # The number tells apart what two threads write at once.
    part = target.with_name(f".{target.stem[:40]}-{os.getpid()}-{next(_numbers)}.part{target.suffix}")
    try:
        yield part
        try:
            _name(part, target, replace)
        except FileExistsError as error:
            raise BlazeFaceError(f"{printable(str(path))}: {EXISTS}") from error
        except OSError as error:
            raise cannot_write(path, error) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, replace: bool = True) -> None:
    """Write an ASCII file, all of it or nothing; replace: as in `staged_file`. Raises BlazeFaceError when it cannot be."""
    with staged_file(path, replace) as part:
        try:
            part.write_text(text, encoding="ascii")
        except OSError as error:
            raise cannot_write(path, error) from error


def _name(part: Path, target: Path, replace: bool) -> None:
    """Give a part its name. Raises FileExistsError where the name is taken and not to be replaced."""
    if not replace:
        try:
            os.link(part, target)  # unlike a rename, this never replaces, not even what came a moment ago
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if target.exists():
                raise FileExistsError(str(target)) from None
        else:
            part.unlink()
            return
    part.replace(target)


def _remove_stale_parts(folder: Path) -> None:
    """Remove the parts in a folder that killed processes left behind long ago; looked for once."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    with suppress(OSError):  # a folder that cannot be listed is not what the caller asked about
        for entry in os.scandir(folder):
            if _PART.fullmatch(entry.name):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
                        os.unlink(entry.path)


def cannot_write(path: Path, error: OSError) -> BlazeFaceError:
    kind = NameTooLong if error.errno == errno.ENAMETOOLONG else BlazeFaceError
    return kind(f"{printable(str(path))}: cannot be written: {error.strerror or error}")


def require_regular_file(path: str) -> None:
    """Raise BlazeFaceError unless `path` is an ordinary file that is not empty: a pipe or a device may never end."""
    shown = printable(path)
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise BlazeFaceError(f"{shown}: no such file or folder") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise BlazeFaceError(f"{shown}: cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if os.path.isdir(path):
        raise BlazeFaceError(f"{shown}: is a folder, not a file")
    if not os.path.isfile(path):
        raise BlazeFaceError(f"{shown}: is a pipe or a device, not a file")
    if status.st_size == 0:
        raise BlazeFaceError(f"{shown}: is empty")
