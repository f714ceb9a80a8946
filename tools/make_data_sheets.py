"""Draw docs/images/data-*: the sheets of `blazeface data check`, on a data folder made from the shipped portrait.

    python -m tools.make_data_sheets

The folder has labels in COCO's format; some of them are wrong, so that there is something to find.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeface.cli.main import run_command
from blazeface.files.pictures import read_picture, write_picture
from tools.make_pictures import FACE, HEAD, KEYPOINTS, PORTRAIT, Image

ROOT = Path(__file__).parents[1]
NAMES = ["right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear"]
CHANGED_OVER, OUTSIDE, AGAIN = 3, 8, 30
"""Pictures with right and left changed over, with a box beside the picture, and from which on those of val come again."""


def make_folder(root: Path, count: int = 40) -> Path:
    """A data folder with `count` pictures to train on and a tenth as many in val."""
    portrait = read_picture(str(PORTRAIT))
    for split, first, number in (("train", 0, count), ("val", AGAIN, count // 10)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        (root / split).mkdir(parents=True)
        for i in range(first, first + number):
            image, faces = one_picture(portrait, i)
            write_picture(root / split / f"{i:02d}.jpg", image)
            height, width = image.shape[:2]
            images.append({"id": i, "file_name": f"{i:02d}.jpg", "width": width, "height": height})
            for box, points in faces:
                flat = [value for x, y in points for value in (round(x, 1), round(y, 1), 2)]
                annotations.append(
                    {"id": len(annotations), "image_id": i, "category_id": 1, "bbox": box, "keypoints": flat}
                )
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "face", "keypoints": NAMES}],
        }
        (root / f"{split}.json").write_text(json.dumps(content))
    return root


def one_picture(portrait: Image, number: int) -> tuple[Image, list[tuple[list[float], list[tuple[float, float]]]]]:
    """A canvas with up to three heads on it, and box (x y w h) and points of each; the same again for the same number."""
    rng = np.random.default_rng(number)
    width, height = ((640, 480), (480, 640), (800, 450))[number % 3]
    small = rng.integers(60, 200, (6, 8, 3), np.uint8)
    canvas = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    x1, y1, x2, y2 = HEAD
    faces = []
    for column in range(int(rng.integers(0, 4))):
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(width / 3 / (x2 - x1)))))
        head = cv2.resize(portrait[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        head = head[:, ::-1] if (mirrored := bool(rng.integers(2))) else head
        left = column * width // 3 + int(rng.integers(0, max(1, width // 3 - head.shape[1])))
        top = int(rng.integers(0, max(1, height - head.shape[0])))
        canvas[top : top + head.shape[0], left : left + head.shape[1]] = head

        def placed(x: float, y: float) -> tuple[float, float]:
            across = (x2 - x if mirrored else x - x1) * scale  # noqa: B023
            return left + across, top + (y - y1) * scale  # noqa: B023

        points = [placed(x, y) for x, y in KEYPOINTS]
        if mirrored != (number == CHANGED_OVER):
            points = [points[i] for i in (1, 0, 2, 3, 5, 4)]
        (ax, ay), (bx, by) = placed(*FACE[:2]), placed(*FACE[2:])
        moved = width if number == OUTSIDE else 0.0
        faces.append(([min(ax, bx) + moved, ay, abs(bx - ax), by - ay], points))
    return canvas, faces


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        data, out = make_folder(Path(folder) / "photos"), Path(folder) / "check"
        run_command("data", ["check", str(data), "--out", str(out), "--quiet"])
        for name, rows in (("train", 2), ("batches", 3), ("doubtful", 1)):
            sheet = read_picture(str(out / f"{name}.png"))
            write_picture(ROOT / "docs" / "images" / f"data-{name}.jpg", sheet[: 26 + rows * 210])
