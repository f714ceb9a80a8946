"""`blazeface segment` from labels to a file that `detect --background-blur` runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the train extra is not installed")
pytest.importorskip("torch", reason="the train extra is not installed")
sys.path.append(str(Path(__file__).parents[1]))

import cv2
import torch
from wider_material import write_data

from blazeface.cli.main import main
from blazeface.files.pictures import read_picture
from blazeface.models.light.segmenters import SEGMENT_SIZE, load_segmenter
from blazeface.privacy.background import BackgroundBlur


def drawn_faces(root: Path) -> Path:
    """Drawn faces with keypoints, as COCO."""
    write_data(root, train=6, val=3)
    (root / "keypoints").mkdir()
    for split in ("train", "val"):
        lines = (root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt").read_text().splitlines()
        images, faces = [], []
        for number, (name, numbers) in enumerate(zip(lines[::3], lines[2::3], strict=True)):
            x, y, side, _ = map(int, numbers.split()[:4])
            places = [(0.33, 0.37), (0.67, 0.37), (0.5, 0.5), (0.5, 0.7), (0.1, 0.45), (0.9, 0.45)]
            points = [value for u, v in places for value in (x + u * side, y + v * side, 2)]
            images.append({"id": number, "file_name": name, "width": 200, "height": 160})
            faces.append({"id": number, "image_id": number, "bbox": [x, y, side, side], "keypoints": points})
        text = json.dumps({"images": images, "annotations": faces})
        (root / "keypoints" / f"{split}.json").write_text(text)
    return root


@pytest.mark.parametrize("kind", ["dense", "light", "xception"])
def test_labels_become_a_file_that_blurs(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = drawn_faces(tmp_path / "data"), tmp_path / "run"
    status = main(["segment", "--data", str(data), "--out", str(out), "--kind", kind, "--epochs", "1"])
    assert "IoU of face pixels on 3 pictures of val" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert (report["kind"], report["train_pictures"], report["val_pictures"]) == (kind, 6, 3)
    assert status == (report["iou"] == 0)  # a network that finds no face pixel at all is no success
    assert 0 <= report["iou"] <= 1 and 0 < report["onnx_difference"] < 1e-4
    assert report["tflite_difference"] is None or (out / "segment.tflite").is_file()
    picture = read_picture(str(next((data / "WIDER_val").rglob("*.jpg"))))
    blur = BackgroundBlur(out / "segment.onnx")
    # The file's mask is that of the weights: 200 x 160 lies in 96 x 77 of the square, ten rows from the top.
    square = np.zeros((SEGMENT_SIZE, SEGMENT_SIZE, 3), np.uint8)
    double = cv2.resize(picture, (192, 154), interpolation=cv2.INTER_LINEAR)
    square[9:86] = cv2.resize(double, (96, 77), interpolation=cv2.INTER_AREA)
    planes = torch.from_numpy(square[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        mask = load_segmenter(out / "model.safetensors")(planes).softmax(dim=1)[0, 1, 9:86].numpy()
    expected = np.asarray(cv2.resize(mask, (200, 160)))
    np.testing.assert_allclose(blur.mask(picture), expected, atol=1e-4)
    assert blur(picture).shape == picture.shape


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--limit", "0"], "--limit must be 1 or more"), (["--epochs", "0"], "--epochs must be a whole number")],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", "--data", str(tmp_path), "--out", str(tmp_path / "x"), *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1
