"""What a program does to network and disk, seen from outside by strace.

A hook inside Python cannot see what a C++ library does; the kernel's calls show all of it, of every child process too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

CALLS = "socket,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
"""By which a process reaches the network or makes, fills and moves files."""

PLACES = "chdir,fchdir,clone,clone3,fork,vfork"
"""By which it, or a child, comes to the folder from which relative paths count."""

WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)")
SYSTEM = ("/dev/", "/proc/")
"""Devices (terminal, null, shared memory of the data loader) and the process's own entries: no files on a disk."""


class Seen(NamedTuple):
    """sockets: calls that made a socket other than one within this machine. written: real paths made or opened to
    write, devices left out. run: the program's exit status and output."""

    sockets: list[str]
    written: set[Path]
    run: subprocess.CompletedProcess[str]


def require_strace() -> str:
    """The strace of this machine; the test is skipped where there is none, or where it may trace nothing."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    trial = subprocess.run([found, "-f", "--seccomp-bpf", "true"], capture_output=True, text=True, timeout=60)
    if trial.returncode:
        pytest.skip(f"strace may not trace here: {trial.stderr.strip().splitlines()[-1]}")
    return found


def watched(program: list[str], folder: Path, home: Path, **variables: str) -> Seen:
    """Run a program under strace, in the project's folder, with `home` as the user's home, and see what it did.

    folder: for strace's notes. variables: of the environment, over today's.
    """
    notes = folder / f"strace-{len(list(folder.iterdir()))}.txt"
    home.mkdir(exist_ok=True)
    (home / "tmp").mkdir(exist_ok=True)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_", "RAY_", "MPL"))
    }
    environment |= {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"} | variables
    environment.pop("NO_ALBUMENTATIONS_UPDATE", None)
    run = subprocess.run(
        [require_strace(), "-f", "--seccomp-bpf", "-y", "-qq", "-s", "4096", "--signal=none", "-e", f"trace={CALLS},{PLACES}", "-o", str(notes), *program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=900,
    )  # fmt: skip
    return Seen(*read_notes(notes.read_text(errors="replace")), run)


def read_notes(text: str, start: Path = ROOT) -> tuple[list[str], set[Path]]:
    """Sockets to the outside, and paths written, of strace's output for a program started in the folder `start`.

    A call that is cut in two (`<unfinished ...>`) is taken for one that succeeded.
    """
    sockets: list[str] = []
    written: set[Path] = set()
    places: dict[str, Path] = {}
    for line in text.splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        process, name, rest = call.groups()
        place = places.setdefault(process, start)
        result = re.search(r"\) += (-?\d+)", rest)
        if result is not None and result[1] == "-1":
            continue
        if name in ("clone", "clone3", "fork", "vfork") and result is not None:
            places[result[1]] = place
        elif " resumed>" in line:
            continue  # its beginning was looked at
        elif name in ("chdir", "fchdir"):
            places[process] = Path(os.path.join(place, *re.findall(r'^"(.*?)"|^\d+<(.*?)>', rest)[0]))
        elif name == "socket":
            if not rest.startswith(("AF_UNIX", "AF_LOCAL")):
                sockets.append(line)
        elif not name.startswith("open") or WRITES.search(rest):
            written |= {path for path in paths_in(rest, place) if not str(path).startswith(SYSTEM)}
    return sockets, written


def paths_in(arguments: str, place: Path) -> set[Path]:
    """Paths among a call's arguments, relative ones from the folder that strace names before them, or from `place`."""
    return {
        Path(os.path.normpath(os.path.join(place, folder, name)))
        for folder, name in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', arguments)
    }


def outside(written: set[Path], *folders: Path) -> list[str]:
    """Those of the paths that lie in none of the folders."""
    real = [folder.resolve() for folder in folders]
    return sorted(str(path) for path in written if not any(path.is_relative_to(folder) for folder in real))


def blazeface(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "blazeface", *arguments]
