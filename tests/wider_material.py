"""A tiny data folder in the WIDER FACE layout: drawn faces on noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_data(root: Path, train: int = 24, val: int = 8) -> Path:
    """Make the folder `root`, one drawn face a picture, labelled in WIDER's text; give it back."""
    rng = np.random.default_rng(0)
    (root / "wider_face_split").mkdir(parents=True)
    for split, count in (("train", train), ("val", val)):
        folder = root / f"WIDER_{split}" / "images" / "drawn"
        folder.mkdir(parents=True)
        lines = []
        for i in range(count):
            image = cv2.GaussianBlur(rng.integers(0, 160, (160, 200, 3), np.uint8), (0, 0), 3)
            x, y, side = int(rng.integers(10, 110)), int(rng.integers(10, 70)), int(rng.integers(40, 80))
            middle = (x + side // 2, y + side // 2)
            cv2.ellipse(image, middle, (side * 2 // 5, side // 2), 0, 0, 360, (150, 180, 230), -1)
            for dx in (-side // 6, side // 6):
                cv2.circle(image, (middle[0] + dx, middle[1] - side // 8), side // 14, (40, 30, 30), -1)
            cv2.ellipse(
                image, (middle[0], middle[1] + side // 5), (side // 7, side // 14), 0, 0, 360, (60, 60, 160), -1
            )
            cv2.imwrite(str(folder / f"{i}.jpg"), image)
            lines += [f"drawn/{i}.jpg", "1", f"{x} {y} {side} {side} 0 0 0 0 0 0"]
        text = "\n".join(lines) + "\n"
        (root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt").write_text(text)
    return root
