"""How the light networks are timed: in turns, with warm caches, by the processor's clock."""

from __future__ import annotations

import time

import pytest

from benchmarks.lightweight.latency import WARM_UP, measured


def test_only_the_second_of_two_runs_in_a_row_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes nine seconds where the other file ran before it, and one or two where it ran itself."""
    now, calls = [0.0], list[str]()
    monkeypatch.setattr(time, "thread_time", lambda: now[0])

    def run(name: str, seconds: float) -> None:
        now[0] += seconds if calls and calls[-1] == name else 9
        calls.append(name)

    found = measured({"a": lambda: run("a", 1), "b": lambda: run("b", 2)}, 3)
    assert calls == ["a", "a", "b", "b"] * (WARM_UP + 3)
    assert found["milliseconds"] == {
        "a": {"least": 1000, "median": 1000, "p90": 1000},
        "b": {"least": 2000, "median": 2000, "p90": 2000},
    }
    assert (found["rounds"], found["unmeasured_before_each"], found["threads"]) == (3, 1, 1)
