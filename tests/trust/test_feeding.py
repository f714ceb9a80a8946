"""The long trials' machinery: what takes a child down is found and named, the rest goes on, parts add up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reliability.chaos_trials import SharedTimes
from reliability.feeding import Limits, One, feed, in_child
from reliability.report import resumed, write_report

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
LIMITS = Limits(cpu_seconds=0.3, memory_mb=4096)


@contextmanager
def opened(folder: Path) -> Iterator[One]:
    def one(number: int) -> str:
        (folder / "seen").open("a").write(f"{number}\n")
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        if number == 5:
            raise KeyError("lost")
        while number == 7:
            pass
        return "read" if number % 2 else "refused"

    yield one


def test_what_takes_a_child_down_is_found_and_the_rest_goes_on() -> None:
    fed = feed(opened, 1, 9, time.monotonic() + 60, LIMITS)
    assert fed.findings == [(3, "killed by SIGTERM"), (5, "KeyError: 'lost'"), (7, "over 0.3 s")]
    assert fed.done == 10
    assert dict(fed.counts) == {"read": 2, "refused": 4, "ran": 0, "failed": 0, "unwritable": 0}
    assert fed.memory_mb > 5


def test_too_much_memory_is_a_finding() -> None:
    @contextmanager
    def greedy(folder: Path) -> Iterator[One]:
        yield lambda number: "read" if number != 1 or len(b"x" * (300 << 20)) else "refused"

    # A slow machine takes longer than LIMITS' time to fill 300 MB.
    limits = Limits(cpu_seconds=30, memory_mb=250 + fed_before())
    fed = feed(greedy, 0, 3, time.monotonic() + 60, limits)
    assert [number for number, _ in fed.findings] == [1]
    assert "MB were taken" in fed.findings[0][1]
    assert fed.done == 3


def fed_before() -> int:
    """Megabytes that a child has from the beginning, those of these tests."""

    @contextmanager
    def idle(folder: Path) -> Iterator[One]:
        yield lambda number: "read"

    return feed(idle, 0, 1, time.monotonic() + 60, LIMITS).memory_mb


def test_no_time_is_no_input_and_what_cannot_be_loaded_is_told() -> None:
    assert feed(opened, 4, 9, time.monotonic() - 1, LIMITS).done == 4

    @contextmanager
    def broken(folder: Path) -> Iterator[One]:
        raise ImportError("no such thing")
        yield

    with pytest.raises(RuntimeError, match="could not be loaded: ImportError: no such thing"):
        feed(broken, 0, 9, time.monotonic() + 60, LIMITS)
    assert in_child(lambda: [b"a", b"b"]) == [b"a", b"b"]


def test_a_report_is_gone_on_with_by_the_same_seed_alone(tmp_path: Path) -> None:
    assert resumed("fuzz", 7, False, tmp_path)["seed"] == 7
    write_report("fuzz", {"seed": 7, "commits": ["aaa"], "inputs": 5}, "", tmp_path)
    figures = resumed("fuzz", 7, True, tmp_path)
    assert figures["inputs"] == 5 and figures["commits"][0] == "aaa" and len(figures["commits"]) == 2
    assert "finished" not in figures
    with pytest.raises(SystemExit, match="has the seed 7, not 8"):
        resumed("fuzz", 8, True, tmp_path)


def test_times_are_seen_from_outside_after_a_kill() -> None:
    times = SharedTimes()
    child = os.fork()
    if child == 0:
        times.append(0.5)
        times.append(1.25)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert times.all() == [0.5, 1.25]
    times.clear()
    assert times.all() == []
