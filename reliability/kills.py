"""A command that is killed at random moments, round after round, in one folder."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError

LATEST = 15.0
"""Seconds after which a round is killed at the latest; what goes on where it was killed comes to its end all the same."""

MAX_SECONDS = 300.0
"""A round that takes longer hangs."""


@dataclass
class Trial:
    """One command under kills.

    arguments: of the next round, chosen by what lies in the folder. look: raises AssertionError, or whatever the
    readers raise, where a file is half-written. ended: called after a round that was not killed. begun: whether the
    next round finds something of the one before to go on with.
    """

    command: str
    arguments: Callable[[], list[str]]
    look: Callable[[], None]
    ended: Callable[[], None]
    begun: Callable[[], bool] = lambda: False
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def kill_rounds(trial: Trial, rounds: int, rng: random.Random, place: Path) -> None:
    """A round that is left to end, which tells how long one takes; rounds until `rounds` were killed; one to the end."""
    whole = 0.0
    trial.counts.update(dict.fromkeys(("killed", "ended", "went on", "refused"), 0))
    while True:
        last = whole == 0 or trial.counts["killed"] >= rounds
        trial.counts["went on"] += trial.begun()
        start = time.monotonic()
        status, said = round_of(trial, None if last else rng.uniform(0, whole), place / "said.txt")
        elapsed = time.monotonic() - start
        if status == -signal.SIGKILL and not last:
            trial.counts["killed"] += 1
        elif status == 0:
            trial.counts["ended"] += 1
            whole = min(elapsed, LATEST)  # kills shall fall on the whole of the work
        elif status == 1 and "Traceback" not in said:
            trial.counts["refused"] += 1  # it said what is wrong; that is allowed, but hanging on to it is not
            trial.failures.append(said.strip().splitlines()[-1][:200])
        else:
            trial.failures.append(f"status {status}: {said.strip()[-300:]}")
        try:
            trial.look()
            if status == 0:
                trial.ended()
        except (AssertionError, BlazeFaceError, ValueError, OSError) as error:
            trial.failures.append(
                f"after round {trial.counts['killed']}: {type(error).__name__}: {str(error)[:300]}"
            )
        if (last and trial.counts["killed"] >= rounds) or len(trial.failures) > 10:
            break
    trial.counts["parts left"] = sum(1 for path in place.rglob(".*.part*"))


def round_of(trial: Trial, kill_after: float | None, said: Path) -> tuple[int, str]:
    """Run the command in a forked process, killed after some seconds; its status and what it said."""
    arguments = trial.arguments()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            status = run_command(trial.command, arguments, prog=trial.command)
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    end = time.monotonic() + (MAX_SECONDS if kill_after is None else kill_after)
    while time.monotonic() < end:
        done, state = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(state), said.read_text(errors="replace") if said.exists() else ""
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)  # it alone: the processes that it started have to notice by themselves
    _, state = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(state), said.read_text(errors="replace") if said.exists() else ""
