"""The page, served to a browser by the project's own server; and a camera made from the shipped portrait."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from browser import absent, chromium

from blazeface.geometry import Image
from blazeface.web.address import add_address
from blazeface.web.runtime import VENDOR, how_to_get, missing_files
from blazeface.web.server import PageServer
from blazeface.web.site import make_site, shipped

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"

WIDTH, HEIGHT = 640, 480

READY = "document.body.dataset.ready === 'yes'"
"""What is true, in JavaScript, once the page has loaded its network."""

ACCENT = (0x4C, 0x8A, 0xFF)
"""The colour of what is drawn on faces, BGR; nothing in the portrait has it."""


def need_browser_and_runtime() -> None:
    """Skip (or fail, in `make browser-check`) without them."""
    chromium()
    if missing_files(VENDOR):
        absent(f"onnxruntime-web is not there: {how_to_get(VENDOR)}")


@contextmanager
def serve_page(for_phones: str | None = None) -> Iterator[tuple[str, Callable[[], None]]]:
    """The page's address, and what ends the server before the block does. for_phones: the address that it offers."""
    site = make_site(shipped(), VENDOR)
    if for_phones is not None:
        add_address(site, for_phones)
    with PageServer(site, "localhost", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def end() -> None:
            server.shutdown()
            server.server_close()

        try:
            yield f"http://localhost:{server.server_port}/", end
        finally:
            end()
            thread.join()


def still() -> Image:
    """The portrait as a camera's frame."""
    return scene(0.0)


def scene(shift: float) -> Image:
    """The portrait in a frame, moved to the right by `shift` pixels."""
    portrait = cv2.imread(str(PORTRAIT))
    assert portrait is not None
    matrix = np.array([[0.9, 0, 90 + shift], [0, 0.9, 10]])
    moved = cv2.warpAffine(portrait, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    return moved.astype(np.uint8)


def write_camera(path: Path, frames: int, shift: Callable[[int], float] = lambda n: 0.0) -> None:
    """A clip for Chromium's fake camera, which plays it for ever: YUV4MPEG2 at 30 frames a second, as it comes
    from a webcam; the scene is moved by shift(n) in frame n."""
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 Ip A1:1 C420jpeg\n".encode())
        for n in range(frames):
            file.write(b"FRAME\n" + cv2.cvtColor(scene(shift(n)), cv2.COLOR_BGR2YUV_I420).tobytes())


def write_video(path: Path, frames: int, shift: Callable[[int], float]) -> None:
    """A WebM file of the same scene, 20 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 20, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for n in range(frames):
        writer.write(scene(shift(n)))
    writer.release()


def sway(n: int) -> float:
    """40 pixels to either side within two seconds."""
    return 40 * math.sin(2 * math.pi * n / 60)
