"""A window only where one can be had."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from screen import close_with_the_mouse, screen

from blazeface.sinks.window import HOW_TO_FIX, KEYS, RateMeter, Window, has_windows, window_problem

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="displays are asked for by environment on Linux alone"
)

HEADLESS = "\n  GUI:                           NONE\n"
WITH_QT = "\n  GUI:                           QT5\n    QT:   YES\n"


def test_reading_the_build_information() -> None:
    assert has_windows(WITH_QT)
    assert not has_windows(HEADLESS)
    assert not has_windows("")


@linux_only
def test_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert window_problem() == "no window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"


def test_with_a_headless_opencv_the_mending_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: HEADLESS)
    assert window_problem() == (
        f"no window: this OpenCV was built without windows; `{HOW_TO_FIX}` installs one that has them"
    )


@linux_only
def test_a_display_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: WITH_QT)
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert window_problem() == "no window: none can be opened on the display :987"


def test_what_the_keys_ask_for() -> None:
    assert {chr(code): asked for code, asked in KEYS.items()} == {
        **dict.fromkeys("qQ\x1b", "quit"),
        **dict.fromkeys("sS", "save"),
        **dict.fromkeys("bB", "cover"),
        " ": "pause",
    }


def test_frames_per_second() -> None:
    meter = RateMeter(window=2.0)
    rates = [meter.tick(now) for now in np.arange(0, 10, 0.04)]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(25)
    slower = [meter.tick(10 + n) for n in range(1, 10)]
    assert slower[-1] == pytest.approx(1)


@pytest.fixture
def display() -> Iterator[str]:
    with screen() as name:
        yield name


SHOW = """
import sys, numpy as np
from blazeface.sinks.window import Window, window_problem
assert window_problem() is None, window_problem()
window = Window("a \\udcff name")
image = np.zeros((240, 320, 3), np.uint8)
image[:] = (0, 0, 255)
print(repr(window.show(image, 0.2)), repr(window.show(image[:100], 0.2)), flush=True)
print(window.wait(), flush=True)
window.close()
"""


def test_a_real_window_shows_until_a_key(display: str) -> None:
    if not shutil.which("xdotool"):
        pytest.skip("xdotool is not installed")
    environment = {**os.environ, "DISPLAY": display}
    program = subprocess.Popen(
        [sys.executable, "-c", SHOW], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "'' ''\n"
    start = time.monotonic()
    press = ["xdotool", "search", "--name", "udcff name", "key", "q"]
    while program.poll() is None and time.monotonic() - start < 20:
        subprocess.run(press, env=environment, capture_output=True, check=False)
        time.sleep(0.2)
    program.kill()
    out, err = program.communicate()
    assert (out, err, program.returncode) == ("quit\n", "", 0)


def test_a_real_window_that_is_closed_with_the_mouse_asks_to_quit(display: str) -> None:
    environment = {**os.environ, "DISPLAY": display}
    program = subprocess.Popen(
        [sys.executable, "-c", SHOW], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "'' ''\n"
    close_with_the_mouse(program, display, "udcff name")
    out, err = program.communicate()
    assert (out, err, program.returncode) == ("quit\n", "", 0)


@pytest.mark.parametrize("broken", ["getWindowProperty", "imshow", "resizeWindow", "namedWindow"])
def test_a_closed_window_of_qt_asks_to_quit(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Whichever call meets the missing window first."""

    def fail(*_: object) -> None:
        raise cv2.error(
            "OpenCV(4.14.0) window_QT.cpp:590: error: (-27:Null pointer) NULL guiReceiver (please create a window)"
        )

    fine: dict[str, Callable[..., Any]] = {"getWindowProperty": lambda *_: 1.0, "waitKey": lambda *_: -1}
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyAllWindows"):
        fine[name] = lambda *_: None
    for name, call in fine.items():
        monkeypatch.setattr(cv2, name, call)
    window, image = Window(), np.zeros((20, 30, 3), np.uint8)
    if broken != "namedWindow":
        assert window.show(image) == ""
    monkeypatch.setattr(cv2, broken, fail)
    assert window.show(image[:10]) == "quit"
    if broken == "getWindowProperty":
        assert window.wait() == "quit"
    monkeypatch.setattr(cv2, "destroyAllWindows", fail)
    window.close()


def test_a_window_that_was_never_shown_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: pytest.fail("there is nothing to close"))
    Window().close()
