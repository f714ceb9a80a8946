"""Make pictures and a video with known faces from the shipped portrait.

    python tools/make_pictures.py FOLDER

writes crowd.jpg (faces of 5 to 14 % of the width on one canvas), size-05.jpg to size-60.jpg (one face of 5 to
60 % of the side each), pan.avi (the portrait seen through a moving window) and truth.json: for each picture the
list of its boxes x1 y1 x2 y2 in pixels, for the video one such list a frame.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PORTRAIT = Path(__file__).parents[1] / "data" / "pictures" / "astronaut.png"

FACE = (178.0, 73.0, 275.0, 170.0)
"""The face in the portrait: a square from the hair to the chin, laid around the keypoints by the rule of the
data that front-128 was trained on."""

KEYPOINTS = ((203.3, 100.8), (246.5, 103.3), (223.8, 126.3), (224.5, 145.0), (178.8, 122.5), (271.0, 126.0))
"""Right eye, left eye, nose tip, mouth centre, right ear, left ear in the portrait, measured by eye in an
enlargement; the eyes to a pixel, the ears, which hair half covers, to about five."""

HEAD = (96, 0, 352, 256)
"""Head and shoulders: what is pasted where several faces share a canvas."""

CROWD = (0.05, 0.07, 0.1, 0.14)
SIZES = (0.05, 0.1, 0.2, 0.4, 0.6)
FRAMES, PAN, RATE = 60, 2, 30
"""Length of the video, pixels the window moves per frame, frames per second."""

Image = NDArray[np.uint8]
Box = list[float]


def crowd(portrait: Image) -> tuple[Image, list[Box]]:
    """Heads side by side, from small to large, on a plain canvas of 1280 x 720."""
    canvas = np.full((720, 1280, 3), 120, np.uint8)
    x1, y1, x2, y2 = HEAD
    boxes, left = [], 20
    for size in CROWD:
        scale = size * canvas.shape[1] / (FACE[2] - FACE[0])
        head = cv2.resize(portrait[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top = (720 - head.shape[0]) // 2
        canvas[top : top + head.shape[0], left : left + head.shape[1]] = head
        corners = [(FACE[i] - HEAD[i % 2]) * scale for i in range(4)]
        boxes.append([corners[0] + left, corners[1] + top, corners[2] + left, corners[3] + top])
        left += head.shape[1] + 10
    return canvas, boxes


def one_face(portrait: Image, size: float) -> tuple[Image, list[Box]]:
    """The portrait scaled so that its face takes `size` of the side of 512 x 512, in the middle."""
    scale = size * 512 / (FACE[2] - FACE[0])
    middle = np.array([(FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2])
    shift = 256 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # OpenCV counts from pixel centres.
    matrix[:, 2] += scale * 0.5 - 0.5
    small = scale < 0.5
    source = cv2.GaussianBlur(portrait, (0, 0), 0.4 / scale) if small else portrait
    image = cv2.warpAffine(source, matrix, (512, 512), borderValue=(120, 120, 120))
    return image.astype(np.uint8), [[FACE[i] * scale + shift[i % 2] for i in range(4)]]


def pan(portrait: Image) -> tuple[list[Image], list[list[Box]]]:
    """A window of 320 x 240 that moves right over the portrait, so that the face moves left."""
    frames, truth = [], []
    for index in range(FRAMES):
        left, top = 20 + PAN * index, 30
        frames.append(portrait[top : top + 240, left : left + 320])
        truth.append([[FACE[0] - left, FACE[1] - top, FACE[2] - left, FACE[3] - top]])
    return frames, truth


def main(folder: Path) -> None:
    portrait = cv2.imread(str(PORTRAIT))
    if portrait is None:
        sys.exit(f"{PORTRAIT}: missing or not a picture")
    picture = portrait.astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    truth: dict[str, object] = {}
    pictures = {"crowd.jpg": crowd(picture)}
    pictures |= {f"size-{round(100 * size):02d}.jpg": one_face(picture, size) for size in SIZES}
    for name, (image, boxes) in pictures.items():
        cv2.imwrite(str(folder / name), image)
        truth[name] = boxes
    frames, truth["pan.avi"] = pan(picture)
    video = cv2.VideoWriter(str(folder / "pan.avi"), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (320, 240))
    for frame in frames:
        video.write(frame)
    video.release()
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER")
    main(Path(sys.argv[1]))
