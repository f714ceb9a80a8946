"""A numbered series of inputs, fed to a function in child processes, which may crash, hang or take too much memory.

One child takes as many inputs as it bears: it is forked anew only after one that took it down, so that what is loaded is loaded
once. Where it stands is in memory shared with its parent.
"""

from __future__ import annotations

import mmap
import os
import pickle
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

OUTCOMES = ("read", "refused", "ran", "failed", "unwritable")
"""What may come of one input; anything else is a finding."""

STATE = struct.Struct(f"<2q{len(OUTCOMES)}q")
"""Number of the input in hand, peak of memory in kB (0 before the first input), and a count for each outcome."""

One = Callable[[int], str]
"""Feeds the input of a number; gives its outcome."""

Opened = Callable[[Path], AbstractContextManager[One]]
"""Loads, within a child, what the inputs are fed to. It is given an empty folder."""


class Limits(NamedTuple):
    """cpu_seconds of all threads, for one input. memory_mb: of the whole child. waiting_seconds: without progress and without
    taking any time of the processor."""

    cpu_seconds: float
    memory_mb: int
    waiting_seconds: float = 120.0


@dataclass
class Fed:
    """done: the first number that was not fed. findings: numbers, and what happened."""

    done: int
    counts: Counter[str] = field(default_factory=Counter)
    memory_mb: int = 0
    findings: list[tuple[int, str]] = field(default_factory=list)


def feed(opened: Opened, first: int, count: int, end: float, limits: Limits) -> Fed:
    """Feed the numbers from `first` on, `count` of them, or as many as there is time for until `end` (time.monotonic)."""
    fed, stop = Fed(first), first + count
    with tempfile.TemporaryDirectory(prefix="blazeface-feed-", dir=fast()) as folder:
        while fed.done < stop and time.monotonic() < end:
            _one_child(opened, fed, stop, end, limits, Path(folder))
    return fed


def in_child(make: Callable[[], list[bytes]]) -> list[bytes]:
    """What `make` gives, without what it loads staying in this process."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                file.write(pickle.dumps(make()))
                file.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("the files to begin with could not be made")
        file.seek(0)
        made: list[bytes] = pickle.load(file)
        return made


def _one_child(opened: Opened, fed: Fed, stop: int, end: float, limits: Limits, folder: Path) -> None:
    shared = mmap.mmap(-1, STATE.size)
    shared[:] = STATE.pack(fed.done, 0, *[0] * len(OUTCOMES))
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _run_child(opened, range(fed.done, stop), end, limits, folder, shared, said.fileno())
        code, silent = _wait_for(child, shared, limits)
        said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
        complaint = (said.read().decode(errors="replace").strip().splitlines() or [""])[-1]
    number, memory, *counts = STATE.unpack(shared[:])
    fed.counts.update(dict(zip(OUTCOMES, counts, strict=True)))
    fed.memory_mb = max(fed.memory_mb, memory >> 10)
    fed.done = number
    if code:
        if not memory:
            raise RuntimeError(f"what is to be tried could not be loaded: {complaint}")
        fed.findings.append((number, verdict(code, silent, complaint, limits)))
        fed.done += 1


def _run_child(
    opened: Opened, numbers: range, end: float, limits: Limits, folder: Path, shared: Any, errors: int
) -> None:
    status = 1
    try:
        os.dup2(errors, 2)
        sys.stderr = open(errors, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115 (until the end)
        with opened(folder) as one:
            counts: Counter[str] = Counter()
            number = numbers.start
            for number in numbers:
                if time.monotonic() > end:
                    break
                shared[:] = STATE.pack(number, peak(), *(counts[outcome] for outcome in OUTCOMES))
                signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)  # unhandled: the process ends
                counts[one(number)] += 1
                signal.setitimer(signal.ITIMER_PROF, 0)
                if peak() > limits.memory_mb * 1024:
                    raise MemoryError(f"{peak() >> 10} MB were taken")
            else:
                number = numbers.stop
            shared[:] = STATE.pack(number, peak(), *(counts[outcome] for outcome in OUTCOMES))
            signal.setitimer(signal.ITIMER_PROF, 0)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait_for(child: int, shared: Any, limits: Limits) -> tuple[int, bool]:
    """The status of a child, and whether it was killed since it stood still."""
    before: object = None
    since = time.monotonic()
    while True:
        done, state = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(state), False
        time.sleep(0.1)
        now = (shared[:], _processor_time(child))
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > limits.waiting_seconds:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), True


def _processor_time(process: int) -> object:
    """utime and stime of a process, where there is a /proc."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    except OSError:
        return None


def verdict(code: int, silent: bool, complaint: str, limits: Limits) -> str:
    if silent:
        return f"stood still for {limits.waiting_seconds:g} s"
    if code == -signal.SIGPROF:
        return f"over {limits.cpu_seconds:g} s"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return complaint[:200]


def peak() -> int:
    """Largest resident memory of this process so far, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fast() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
