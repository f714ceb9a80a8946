"""Inputs that atheris makes by watching which lines of Python run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from blazeface.errors import BlazeFaceError
from reliability.feeding import Limits, fast
from reliability.targets import TARGETS


def coverage(name: str, seconds: float, findings: list[str], out: Path, seeds: list[bytes]) -> int:
    """How many inputs atheris made for a target; its corpus is kept under `out` for the next time."""
    corpus, kept = out / "corpus" / name, out / "findings"
    for folder in (corpus, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    before = set(kept.iterdir())
    count, end = 0, time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, "-m", "reliability.fuzz", "--cover", name, str(left)]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace")
        done = [line for line in run.stderr.splitlines() if "stat::number_of_executed_units" in line]
        count += int(done[-1].split()[-1]) if done else 0
        new = set(kept.iterdir()) - before
        before |= new
        findings += [f"{name}, guided: {path.name}" for path in sorted(new)]
        if run.returncode == 0 or not new:
            if not done:
                raise RuntimeError(f"atheris did not run: {run.stderr[-500:]}")
            break
    return count


def watch_coverage(name: str, seconds: int, limits: Limits, out: Path) -> int:
    """The child that atheris drives; libFuzzer ends it by itself."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["blazeface"]):
        call = TARGETS[name].entry_point()
    with tempfile.TemporaryDirectory(dir=fast()) as folder:
        path = Path(folder) / f"x{TARGETS[name].suffix}"

        def read(data: bytes) -> None:
            path.write_bytes(data)
            with suppress(BlazeFaceError):
                call(path)

        bounds = [
            f"-max_total_time={seconds}",
            f"-timeout={limits.cpu_seconds:g}",
            f"-rss_limit_mb={limits.memory_mb}",
        ]
        places = [f"-artifact_prefix={out / 'findings'}/{name}-guided-", str(out / "corpus" / name)]
        atheris.Setup(
            [sys.argv[0], *bounds, "-print_final_stats=1", "-max_len=8192", "-verbosity=0", *places], read
        )
        atheris.Fuzz()
    return 0
