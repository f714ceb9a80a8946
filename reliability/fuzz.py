"""Wrong bytes by the hundred thousand: does anything crash, hang for 5 seconds, or take a gigabyte?

    python -m reliability.fuzz --seconds 600

Each kind of file is read in a process of its own, twice: mutants of whole files for as long as its share of the time
lasts, and (where reading is Python, and atheris is installed) inputs that atheris makes by watching which lines run.
An input ends well when it is read or refused with a BlazeFaceError. Anything else is a finding: its bytes are kept
under out/fuzz/findings, to become a test.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import mmap
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from blazeface.errors import BlazeFaceError
from reliability.mutate import mutant
from reliability.report import table, write_report
from reliability.targets import COVERED, TARGETS, Target

OUT = Path(__file__).parents[1] / "out" / "fuzz"
MAX_SECONDS = 5
MAX_MEMORY_MB = 1024
MAX_PIXELS = 2**25
"""So that a picture, which may be large, is not taken for a bug; see files/pictures.py."""

ANSWERS = ("read", "refused")
COUNTERS = struct.Struct("<qqqq")
"""Shared by both processes: number of the mutant being read, mutants read, refused, peak of memory in kB."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--only", choices=sorted(TARGETS), nargs="+", default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--cover", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return feed(args.child[0], args.seed, int(args.child[1]), float(args.child[2]))
    if args.cover:
        return watch_coverage(args.cover[0], int(args.cover[1]))
    guided = importlib.util.find_spec("atheris") is not None
    whole = sum(TARGETS[name].share for name in args.only)
    rows = []
    for name in args.only:
        seconds = args.seconds * TARGETS[name].share / whole
        covered = guided and name in COVERED
        row = mutants(name, args.seed, seconds * (0.5 if covered else 1))
        if covered:
            row["guided"] = coverage(name, seconds * 0.5, row["findings"])
        rows.append(row)
        print(json.dumps(row), flush=True)
    inputs = sum(row["inputs"] + row["guided"] for row in rows)
    findings = [finding for row in rows for finding in row["findings"]]
    figures = {
        "seconds": args.seconds,
        "seed": args.seed,
        "coverage_guided": guided,
        "inputs": inputs,
        "findings": findings,
        "limits": {"seconds": MAX_SECONDS, "memory_mb": MAX_MEMORY_MB, "pixels": MAX_PIXELS},
        "targets": {row["target"]: row for row in rows},
        "passed": not findings,
    }
    path = write_report("fuzz", figures, as_text(figures))
    print(f"written to {path}: {inputs:,} inputs, {len(findings)} findings")
    return 1 if findings else 0


