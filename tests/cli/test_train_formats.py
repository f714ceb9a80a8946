"""A folder in each format trains, and ends with a model that finds a face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from label_material import FORMAT_OF, LAYOUTS, Marked, write_labels

from blazeface.cli.main import run_command
from blazeface.detector import FaceDetector
from blazeface.files.pictures import read_picture
from blazeface.geometry import box_iou
from tools.make_pictures import FACE, KEYPOINTS, PORTRAIT

FIVE = (*KEYPOINTS[:3], (KEYPOINTS[3][0] - 15, KEYPOINTS[3][1]), (KEYPOINTS[3][0] + 15, KEYPOINTS[3][1]))
"""Eyes, nose, and the corners of the mouth around its centre."""

WEIGHTS = Path(__file__).parents[2] / "blazeface" / "weights" / "front-128.safetensors"


def portraits(first: int, count: int) -> list[Marked]:
    """The shipped portrait at several sizes, and a plain picture."""
    portrait = read_picture(str(PORTRAIT))
    marked = [Marked(f"plain{first}.png", np.full((200, 300, 3), 60, np.uint8), ())]
    for i in range(first, first + count):
        scale = 0.5 + 0.05 * i
        image = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x1, y1, x2, y2 = (value * scale for value in FACE)
        points = tuple((x * scale, y * scale) for x, y in FIVE)
        marked.append(Marked(f"{i}.png", image, (((x1, y1, x2 - x1, y2 - y1), points),)))  # type: ignore[arg-type]
    return marked


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_format_trains_to_a_model_that_finds_a_face(layout: str, tmp_path: Path) -> None:
    data = write_labels(layout, tmp_path / "data", {"train": portraits(0, 11), "val": portraits(11, 3)})
    flags = [
        "--data",
        str(data),
        "--out",
        str(tmp_path / "run"),
        "--init",
        str(WEIGHTS),
        "--format",
        FORMAT_OF.get(layout, layout),
    ]
    flags += ["--category", "1"] if layout == "yolo_bare" else []
    quick = [
        "--epochs",
        "4",
        "--batch",
        "4",
        "--learning-rate",
        "0.0001",
        "--workers",
        "0",
        "--threads",
        "1",
        "--quiet",
    ]
    assert run_command("train", [*flags, *quick, "--evaluate-every", "9"]) == 0
    detector = FaceDetector(tmp_path / "run" / "model.onnx", threads=1)
    found = detector.detect(read_picture(str(PORTRAIT)))
    assert len(found) == 1
    assert box_iou(found.boxes, np.array([FACE], np.float32))[0, 0] > 0.5
