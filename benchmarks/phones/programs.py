"""The phones' programs, compiled here: C++ with warnings as errors, Kotlin on the JVM where a compiler is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from blazeface.errors import BlazeFaceError

PHONES = Path(__file__).parents[2] / "phones"

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror")
FAST = ("-O2",)
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def cpp_compiler() -> str | None:
    """$CXX, or a compiler on the path."""
    return shutil.which(os.environ.get("CXX", "c++"))


def compile_cpp(source: str | Path, out: Path, flags: Sequence[str] = FAST) -> Path:
    """Compile a file, its path taken from phones/cpp. Raises BlazeFaceError with the compiler's first complaint."""
    compiler = cpp_compiler()
    if compiler is None:
        raise BlazeFaceError("there is no C++ compiler: install g++ or clang++, or name one in CXX")
    _run([compiler, "-std=c++17", *WARNINGS, *flags, str(PHONES / "cpp" / source), "-o", str(out)])
    return out


def kotlin_compiler() -> str | None:
    """$KOTLINC, or kotlinc on the path; both need a Java runtime."""
    return shutil.which(os.environ.get("KOTLINC", "kotlinc")) if shutil.which("java") else None


def compile_kotlin(out: Path) -> list[str]:
    """Compile phones/kotlin into a .jar -> the command that runs it."""
    compiler = kotlin_compiler()
    if compiler is None:
        raise BlazeFaceError("there is no Kotlin compiler: name one in KOTLINC, or put kotlinc on the path")
    sources = [str(PHONES / "kotlin" / name) for name in ("BlazeFace.kt", "checks/Replay.kt")]
    _run([compiler, "-Werror", *sources, "-include-runtime", "-d", str(out)])
    return ["java", "-jar", str(out)]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
        raise BlazeFaceError(f"{command[-1]}: not compiled: {complaint}")