def mutants(name: str, seed: int, seconds: float) -> dict[str, Any]:
    """Feed mutants to one target, with a new process after each one that a finding took down."""
    row: dict[str, Any] = {"target": name, "inputs": 0, "guided": 0, "read": 0, "refused": 0, "memory_mb": 0}
    findings: dict[str, str] = {}
    end, number = time.monotonic() + seconds, 0
    with tempfile.NamedTemporaryFile(prefix="blazeface-fuzz-") as shared:
        os.environ["BLAZEFACE_FUZZ_SHARED"] = shared.name
        while (left := end - time.monotonic()) > 0 or number == 0:
            shared.seek(0)
            shared.write(COUNTERS.pack(number, 0, 0, 0))
            shared.flush()
            command = [sys.executable, "-m", "reliability.fuzz", "--seed", str(seed), "--child", name]
            with tempfile.TemporaryFile("w+", errors="replace") as said:
                code, silent = supervise([*command, str(number), str(max(left, 1))], shared, said)
                said.seek(0)
                complaint = (said.read().strip().splitlines() or [""])[-1]
            shared.seek(0)
            number, read, refused, memory = COUNTERS.unpack(shared.read(COUNTERS.size))
            row["read"] += read
            row["refused"] += refused
            row["memory_mb"] = max(row["memory_mb"], memory // 1024)
            if code == 0:
                break
            what = verdict(code, silent, complaint)
            target = TARGETS[name]
            data = mutant(target.seeds(), target.suffix in (".txt", ".json"), seed, number)
            if what not in findings and len(findings) < 50:
                findings[what] = keep(name, data, what)
            number += 1
    row["inputs"] = row["read"] + row["refused"] + len(findings)
    row["findings"] = list(findings.values())
    return row


def supervise(command: list[str], shared: Any, said: Any) -> tuple[int, bool]:
    """Run a child; (its status, whether it was killed since it stood still for far too long)."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=child_environment())
    before, since = b"", time.monotonic()
    while True:
        try:
            return child.wait(1.0), False
        except subprocess.TimeoutExpired:
            now = Path(shared.name).read_bytes()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > (12 * MAX_SECONDS if any(now[24:]) else 600):
                # CPU time is limited already, so this is a wait; before its first input a child may take long to load.
                child.kill()
                child.wait()
                return -signal.SIGKILL, True


def feed(name: str, seed: int, start: int, seconds: float) -> int:
    """The child: read mutants from number `start` on until the time is up. A finding ends the process."""
    target = TARGETS[name]
    seeds, call = target.seeds(), target.entry_point()
    text = target.suffix in (".txt", ".json")
    with (
        open(os.environ["BLAZEFACE_FUZZ_SHARED"], "r+b") as file,
        tempfile.TemporaryDirectory(dir=fast()) as folder,
    ):
        shared = mmap.mmap(file.fileno(), COUNTERS.size)
        path = Path(folder) / f"checkpoint{target.suffix}"
        counts: Counter[str] = Counter()
        end, number = time.monotonic() + seconds, start
        while time.monotonic() < end:
            shared[:] = COUNTERS.pack(number, counts["read"], counts["refused"], peak())
            counts[one(target, call, path, mutant(seeds, text, seed, number))] += 1
            if peak() > MAX_MEMORY_MB * 1024:
                raise MemoryError(f"{peak() >> 10} MB were taken")
            number += 1
        shared[:] = COUNTERS.pack(number, counts["read"], counts["refused"], peak())
    return 0


def one(target: Target, call: Any, path: Path, data: bytes) -> str:
    """Read one file within MAX_SECONDS of CPU time; what came of it."""
    path.write_bytes(data)
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)  # unhandled: the process ends, whatever it hangs in
    try:
        call(path)
        return "read"
    except BlazeFaceError as error:
        if "\n" in str(error).strip():
            raise ValueError("a refusal of several lines") from error
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def coverage(name: str, seconds: float, findings: list[str]) -> int:
    """Inputs that atheris made for a target; its corpus is kept for the next time."""
    corpus, kept = OUT / "corpus" / name, OUT / "findings"
    for folder in (corpus, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for data in TARGETS[name].seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    before = set(kept.iterdir())
    count, end = 0, time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, "-m", "reliability.fuzz", "--cover", name, str(left)]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", env=child_environment())
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


def watch_coverage(name: str, seconds: int) -> int:
    """The child that atheris drives; libFuzzer ends it by itself."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["blazeface"]):
        call = TARGETS[name].entry_point()
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(dir=fast()) as folder:
        path = Path(folder) / f"x{target.suffix}"

        def read(data: bytes) -> None:
            path.write_bytes(data)
            with suppress(BlazeFaceError):
                call(path)

        limits = [f"-max_total_time={seconds}", f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MEMORY_MB}"]
        places = [f"-artifact_prefix={OUT / 'findings'}/{name}-guided-", str(OUT / "corpus" / name)]
        atheris.Setup(
            [sys.argv[0], *limits, "-print_final_stats=1", "-max_len=8192", "-verbosity=0", *places], read
        )
        atheris.Fuzz()
    return 0


def verdict(code: int, silent: bool, complaint: str) -> str:
    if silent:
        return f"stood still for {12 * MAX_SECONDS} s"
    if code == -signal.SIGPROF:
        return f"over {MAX_SECONDS} s"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return complaint[:200]


def keep(name: str, data: bytes, what: str) -> str:
    """Keep the bytes of a finding; give its line for the report."""
    folder = OUT / "findings"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}{TARGETS[name].suffix}"
    path.write_bytes(data)
    return f"{name}: {what} ({path.name})"


def child_environment() -> dict[str, str]:
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    return {**os.environ, **threads, "BLAZEFACE_MAX_PIXELS": str(MAX_PIXELS)}


def peak() -> int:
    """Largest resident memory of this process so far, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fast() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def as_text(figures: dict[str, Any]) -> str:
    rows = [
        [name, row["inputs"], row["guided"], row["read"], row["refused"], row["memory_mb"], len(row["findings"])]
        for name, row in figures["targets"].items()
    ]
    head = ["file", "mutants", "guided by coverage", "read", "refused", "peak of memory, MB", "findings"]
    found = "".join(f"\n- {line}" for line in figures["findings"]) or " none."
    return (
        f"{figures['inputs']:,} inputs in {figures['seconds']:g} seconds, seed {figures['seed']}. A finding is a crash,"
        f" an exception other than BlazeFaceError, {MAX_SECONDS} s of CPU time, or {MAX_MEMORY_MB} MB of memory;"
        f" pictures were limited to {MAX_PIXELS:,} pixels. `read` and `refused` are of the mutants.\n\n"
        f"{table(head, rows)}\n\nFindings:{found}"
    )


if __name__ == "__main__":
    sys.exit(main())
