"""Cameras and network streams: read by a thread of their own, so that a silent one cannot hold up the program.

`cv2.VideoCapture.read()` may block for ever on a camera or a stream. The thread may hang in it; the
consumer waits on a condition with a timeout, abandons the thread, and may open the source anew.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, Protocol

import cv2

from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image
from blazeface.sources import READER_THREAD_PREFIX
from blazeface.sources.allowed import stream_options
from blazeface.sources.cv2_reader import exact_rate, silence_opencv
from blazeface.sources.frames import Frame, steady_time
from blazeface.sources.inputs import Input
from blazeface.sources.refusal import refusal
from blazeface.sources.source import NoSound

POLL = 0.1
"""Seconds after which a wait looks whether the user wants to stop."""

RETRY = 0.02
"""Seconds until a camera that gave no picture is asked again."""


FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before a lost source is opened anew; each pause is twice the one before."""

Taken = tuple[Image, Fraction, float]
"""A picture, its time in seconds, and when it was read on the clock of time.monotonic()."""


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool: ...

    def read(self) -> tuple[bool, Any]: ...

    def get(self, propId: int, /) -> float: ...

    def release(self) -> None: ...


def open_live(
    item: Input,
    timeout: float,
    stop: Callable[[], bool],
    reconnect: float = 0.0,
    say: Callable[[str], None] = lambda sentence: None,
) -> LiveSource:
    """The camera of a number or the stream behind a URL, with the arguments of `LiveSource`.

    A file behind an HTTP URL is read frame by frame, as a file on disk is. Raises BlazeFaceError at once where the
    system has no such camera.
    """
    silence_opencv()
    camera = item.kind == "camera"
    capture = _camera_capture(item) if camera else _stream_capture(item, timeout)
    return LiveSource(
        item.name, capture, timeout, stop, camera, reconnect, say, lambda: refusal(item.address, timeout / 2)
    )


def _camera_capture(item: Input) -> Callable[[], Capture]:
    number = int(item.address)
    if sys.platform != "linux":
        return lambda: cv2.VideoCapture(number, cv2.CAP_ANY)
    device = f"/dev/video{number}"
    if not os.path.exists(device):
        others = ", ".join(sorted(glob.glob("/dev/video*"))) or "none"
        raise BlazeFaceError(f"{item.name}: no such camera: {device} does not exist (cameras here: {others})")
    if not os.access(device, os.R_OK | os.W_OK):
        raise BlazeFaceError(f"{item.name}: no permission to use {device} (its group, often `video`, has it)")
    return lambda: cv2.VideoCapture(number, cv2.CAP_V4L2)


def _stream_capture(item: Input, timeout: float) -> Callable[[], Capture]:
    # Longer than ours, so that ours decides; but the thread that was left behind ends some time.
    patience = int(2000 * timeout) + 1000
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience]

    def capture() -> Capture:
        with stream_options():
            return cv2.VideoCapture(item.address, cv2.CAP_FFMPEG, limits)

    return capture


