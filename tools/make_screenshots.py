"""Photograph the window of detect.py on a virtual screen, for the README: faces found, and faces hidden.

    python tools/make_screenshots.py

Needs Xvfb, xdotool and ImageMagick (Debian: apt-get install xvfb xdotool imagemagick). The clip is made from the
shipped portrait: two heads of different sizes that sway. Writes docs/images/window.jpg.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from blazeface.files.pictures import read_picture, write_picture
from blazeface.geometry import Image
from blazeface.sinks.video_writer import open_video_writer
from tools.virtual_display import virtual_display

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "images" / "window.jpg"
WIDTH, HEIGHT = 640, 360
FRAMES = 150
"""More than are played until the window is paused."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_video(folder / "clip.mp4")
        with virtual_display(WIDTH, HEIGHT) as display:
            environment = {**os.environ, "DISPLAY": display}
            command = [
                sys.executable,
                str(ROOT / "detect.py"),
                "--video",
                "clip.mp4",
                "--track",
                "--smooth",
                "--roi",
            ]
            program = subprocess.Popen([*command, "--quiet"], cwd=folder, env=environment)
            try:
                pictures = [photograph(folder, environment, keys) for keys in (["space"], ["b"])]
                press(environment, "q")
                program.wait(30)
            finally:
                program.kill()
    line = np.full((HEIGHT, 8, 3), 255, np.uint8)
    write_picture(OUT, np.hstack([pictures[0], line, pictures[1]]).astype(np.uint8))


def make_video(path: Path) -> None:
    portrait = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    with open_video_writer(path, WIDTH, HEIGHT, Fraction(25), Fraction(1, 25)) as writer:
        for n in range(FRAMES):
            turn = 2 * math.pi * n / 50
            frame = np.full((HEIGHT, WIDTH, 3), (96, 84, 70), np.uint8)
            paste(frame, mirrored, (485, 175), 0.4, 14 * math.sin(turn))
            paste(frame, portrait, (210 + 20 * math.sin(turn), 180), 0.66, 8 * math.cos(turn))
            writer.write(frame, Fraction(n, 25))


def paste(frame: Image, portrait: Image, middle: tuple[float, float], scale: float, degrees: float) -> None:
    """The portrait's middle, in an oval, turned, around a point of the frame."""
    half = portrait.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((half, half), degrees, scale)
    matrix[:, 2] += np.array(middle) - half
    oval = np.zeros(portrait.shape[:2], np.uint8)
    cv2.ellipse(oval, (round(half), round(half)), (round(half * 0.8), round(half * 0.98)), 0, 0, 360, 255, -1)
    size = (WIDTH, HEIGHT)
    there = cv2.warpAffine(cv2.GaussianBlur(oval, (0, 0), 3), matrix, size)[:, :, None] / 255
    moved = cv2.warpAffine(portrait, matrix, size, flags=cv2.INTER_AREA)
    frame[:] = np.rint(moved * there + frame * (1 - there)).astype(np.uint8)


def photograph(folder: Path, environment: dict[str, str], keys: list[str]) -> Image:
    """The screen, some seconds after the window is there and keys were pressed in it."""
    deadline = time.monotonic() + 120
    while subprocess.run([*SEARCH, "clip.mp4"], env=environment, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise SystemExit("the window did not open")
        time.sleep(0.5)
    time.sleep(1.5)
    for key in keys:
        press(environment, key)
    time.sleep(2)
    target = folder / f"screen-{keys[-1]}.png"
    subprocess.run(["import", "-window", "root", str(target)], env=environment, check=True)
    return read_picture(str(target))


SEARCH = ["xdotool", "search", "--name"]


def press(environment: dict[str, str], key: str) -> None:
    subprocess.run([*SEARCH, "clip.mp4", "key", key], env=environment, capture_output=True, check=True)


if __name__ == "__main__":
    main()
