"""Cameras and network streams: read by a thread of their own, so that a silent one cannot hold up the program.

`cv2.VideoCapture.read()` may block for ever on a camera or a stream. The thread may hang in it; whoever
waits for its pictures waits on a condition with a timeout, and leaves the thread behind.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Protocol

import cv2

from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image
from blazeface.video.cv2_video import exact_rate, hush_opencv
from blazeface.video.frames import Frame, steady_time
from blazeface.video.inputs import Input

POLL = 0.1
"""Seconds after which a wait looks whether the user wants to stop."""

RETRY = 0.02
"""Seconds until a camera that gave no picture is asked again."""


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool: ...

    def read(self) -> tuple[bool, Any]: ...

    def get(self, propId: int, /) -> float: ...

    def release(self) -> None: ...


def open_camera(item: Input, timeout: float, stop: Callable[[], bool]) -> LiveClip:
    """The camera of a number. Raises BlazeFaceError at once where the system has no such camera."""
    hush_opencv()
    number = int(item.address)
    backend = cv2.CAP_ANY
    if sys.platform == "linux":
        backend = cv2.CAP_V4L2
        device = f"/dev/video{number}"
        if not os.path.exists(device):
            others = ", ".join(sorted(glob.glob("/dev/video*"))) or "none"
            raise BlazeFaceError(f"{item.name}: no such camera: {device} does not exist (cameras here: {others})")
        if not os.access(device, os.R_OK | os.W_OK):
            raise BlazeFaceError(f"{item.name}: no permission to use {device} (its group, often `video`, has it)")
    return LiveClip(item.name, lambda: cv2.VideoCapture(number, backend), timeout, stop, camera=True)


def open_stream(item: Input, timeout: float, stop: Callable[[], bool]) -> LiveClip:
    """The stream behind a URL; a file behind an HTTP URL is read frame by frame, as a file on disk is."""
    hush_opencv()
    # Longer than ours, so that ours decides; but the thread that was left behind ends some time.
    patience = int(2000 * timeout) + 1000
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience]
    return LiveClip(
        item.name, lambda: cv2.VideoCapture(item.address, cv2.CAP_FFMPEG, limits), timeout, stop, camera=False
    )


class LiveClip:
    """A camera or a stream (see `clips.Clip`): always the newest picture; those in between are lost.

    open_capture is called in the reading thread, since opening may block as well. timeout: seconds
    without a picture after which reading ends in a BlazeFaceError; stop ends it quietly.
    camera: one that gives no picture is asked again; a stream has then come to its end.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        timeout: float,
        stop: Callable[[], bool],
        camera: bool,
    ):
        self.rate = Fraction(30)
        self.tick = Fraction(1, 1000)
        self.length: int | None = None
        self._name = name
        self._open_capture = open_capture
        self._timeout = timeout
        self._stop = stop
        self._camera = camera
        self._changed = threading.Condition()
        self._newest: tuple[Image, Fraction] | None = None
        self._fault: str | None = None
        self._whole = False
        self._ended = False
        self._closed = False
        self._thread = threading.Thread(target=self._read, name=f"reading {name}", daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[Frame]:
        count = 0
        start = last = Fraction(0)
        while (newest := self._take()) is not None:
            image, stamp = newest
            if count == 0:
                start = stamp
            if self._whole:
                last = steady_time(stamp - start, last if count else None, self.rate, self.tick)
            elif count:
                last = max(stamp - start, last + self.tick)
            yield Frame(image, count, last, self._name)
            count += 1
        if count == 0 and not self._stop():
            raise BlazeFaceError(f"{self._name}: ended without a picture")

    def __enter__(self) -> LiveClip:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(0.5)  # it ends after its next picture; one that hangs is left behind

    def _take(self) -> tuple[Image, Fraction] | None:
        """The newest picture and its time, once; None at the end. Raises BlazeFaceError after the timeout."""
        deadline = time.monotonic() + self._timeout
        with self._changed:
            while self._newest is None:
                if self._fault is not None:
                    raise BlazeFaceError(self._fault)
                if self._ended or self._stop():
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    raise BlazeFaceError(f"{self._name}: gave no picture for {self._timeout:g} seconds")
                self._changed.wait(min(POLL, left))
            newest, self._newest = self._newest, None
            self._changed.notify_all()
            return newest

    def _read(self) -> None:
        """The thread: open, then read until the end, the fault or the closing."""
        capture: Capture | None = None
        try:
            capture = self._open_capture()
            if not capture.isOpened():
                self._end(f"{self._name}: cannot be opened: {self._why()}")
                return
            self._read_all(capture)
            self._end(None)
        except Exception as error:  # whatever a driver may throw must reach the one who waits
            self._end(f"{self._name}: cannot be read: {type(error).__name__}")
        finally:
            if capture is not None:
                capture.release()

    def _read_all(self, capture: Capture) -> None:
        rate = exact_rate(capture.get(cv2.CAP_PROP_FPS))
        if rate is not None and 1 <= rate <= 240:  # some drivers and streams tell their clock instead
            self.rate = rate
        # A file behind a URL has a length; its frames must all come through, each at its own time.
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._whole = not self._camera and 0 < count < 2**40
        if self._whole:
            self.length = round(count)
        while not self._closed:
            read, image = capture.read()
            if read:
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if self._whole else time.monotonic()
                self._offer(image, Fraction(round(seconds * 1000), 1000))
            elif self._camera:
                time.sleep(RETRY)
            else:
                return

    def _offer(self, image: Image, stamp: Fraction) -> None:
        with self._changed:
            while self._whole and self._newest is not None and not self._closed:
                self._changed.wait()
            self._newest = (image, stamp)
            self._changed.notify_all()

    def _end(self, fault: str | None) -> None:
        with self._changed:
            self._fault = fault
            self._ended = True
            self._changed.notify_all()

    def _why(self) -> str:
        if self._camera:
            return "another program may be using it, or it is no camera"
        return "nothing answers there, or it is no video"
