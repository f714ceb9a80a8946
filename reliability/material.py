"""Small things to work on: a network that trains and exports in a second, drawn faces with labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from blazeface.geometry import Image
from blazeface.models.layouts import Block, Layout
from blazeface.models.network import BlazeFace
from blazeface.spec import AnchorMap, ModelSpec


def tiny_network(seed: int) -> BlazeFace:
    """32 x 32 pixels, 144 anchors, blocks of both kinds."""
    spec = ModelSpec("tiny", 32, (AnchorMap(8, (0.2, 0.4)), AnchorMap(4, (0.8,))), decode_scale=32.0)
    blocks = (Block(8, stride=2, feeds_head=True), Block(12, stride=2, bottleneck=6, feeds_head=True))
    torch.manual_seed(seed)
    return BlazeFace(spec, Layout(8, 3, blocks)).eval()


def drawn_face(rng: np.random.Generator) -> tuple[Image, tuple[int, int, int]]:
    """A picture of 96 x 128 with an oval that has two eyes, and the face's x, y and side."""
    image = cv2.GaussianBlur(rng.integers(0, 160, (96, 128, 3), np.uint8), (0, 0), 2)
    side = int(rng.integers(30, 60))
    x, y = int(rng.integers(0, 128 - side)), int(rng.integers(0, 96 - side))
    middle = (x + side // 2, y + side // 2)
    cv2.ellipse(image, middle, (side * 2 // 5, side // 2), 0, 0, 360, (150, 180, 230), -1)
    for dx in (-side // 6, side // 6):
        cv2.circle(image, (middle[0] + dx, middle[1] - side // 8), max(1, side // 14), (40, 30, 30), -1)
    return image, (x, y, side)  # type: ignore[return-value]


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), drawn_face(rng)[0])
    return folder


def write_data(root: Path, train: int = 12, val: int = 4) -> Path:
    """A data folder in the WIDER FACE layout."""
    rng = np.random.default_rng(0)
    (root / "wider_face_split").mkdir(parents=True)
    for split, count in (("train", train), ("val", val)):
        folder = root / f"WIDER_{split}" / "images" / "drawn"
        folder.mkdir(parents=True)
        lines = []
        for number in range(count):
            image, (x, y, side) = drawn_face(rng)
            cv2.imwrite(str(folder / f"{number}.jpg"), image)
            lines += [f"drawn/{number}.jpg", "1", f"{x} {y} {side} {side} 0 0 0 0 0 0"]
        text = "\n".join(lines) + "\n"
        (root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt").write_text(text, encoding="utf-8")
    return root
