"""A screen in memory, and a window on it that is closed as with a mouse."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import pytest

from blazeface.sinks.window import has_windows
from tools.virtual_display import virtual_display


@contextmanager
def screen() -> Iterator[str]:
    """A virtual display, by its name; skips where there can be none."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    if not has_windows(cv2.getBuildInformation()):
        pytest.skip("this OpenCV was built without windows")
    with virtual_display(800, 600) as name:
        yield name


def close_with_the_mouse(program: subprocess.Popen[str], display: str, title: str, patience: float = 20) -> None:
    """Close the windows of a title until the program has ended; it is killed after `patience` seconds."""
    if not (shutil.which("xdotool") and ctypes.util.find_library("X11")):
        program.kill()
        program.communicate()
        pytest.skip("xdotool or libX11 is not installed")
    environment = {**os.environ, "DISPLAY": display}
    start = time.monotonic()
    search = ["xdotool", "search", "--name", title]
    while program.poll() is None and time.monotonic() - start < patience:
        found = subprocess.run(search, env=environment, capture_output=True, text=True, check=False).stdout
        for window in found.split():
            click_the_cross(display, int(window))
        time.sleep(0.2)
    program.kill()


def click_the_cross(display: str, window: int) -> None:
    """Send a window the message that a window manager sends when its cross is clicked: WM_DELETE_WINDOW (ICCCM 4.2.8.1)."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.argtypes, x11.XInternAtom.restype = (
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
        ctypes.c_ulong,
    )
    x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(display.encode())
    protocols, delete = (x11.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    client_message = 33
    # XClientMessageEvent: type, serial, send_event, display, window, message_type, format, data; 24 longs in all.
    event = (ctypes.c_long * 24)(client_message, 0, 1, 0, window, protocols, 32, delete, 0)
    x11.XSendEvent(connection, window, 0, 0, ctypes.byref(event))
    x11.XCloseDisplay(connection)  # which flushes
