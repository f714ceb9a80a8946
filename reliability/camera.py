"""A camera that misbehaves: it stalls, gives nothing, breaks off, changes its size, and will not open again at once."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections import Counter

import cv2
import numpy as np

from blazeface.geometry import Image

SIZES = ((480, 640), (720, 1280), (240, 320), (640, 480))
LONGEST_STALL = 5.0

STAMP = struct.Struct("<d")


class BadCamera:
    """Makes the captures of one simulated camera; `open` is what `LiveSource` calls.

    picture: BGR uint8, shown in all sizes. rate: pictures a second. every: mean seconds between two mishaps.
    """

    def __init__(self, picture: Image, rate: float, every: float, seed: int):
        self.rate, self.every = rate, every
        self.mishaps: Counter[str] = Counter()
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self._pictures = [cv2.resize(picture, (width, height)) for height, width in SIZES]
        self.opened = 0
        self._refusals = 0

    def open(self) -> Capture:
        self.opened += 1
        refused = self._refusals > 0
        self._refusals = max(0, self._refusals - 1)
        return Capture(self, refused)

    def picture(self, size: int, number: int) -> Image:
        """A new picture, as a driver gives it: the face walks, and the first bytes say when it was taken."""
        image = np.roll(self._pictures[size], number % 64, axis=1)
        image.reshape(-1)[: STAMP.size] = np.frombuffer(STAMP.pack(time.monotonic()), np.uint8)
        return image  # type: ignore[return-value]

    def breaks_off(self) -> None:
        self._refusals = self.random.randrange(3)


class SteadyCamera:
    """A camera that gives `pictures` of noise and then ends."""

    def __init__(self, pictures: int, rate: float):
        self._pictures, self._rate = pictures, rate
        self._left = 0

    def open(self) -> SteadyCamera:
        self._left = self._pictures
        return self

    def isOpened(self) -> bool:
        return True

    def get(self, propId: int, /) -> float:
        return self._rate if propId == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Image | None]:
        if self._left == 0:
            return False, None
        self._left -= 1
        time.sleep(1 / self._rate)
        return True, np.random.default_rng().integers(0, 255, (96, 128, 3), np.uint8)

    def release(self) -> None:
        self._left = 0


def taken_at(image: Image) -> float:
    """The moment, on the monotonic clock, at which `BadCamera.picture` made a picture."""
    (seconds,) = STAMP.unpack(image.reshape(-1)[: STAMP.size].tobytes())
    return float(seconds)


class Capture:
    """One opening of the camera, with the part of cv2.VideoCapture that is used."""

    def __init__(self, camera: BadCamera, refused: bool):
        self._camera, self._refused = camera, refused
        self._size = camera.random.randrange(len(SIZES))
        self._number = 0
        self._gone = False
        self._due = time.monotonic()
        self._mishap = self._next_mishap()

    def isOpened(self) -> bool:
        return not self._refused

    def get(self, propId: int, /) -> float:
        return self._camera.rate if propId == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Image | None]:
        camera = self._camera
        self._due = max(self._due + 1 / camera.rate, time.monotonic() - 1)
        camera.stopping.wait(max(0.0, self._due - time.monotonic()))
        if time.monotonic() >= self._mishap:
            self._mishap = self._next_mishap()
            kind = camera.random.choice(("stall", "no picture", "new size", "gone", "raises"))
            camera.mishaps[kind] += 1
            if kind == "stall":
                camera.stopping.wait(camera.random.uniform(0.2, LONGEST_STALL))
            elif kind == "no picture":
                return False, None
            elif kind == "new size":
                self._size = camera.random.randrange(len(SIZES))
            else:
                camera.breaks_off()
                if kind == "raises":
                    raise OSError("the device was pulled out")
                self._gone = True
        if self._gone:
            return False, None
        self._number += 1
        return True, camera.picture(self._size, self._number)

    def release(self) -> None:
        self._gone = True

    def _next_mishap(self) -> float:
        return time.monotonic() + self._camera.random.expovariate(1 / self._camera.every)
