"""Files that are written under a temporary name and renamed when complete."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable, shown

EXISTS = "exists already (--overwrite replaces it)"
"""What is said of a file that is not to be replaced."""

STALE = 3600.0
"""Seconds after which a part that nobody writes to any more is removed."""

_PART = re.compile(r"\..*-[0-9a-f]+(-\d+)?\.part(\.[^.]*)?")
_cleaned: set[Path] = set()


class NameTooLong(BlazeFaceError):
    """The file system does not take so long a name; other files can still be written."""


@contextmanager
def staged_file(path: Path, replace: bool = True, keep: bool = False) -> Iterator[Path]:
    """A hidden path in the same folder to write to; it takes the name `path` when the block ends well.

    When the block raises, the part that was written is removed and a file that stood at `path` before
    stays untouched. The suffix is kept, since writers choose the format by it. Parts that a killed
    process left in the folder long ago are removed; those that a living one writes are locked, and stay.

    replace: whether a file that stands at `path` by then is replaced; False raises BlazeFaceError instead.
    keep: for what cannot be made again, a recording: the part can be seen (NAME.unfinished-..), is never removed but
    when it is empty, and an error tells where it is.
    """
    if not replace and os.path.islink(path):  # also one to a file that is not there yet
        raise BlazeFaceError(f"{printable(str(path))}: {EXISTS}")
    target = Path(os.path.realpath(path))
    _remove_stale_parts(target.parent)
    # By chance, and not by the number of the process: two containers that share a folder have the same numbers.
    token = secrets.token_hex(4)
    name = f"{target.stem[:40]}.unfinished-{token}" if keep else f".{target.stem[:40]}-{token}.part"
    part = target.with_name(name + target.suffix)
    lock = _hold(part)
    try:
        yield part
        try:
            _name(part, target, replace)
        except FileExistsError as error:
            raise BlazeFaceError(f"{printable(str(path))}: {EXISTS}") from error
        except OSError as error:
            raise cannot_write(path, error) from error
    except BaseException as error:
        if not (keep and part.exists() and part.stat().st_size):
            part.unlink(missing_ok=True)
        elif isinstance(error, BlazeFaceError):
            raise BlazeFaceError(f"{error}; what was written until then is in {printable(str(part))}") from error
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _hold(part: Path) -> int | None:
    """Make the part, empty, and lock it for as long as the descriptor is open, which the system closes with the process.
    None where that cannot be done; why not, the writer will say."""
    try:
        import fcntl
    except ImportError:  # Windows, which does not remove files that are open
        return None
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _is_held(path: str) -> bool:
    """Whether a living process writes a part, perhaps in another container."""
    try:
        import fcntl
    except ImportError:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def write_text(path: Path, text: str, replace: bool = True) -> None:
    """Write an ASCII file, all of it or nothing; replace: as in `staged_file`. Raises BlazeFaceError when it cannot be."""
    with staged_file(path, replace) as part, write_errors(path):
        part.write_text(text, encoding="ascii")


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
                    old = time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE
                    if old and entry.is_file(follow_symlinks=False) and not _is_held(entry.path):
                        os.unlink(entry.path)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a BlazeFaceError that names `path`, the file that was asked for."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> BlazeFaceError:
    """The sentence for a file that the system does not take; NameTooLong where its name is the reason."""
    kind = NameTooLong if error.errno == errno.ENAMETOOLONG else BlazeFaceError
    return kind(f"{shown(str(path))}: cannot be written: {error.strerror or error}")


def require_regular_file(path: str) -> None:
    """Raise BlazeFaceError unless `path` is an ordinary file that is not empty: a pipe or a device may never end."""
    named = shown(path)
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise BlazeFaceError(f"{named}: no such file or folder") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise BlazeFaceError(f"{named}: cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if os.path.isdir(path):
        raise BlazeFaceError(f"{named}: is a folder, not a file")
    if not os.path.isfile(path):
        raise BlazeFaceError(f"{named}: is a pipe or a device, not a file")
    if status.st_size == 0:
        raise BlazeFaceError(f"{named}: is empty")
