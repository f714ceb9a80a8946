"""Photograph the phone page as a phone of 360 pixels shows it, light and dark, for the README.

    python tools/photograph_page.py

Needs Chromium with its driver and the page's runtime (`make browser-check` says what is missing), and uses what the tests
of the page use: its server, a fake camera that shows the shipped portrait, and the driver. Writes docs/images/page.jpg.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "web")]

from page_driver import CAMERA, open_browser  # noqa: E402
from page_site import READY, serve_page, write_camera  # noqa: E402

from blazeface.files.pictures import write_picture  # noqa: E402
from blazeface.geometry import Image  # noqa: E402

OUT = ROOT / "docs" / "images" / "page.jpg"
WIDTH, HEIGHT = 360, 740
GAP = 24


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serve_page() as (address, _):
        clip = Path(folder) / "still.y4m"
        write_camera(clip, 2)
        shots = [photograph(address, clip, shade) for shade in ("light", "dark")]
    gap: Image = np.full((shots[0].shape[0], GAP, 3), 255, np.uint8)
    write_picture(OUT, np.hstack([shots[0], gap, shots[1]]).astype(np.uint8))


def photograph(address: str, clip: Path, shade: str) -> Image:
    with open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}") as tab:
        tab.size(WIDTH, HEIGHT, pixels=2, touch=True)
        scheme = [{"name": "prefers-color-scheme", "value": shade}]
        tab.command("Emulation.setEmulatedMedia", features=scheme)
        tab.open(address)
        tab.until(READY)
        tab.click("#camera")
        tab.until("document.body.innerText.includes('1 face in sight')")
        time.sleep(2)
        tab.js("window.scrollTo(0, 0)")
        shot = tab.screenshot()
    half: Image = cv2.resize(shot, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return half


if __name__ == "__main__":
    main()
