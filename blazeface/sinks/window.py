"""The window of `detect`, where a display and an OpenCV with a GUI are available."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import cv2

from blazeface.files.names import printable
from blazeface.geometry import Image

HOW_TO_FIX = "pip install --force-reinstall --no-deps opencv-python"
"""Puts the windows back that opencv-python-headless took away: both install the same `cv2`."""

PROBE = "import cv2; cv2.namedWindow('blazeface'); cv2.waitKey(1)"
KEYS = {
    **dict.fromkeys(map(ord, "qQ\x1b"), "quit"),
    **dict.fromkeys(map(ord, "sS"), "save"),
    **dict.fromkeys(map(ord, "bB"), "cover"),
    ord(" "): "pause",
}
"""What each key asks for; 27 is Esc."""
LARGEST = (1600, 900)
"""Width and height up to which a window opens in the size of the picture."""


def window_problem() -> str | None:
    """Why no window can be had, in one sentence with what mends it; None where one can.

    Asked of another process in the end: without a usable display the library behind the windows ends
    the whole process instead of raising an exception.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "no window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    if not has_windows(cv2.getBuildInformation()):
        return f"no window: this OpenCV was built without windows; `{HOW_TO_FIX}` installs one that has them"
    if sys.platform != "linux":
        return None
    try:
        probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "no window: the display does not answer"
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return f"no window: none can be opened on the display {display}" if probe.returncode else None


def has_windows(build_information: str) -> bool:
    """Whether cv2.getBuildInformation() tells of a window toolkit."""
    found = re.search(r"^\s*GUI:\s*(\S+)", build_information, re.MULTILINE)
    return found is not None and found[1].upper() != "NONE"


class Window:
    """One window. Keys are given by what they ask for: see KEYS; "other" for the rest, "" for none."""

    def __init__(self, title: str = "blazeface"):
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # Qt misses fonts that OpenCV does not need
        self._title = printable(title).encode("ascii", "replace").decode("ascii")
        self._size: tuple[int, int] | None = None

    def show(self, image: Image, seconds: float = 0.0) -> str:
        """Show a BGR picture and give the screen at least `seconds`; what was asked for meanwhile.

        The window takes the size of the picture, also where that changes. One that the user has closed asks to quit.
        """
        try:
            self._fit(image)
            cv2.imshow(self._title, image)
        except cv2.error:  # closed since it was asked last
            return "quit"
        return self._asked(cv2.waitKey(max(1, round(seconds * 1000))))

    def wait(self, stop: Callable[[], bool] = lambda: False) -> str:
        """Leave the picture until a key is pressed, the window is closed or `stop` says so; what was asked for."""
        while not stop():
            asked = self._asked(cv2.waitKey(50))
            if asked:
                return asked
        return "quit"

    def close(self) -> None:
        if self._size is not None:
            with suppress(cv2.error):
                cv2.destroyAllWindows()

    def _fit(self, image: Image) -> None:
        height, width = image.shape[:2]
        if self._size == (width, height):
            return
        if self._size is None:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        scale = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
        cv2.resizeWindow(self._title, max(1, round(width * scale)), max(1, round(height * scale)))
        self._size = (width, height)

    def _asked(self, key: int) -> str:
        try:
            visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # OpenCV with Qt, of a window that the user has closed: "NULL guiReceiver"
            visible = False
        if not visible:
            return "quit"
        return "" if key == -1 else KEYS.get(key & 0xFF, "other")


class RateMeter:
    """Frames per second over the last two seconds or so."""

    def __init__(self, window: float = 2.0):
        self._window = window
        self._times: deque[float] = deque()

    def tick(self, now: float | None = None) -> float:
        """Count one frame; give the rate, 0 for the first."""
        now = time.perf_counter() if now is None else now
        self._times.append(now)
        while now - self._times[0] > self._window and len(self._times) > 2:
            self._times.popleft()
        elapsed = now - self._times[0]
        return (len(self._times) - 1) / elapsed if elapsed > 0 else 0.0