class LiveSource:
    """A camera or a stream (see `source.VideoSource`): always the newest picture; those in between are lost.

    open_capture is called in the reading thread, since opening may block as well. timeout: seconds without a picture
    after which it is taken for lost; stop ends it quietly. camera: one that gives no picture is asked again; a stream
    has then come to its end.

    reconnect: seconds for which one that was lost, after it had given a picture, is opened anew, with growing pauses;
    0: not at all, and the end of a stream is its end. say takes the sentences about that. What stays lost ends in a
    BlazeFaceError. why: asked for the reason where a stream cannot be opened.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        timeout: float,
        stop: Callable[[], bool],
        camera: bool,
        reconnect: float = 0.0,
        say: Callable[[str], None] = lambda sentence: None,
        why: Callable[[], str | None] = lambda: None,
    ):
        self.tick = Fraction(1, 1000)
        self.audio = None if camera else NoSound(f"{name}: the sound of a stream is not copied")
        self.pixel_aspect = Fraction(1)
        self.copy_loss: str | None = None
        self._name = name
        self._open_capture = open_capture
        self._camera = camera
        self._timeout = timeout
        self._stop = stop
        self._reconnect = reconnect
        self._say = say
        self._why = why
        self._reader = _Reader(name, open_capture, camera, why)

    @property
    def rate(self) -> Fraction:
        return self._reader.rate

    @property
    def length(self) -> int | None:
        return self._reader.length

    def frames(self) -> Iterator[Frame]:
        count = 0
        start = last = Fraction(0)
        while (newest := self._next(count > 0)) is not None:
            image, stamp, taken = newest
            if count == 0:
                start = stamp
            if self._reader.whole:
                last = steady_time(stamp - start, last if count else None, self.rate, self.tick)
            elif count:
                last = max(stamp - start, last + self.tick)
            yield Frame(image, count, last, self._name, taken)
            count += 1
        if count == 0 and not self._stop():
            raise BlazeFaceError(f"{self._name}: ended without a picture")

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._reader.join(0.5)  # it ends after its next picture; one that hangs is left behind

    def _next(self, begun: bool) -> Taken | None:
        """The next picture, if need be after opening anew; None at the end."""
        again = begun and self._reconnect > 0
        try:
            newest = self._reader.take(self._timeout, self._stop)
            if newest is not None or self._stop() or self._reader.whole or not again:
                return newest
            fault = f"{self._name}: ended"
        except BlazeFaceError as error:
            if not again:
                raise
            fault = str(error)  # not the error: its traceback would keep the lost reader and its picture alive
        return self._come_back(fault)

    def _come_back(self, fault: str) -> Taken | None:
        """The first picture after opening anew; None when the user wants to stop."""
        self._say(f"{fault}; trying again for up to {self._reconnect:g} seconds")
        lost = time.monotonic()
        pause = FIRST_PAUSE
        while (left := lost + self._reconnect - time.monotonic()) > 0:
            self._reader.close()
            if not self._sleep(min(pause, left)):
                return None
            self._reader = _Reader(self._name, self._open_capture, self._camera, self._why)
            with suppress(BlazeFaceError):
                newest = self._reader.take(self._timeout, self._stop)
                if newest is not None:
                    self._say(f"{self._name}: back after {time.monotonic() - lost:.1f} seconds")
                if newest is not None or self._stop():
                    return newest
            pause = min(2 * pause, LONGEST_PAUSE)
        raise BlazeFaceError(f"{fault}, and did not come back within {self._reconnect:g} seconds")

    def _sleep(self, seconds: float) -> bool:
        """False when the user wants to stop."""
        end = time.monotonic() + seconds
        while not self._stop():
            left = end - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(POLL, left))
        return False


class _Reader:
    """A thread that opens a camera or a stream once and keeps the newest picture.

    whole: it is a file behind a URL, whose frames all come through, each at its own time.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        camera: bool,
        why: Callable[[], str | None] = lambda: None,
    ):
        self.rate = Fraction(30)
        self.length: int | None = None
        self.whole = False
        self._name = name
        self._open_capture = open_capture
        self._camera = camera
        self._refusal = why
        self._changed = threading.Condition()
        self._newest: Taken | None = None
        self._fault: str | None = None
        self._should_stop = False
        self._closed = False
        self._thread = threading.Thread(target=self._read, name=READER_THREAD_PREFIX + name, daemon=True)
        self._thread.start()

    def take(self, timeout: float, stop: Callable[[], bool]) -> Taken | None:
        """The newest picture, once; None at the end. Raises BlazeFaceError after `timeout` seconds without one."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._newest is None:
                if self._fault is not None:
                    raise BlazeFaceError(self._fault)
                if self._should_stop or stop():
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    raise BlazeFaceError(f"{self._name}: gave no picture for {timeout:g} seconds")
                self._changed.wait(min(POLL, left))
            newest, self._newest = self._newest, None
            self._changed.notify_all()
            return newest

    def close(self) -> None:
        """Tell the thread to end; it may hang for now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

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
        except Exception as error:  # any exception of a driver must reach the consumer
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
        self.whole = not self._camera and 0 < count < 2**40
        if self.whole:
            self.length = round(count)
        while not self._closed:
            read, image = capture.read()
            if read:
                now = time.monotonic()
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if self.whole else now
                self._offer((image, Fraction(round(seconds * 1000), 1000), now))
            elif self._camera:
                time.sleep(RETRY)
            else:
                return

    def _offer(self, taken: Taken) -> None:
        with self._changed:
            while self.whole and self._newest is not None and not self._closed:
                self._changed.wait()
            self._newest = taken
            self._changed.notify_all()

    def _end(self, fault: str | None) -> None:
        with self._changed:
            self._fault = fault
            self._should_stop = True
            self._changed.notify_all()

    def _why(self) -> str:
        if self._camera:
            return "another program may be using it, or it is no camera"
        return self._refusal() or "nothing answers there, or it is no video"
