"""What the window shows, and what its keys do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from blazeface.detections import Detections
from blazeface.detections.draw import draw_faces, draw_note
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import write_picture
from blazeface.geometry import Image
from blazeface.privacy.cover import cover_faces
from blazeface.sinks.window import RateMeter, Window
from blazeface.sources.frames import Frame

LONGEST_WAIT = 0.5
"""Seconds that a frame is held back at most to keep the pace: meanwhile nobody asks whether to stop."""


class Viewer:
    """Shows frames with their faces, the rate and the latency; Space pauses, s saves the picture, b covers the faces.

    pace: show files no faster than they were recorded. stop: asked while waiting; True ends the show. say takes
    sentences (where a picture was saved).
    """

    def __init__(
        self,
        window: Window,
        pace: bool = False,
        stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda sentence: None,
    ):
        self._window = window
        self._pace = pace
        self._stop = stop
        self._say = say
        self._hidden = False
        self.begin()

    def begin(self) -> None:
        """A new source begins: its time runs from now on."""
        self._meter = RateMeter()
        self._start = time.monotonic()

    def show(self, frame: Frame, image: Image, faces: Detections) -> bool:
        """Show a picture of a source, with its faces drawn in; False when the user wants to end."""
        latency = time.monotonic() - frame.taken
        note = f"{self._meter.tick():.1f} FPS  {1000 * latency:.0f} ms"
        picture = self._picture(image, faces, note)
        early = float(frame.time) - (time.monotonic() - self._start) if self._pace else 0.0
        key = self._window.show(picture, min(max(early, 0.0), LONGEST_WAIT))
        if key in ("", "other"):
            return True
        paused = time.monotonic()
        going = self._handle_key(key, frame, image, faces, note)
        self._start += time.monotonic() - paused
        return going

    def hold(self, frame: Frame, image: Image, faces: Detections) -> bool:
        """Show a picture until a key is pressed that does nothing else; False when the user wants to end."""
        key = self._window.show(self._picture(image, faces, None), 0.0)
        while key in ("", "save", "cover"):
            if key and not self._handle_key(key, frame, image, faces, None):
                return False
            key = self._window.wait(self._stop)
        return key != "quit"

    def _handle_key(self, key: str, frame: Frame, image: Image, faces: Detections, note: str | None) -> bool:
        """Do what keys ask until the show goes on; False when it ends."""
        paused = False
        while key != "quit":
            if key == "pause":
                paused = not paused
            elif key == "save":
                self._save(frame, self._picture(image, faces, None))
            elif key == "cover":
                self._hidden = not self._hidden
            if not paused:
                return True
            self._window.show(self._picture(image, faces, f"{note}  paused" if note else None), 0.0)
            key = self._window.wait(self._stop)
        return False

    def _picture(self, image: Image, faces: Detections, note: str | None) -> Image:
        picture = draw_faces(cover_faces(image, faces, "pixelate") if self._hidden else image, faces)
        if note is not None:
            draw_note(picture, note)
        return picture

    def _save(self, frame: Frame, picture: Image) -> None:
        path = Path(f"blazeface-{time.strftime('%Y%m%d-%H%M%S')}-{frame.index}.png")
        try:
            write_picture(path, picture, replace=False)
        except BlazeFaceError as fault:
            self._say(str(fault))
        else:
            self._say(f"saved {path}")
