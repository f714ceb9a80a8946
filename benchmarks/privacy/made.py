"""Made clips with known truth: one face, cut from data/pictures/astronaut.png, comes, goes, crosses, turns and blurs.

Nothing in them is random but the texture behind, which is drawn from a fixed seed. Each has what detectors are known to lose:
faces that are half in the picture, in front of each other, turned away, out of focus, far away, shaken, in the dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.files.pictures import read_picture
from blazeface.geometry import Image

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
FACE = (176.0, 54.0, 274.0, 166.0)
"""Forehead to chin and ear to ear in the portrait, looked at by eye."""

HEAD = (225.0, 104.0, 78.0, 92.0)
"""The ellipse that is cut out: middle and half axes, hair and neck included."""

WIDTH, HEIGHT, RATE, COUNT = 640, 360, 25, 100
VISIBLE = 1 / 3
"""A face counts from the frame on in which this share of its box lies in the picture."""

TURNED = 0.45
"""And while its width is at least this share of that of a frontal one: narrower ones show the back of the head."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pose:
    """One face in one frame: middle and height of its box in pixels, width as a share of a frontal one's, standard
    deviation of its blur in its heights, brightness.
    """

    x: float
    y: float
    side: float
    width: float = 1.0
    blur: float = 0.0
    light: float = 1.0
    mirrored: bool = False

    @property
    def box(self) -> Box:
        half = self.side * self.width * (FACE[2] - FACE[0]) / (FACE[3] - FACE[1]) / 2
        return self.x - half, self.y - self.side / 2, self.x + half, self.y + self.side / 2

    @property
    def counts(self) -> bool:
        x1, y1, x2, y2 = self.box
        across = max(0.0, min(x2, WIDTH) - max(x1, 0.0)) / (x2 - x1)
        down = max(0.0, min(y2, HEIGHT) - max(y1, 0.0)) / (y2 - y1)
        return self.width >= TURNED and across * down >= VISIBLE


def smooth(n: int, first: int, last: int) -> float:
    """0 before `first`, 1 after `last`, a cosine between."""
    return (1 - cos(pi * min(max((n - first) / (last - first), 0.0), 1.0))) / 2


CLIPS: dict[str, Callable[[int], list[Pose]]] = {
    "entering": lambda n: [Pose(-60 + 4.5 * n, 180, 90)],
    "leaving": lambda n: [Pose(330 + 4 * max(0, n - 20), 170 - 0.5 * n, 80)],
    "crossing": lambda n: [Pose(150 + 3.4 * n, 178, 84), Pose(490 - 3.4 * n, 186, 92, mirrored=True)],
    "turning": lambda n: [Pose(240 + 1.5 * n, 180, 110, width=1 - 0.8 * (smooth(n, 25, 40) - smooth(n, 65, 80)))],
    "blurred": lambda n: [Pose(150 + 3 * n, 170, 90, blur=0.12 * (smooth(n, 30, 40) - smooth(n, 60, 70)))],
    "far": lambda n: [Pose(200 + 2 * n, 120, 22), Pose(420 - n, 220, 28, mirrored=True)],
    "shaken": lambda n: [Pose(320 + 45 * sin(n * 0.9), 180 + 25 * sin(n * 1.3), 80, blur=0.03)],
    "dark": lambda n: [Pose(280 + n, 190, 90, light=1 - 0.85 * (smooth(n, 30, 40) - smooth(n, 60, 70)))],
    "approaching": lambda n: [Pose(320, 180, 20 * 1.028**n)],
}
"""The faces of each frame of a clip, the hindmost first."""


def truth_of(clip: str) -> list[list[Box]]:
    """The boxes of each frame's faces that count; one that another hides by more than half does not."""
    found = []
    for n in range(COUNT):
        poses = CLIPS[clip](n)
        found.append([p.box for i, p in enumerate(poses) if p.counts and not _hidden(p, poses[i + 1 :])])
    return found


def frames_of(clip: str) -> Iterator[Image]:
    """BGR pictures (HEIGHT, WIDTH, 3)."""
    portrait = read_picture(str(PORTRAIT))
    back = background()
    for n in range(COUNT):
        image = back.copy()
        for pose in CLIPS[clip](n):
            image = with_face(image, portrait, pose)
        yield image


def with_face(image: Image, portrait: Image, pose: Pose) -> Image:
    """A picture with the head of the portrait in front."""
    zoom = pose.side / (FACE[3] - FACE[1])
    across = zoom * pose.width * (-1 if pose.mirrored else 1)
    middle = (FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2
    matrix = np.array([[across, 0, pose.x - across * middle[0]], [0, zoom, pose.y - zoom * middle[1]]])
    mask = np.zeros(portrait.shape[:2], np.float32)
    axes = round(HEAD[2]), round(HEAD[3])
    cv2.ellipse(mask, (round(HEAD[0]), round(HEAD[1])), axes, 0, 0, 360, 1.0, cv2.FILLED, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)  # type: ignore[assignment]
    size = image.shape[1], image.shape[0]
    fine = portrait if zoom > 0.5 else cv2.GaussianBlur(portrait, (0, 0), 0.4 / zoom)
    if pose.width < TURNED:  # the back of the head: the colour of the hair
        fine = np.full_like(portrait, (38, 46, 62))
    head = cv2.warpAffine(fine, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)
    if pose.blur > 0:
        head = cv2.GaussianBlur(head, (0, 0), max(0.3, pose.blur * pose.side))
        share = cv2.GaussianBlur(share, (0, 0), max(0.3, pose.blur * pose.side))
    mixed = image * (1 - share[..., None]) + head * np.float32(pose.light) * share[..., None]
    return mixed.round().clip(0, 255).astype(np.uint8)


def background() -> Image:
    """Soft blotches of colour, in which nothing looks like a face."""
    rng = np.random.default_rng(16)
    coarse = rng.uniform(40, 200, (5, 8, 3)).astype(np.float32)
    fine: NDArray[np.float32] = rng.normal(0, 6, (HEIGHT, WIDTH, 3)).astype(np.float32)
    return (
        (cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) + fine).clip(0, 255).astype(np.uint8)
    )


def _hidden(pose: Pose, before: list[Pose]) -> bool:
    x1, y1, x2, y2 = pose.box
    for other in before:
        a1, b1, a2, b2 = other.box
        across, down = max(0.0, min(x2, a2) - max(x1, a1)), max(0.0, min(y2, b2) - max(y1, b1))
        if across * down > 0.5 * (x2 - x1) * (y2 - y1):
            return True
    return False
