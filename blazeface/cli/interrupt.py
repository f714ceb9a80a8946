"""SIGINT, SIGTERM and SIGHUP: the first ends the run in order, a second one ends the process within seconds, also in a library that hangs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GRACE = 3.0
"""Seconds that the program has after the second signal to end by itself."""

ENDING = tuple(int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def second_signal_ends() -> Iterator[None]:
    """Within the block a second Ctrl-C, SIGTERM or SIGHUP ends the process, also where a library hangs and Python's own
    handlers never get to run: a thread reads the numbers of signals from a pipe that the C handler writes to.

    In a thread other than the main one, and where the program around us reads that pipe itself, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
    done = threading.Event()
    threading.Thread(target=_watch, args=(reading, done), name="signals", daemon=True).start()
    try:
        yield
    finally:
        done.set()
        if before == -1:
            signal.set_wakeup_fd(-1)
        os.close(writing)


def _watch(reading: int, done: threading.Event) -> None:
    came = 0
    while numbers := os.read(reading, 64):
        came += sum(number in ENDING for number in numbers)
        if came >= 2 and not done.wait(GRACE):
            os._exit(130)
    os.close(reading)


def _forget() -> None:
    with suppress(ValueError, OSError):  # not the main thread
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # Ctrl-C reaches children as well, and counts once


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C, SIGTERM or SIGHUP only sets the answer of the function given to True.

    So it never falls between the two halves of a write, and all files are completed. A second one ends
    the program as usual. A terminal that is closed (SIGHUP) is not written to any more. Signals that are ignored, as
    under nohup, stay so; in a thread other than the main one they all stay as they are.
    """
    came = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: came
        return
    terminals = [stream for stream in (1, 2) if _is_terminal(stream)]

    def note(number: int, _: object) -> None:
        nonlocal came
        came = True
        if number == getattr(signal, "SIGHUP", None):
            _turn_away(terminals)
        signal.signal(number, before[number] or signal.SIG_DFL)

    before = {
        number: signal.signal(number, note)
        for number in ENDING
        if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGINT
    }
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _is_terminal(stream: int) -> bool:
    try:
        return os.isatty(stream)
    except OSError:
        return False


def _turn_away(streams: list[int]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)
