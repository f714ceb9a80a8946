"""Compile a C file that lies beside this one, once for this machine, with the compiler at hand."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared")
OWN_CPU = ("-march=native", "-mcpu=native", "")
"""How compilers call "for this very processor"; the first that is understood counts."""
PATIENCE = 60
"""Seconds given to a compiler."""


def compile_library(name: str) -> ctypes.CDLL:
    """The C file `name` of this package as a loaded library, from the user's cache where it was built before.

    Raises OSError with the reason when there is no compiler, no place to write or the compiler refuses.
    """
    source = Path(__file__).with_name(name)
    code = source.read_bytes()
    key = hashlib.sha256(b"\0".join([code, " ".join(FLAGS + OWN_CPU).encode(), cpu_name().encode()])).hexdigest()
    built = cache_folder() / f"{source.stem}-{key[:16]}.so"
    if not built.exists():
        _build(source, built)
    return ctypes.CDLL(str(built))


def cache_folder() -> Path:
    """Where compiled files of this user lie: $XDG_CACHE_HOME/blazeface, by default ~/.cache/blazeface."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:
        raise OSError("this user has no home folder") from error
    return home / "blazeface"


def cpu_name() -> str:
    """What tells one processor's instructions from another's: a file made for one may not run on the other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        fields = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    except OSError:
        fields = []
    return "\n".join([platform.machine(), platform.processor(), *fields])


def _build(source: Path, built: Path) -> None:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise OSError("no C compiler found")
    built.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    refusal = ""
    # Built beside and renamed: several processes may come here at once.
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        fresh = Path(folder) / built.name
        for own_cpu in OWN_CPU:
            command = [compiler, *FLAGS, *([own_cpu] if own_cpu else []), "-o", str(fresh), str(source)]
            try:
                run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise OSError(f"{compiler} took over {PATIENCE} s") from error
            if run.returncode == 0:
                os.replace(fresh, built)
                return
            refusal = (run.stderr.strip().splitlines() or ["no message"])[-1]
    raise OSError(f"{compiler} refused: {refusal}")
