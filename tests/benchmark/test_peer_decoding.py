"""How the raw outputs of YuNet_n and CenterFace become faces: by hand, and on the shipped picture where the files are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.peers import centerface_native, yunet_n
from blazeface.evaluation.robustness.centred import ASTRONAUT
from blazeface.geometry import box_iou

ROOT = Path(__file__).parents[2]
FILES = ROOT.parent / "shared" / "peers"


def test_a_cell_of_yunet_n() -> None:
    # Column 3, row 2 at stride 8; the centre half a cell on, 16 wide and 32 high.
    cls, obj = np.array([[0.81], [1.2]]), np.array([[1.0], [0.0]])
    bbox = np.array([[0.5, 0.25, np.log(2), np.log(4)], [0, 0, 0, 0]])
    kps = np.array([[0, 0, 1, 0, 0.5, 0.5, 0, 1, 2, 1], [0] * 10])
    boxes, scores, points = yunet_n.decode(cls, obj, bbox, kps, np.array([[3.0, 2.0], [0.0, 0.0]]), 8, 0.5)
    assert scores == pytest.approx([0.9])
    assert boxes[0] == pytest.approx([28 - 8, 18 - 16, 28 + 8, 18 + 16])
    # Eyes, nose, and the middle between the mouth's corners.
    assert points[0] == pytest.approx(np.array([[24, 16], [32, 16], [28, 20], [32, 24]]))


def test_a_place_of_centerface() -> None:
    heat, scale, offset, points = (
        np.zeros((1, 4, 6)),
        np.zeros((2, 4, 6)),
        np.zeros((2, 4, 6)),
        np.zeros((10, 4, 6)),
    )
    heat[0, 2, 3], heat[0, 0, 0] = 0.9, 0.3
    scale[:, 2, 3] = np.log(5), np.log(4)  # height 20, width 16
    offset[:, 2, 3] = 0.25, -0.25  # down, right
    points[:, 2, 3] = [0.2, 0.1, 0.2, 0.9, 0.5, 0.5, 0.8, 0.25, 0.8, 0.75]  # y and x, five times
    boxes, scores, found = centerface_native.decode(heat, scale, offset, points, 0.5)
    assert scores.tolist() == [0.9]
    x, y = (3 - 0.25 + 0.5) * 4, (2 + 0.25 + 0.5) * 4
    assert boxes[0] == pytest.approx([x - 8, y - 10, x + 8, y + 10])
    expected = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.5], [0.5, 0.8]]
    assert found[0] == pytest.approx(np.array([[x - 8 + 16 * a, y - 10 + 20 * b] for a, b in expected]))


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (yunet_n, {"file": "yunet_n_dynamic.onnx", "size": 160}),
        (yunet_n, {"file": "yunet_n_dynamic.onnx", "size": None}),
        (centerface_native, {"file": "centerface.onnx"}),
    ],
)
def test_the_astronaut_is_found(module: object, options: dict[str, object]) -> None:
    file = FILES / str(options["file"])
    if not file.is_file():
        pytest.skip("needs the others' files beside the repository")
    image = cv2.imread(str(ROOT / "data" / "pictures" / "astronaut.png"))
    detector = module.open_detector({**options, "file": str(file), "threads": 1})  # type: ignore[attr-defined]
    boxes, scores, points = detector(image)
    assert scores[0] > 0.7 and (np.diff(scores) <= 0).all()
    assert box_iou(boxes[:1], np.array([ASTRONAUT]))[0, 0] > 0.6
    assert points.shape == (len(boxes), 4, 2)
    assert points[0] == pytest.approx(np.array([[205, 98], [248, 103], [224, 132], [222, 147]]), abs=9)
