"""`detect` with the shipped weights on real faces."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from blazeface import FaceDetector
from blazeface.cli.main import run_command
from blazeface.files.pictures import read_picture
from blazeface.geometry import box_iou

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "data" / "pictures" / "astronaut.png"
VIDEOS = ROOT / ".." / "shared" / "videos"

FACE = np.array([[170, 65, 280, 200]], np.float32)
"""Around the face of the astronaut picture, by eye."""
POINTS = np.array(runpy.run_path(str(ROOT / "tools" / "make_pictures.py"))["KEYPOINTS"][:4], np.float32)
"""Right eye, left eye, nose tip and mouth centre."""


def detect(capsys: pytest.CaptureFixture[str], *args: object) -> list[dict[str, Any]]:
    """What `detect` prints for these arguments."""
    assert run_command("detect", [*map(str, args), "--quiet", "--json", "-"], prog="detect.py") == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def check_face(face: dict[str, Any], scale: float = 1.0) -> None:
    assert box_iou(np.array([face["box"]], np.float32) / scale, FACE)[0, 0] > 0.5
    points = np.array(face["keypoints"]) / scale
    assert points.shape == (6, 2)
    np.testing.assert_allclose(points[:4], POINTS, atol=12)
    right_ear, left_ear = points[4:]
    assert right_ear[0] < points[0, 0] < points[1, 0] < left_ear[0]


def test_the_demo_picture_has_exactly_one_face(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = detect(capsys, ASTRONAUT)
    assert (record["width"], record["height"]) == (512, 512)
    (face,) = record["faces"]
    assert face["score"] > 0.5
    check_face(face)


@pytest.mark.parametrize("scale", [0.5, 2.0, 6.0])
def test_the_size_of_the_picture_does_not_matter(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scale: float
) -> None:
    image = cv2.resize(read_picture(str(ASTRONAUT)), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "a.jpg"), image)
    (record,) = detect(capsys, tmp_path / "a.jpg")
    check_face(record["faces"][0], scale)


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_every_kind_of_picture_shows_the_same_face(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, mode: str
) -> None:
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.open(ASTRONAUT).convert("RGB").convert(mode).save(path)
    (record,) = detect(capsys, path)
    check_face(record["faces"][0])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_picture_stored_on_its_side_is_seen_upright(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, orientation: int
) -> None:
    turned = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.open(ASTRONAUT).convert("RGB").transpose(turned[orientation])
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    (record,) = detect(capsys, tmp_path / "a.jpg")
    check_face(record["faces"][0])


def test_both_backends_agree(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    (first,) = detect(capsys, ASTRONAUT)
    (second,) = detect(capsys, ASTRONAUT, "--backend", "torch")
    assert len(first["faces"]) == len(second["faces"])
    for one, other in zip(first["faces"], second["faces"], strict=True):
        np.testing.assert_allclose(one["box"], other["box"], atol=0.05)
        np.testing.assert_allclose(one["keypoints"], other["keypoints"], atol=0.05)
        assert one["score"] == pytest.approx(other["score"], abs=2e-4)


def test_a_batch_is_the_same_as_one_by_one() -> None:
    image = read_picture(str(ASTRONAUT))
    pictures = [image, image[:300, 100:], image[::2, ::2], np.zeros((40, 90, 3), np.uint8)]
    detector = FaceDetector()
    for picture, faces in zip(pictures, detector.detect_batch(pictures), strict=True):
        alone = detector.detect(picture)
        assert len(alone) == len(faces)
        np.testing.assert_allclose(alone.boxes, faces.boxes, atol=1e-2)
        np.testing.assert_allclose(alone.scores, faces.scores, atol=1e-5)


def test_detecting_loads_neither_torch_nor_albumentations(tmp_path: Path) -> None:
    program = f"""
import sys
from blazeface.cli.main import run_command
assert run_command("detect", [{str(ASTRONAUT)!r}, "--output", {str(tmp_path / "a.png")!r}, "--json", "-"]) == 0
print(sorted({{"torch", "albumentations", "matplotlib", "onnx", "safetensors"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_door_script(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "detect.py", ASTRONAUT, "--output", tmp_path / "a.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    assert run.stderr.startswith("1 picture, 1 with a face, in ")
    before, after = read_picture(str(ASTRONAUT)), read_picture(str(tmp_path / "a.png"))
    assert before.shape == after.shape
    assert (before[:60, 300:] == after[:60, 300:]).all()
    assert (before[65:200, 170:280] != after[65:200, 170:280]).any()


@pytest.mark.slow
@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the shared videos are not beside this repository")
@pytest.mark.parametrize("name", ["webcam-a.mp4", "webcam-b.mp4"])
def test_a_person_at_a_webcam_is_seen_in_nearly_every_frame(tmp_path: Path, name: str) -> None:
    out, lines = tmp_path / "out.mp4", tmp_path / "f.jsonl"
    flags = ["--video", VIDEOS / name, "--output", out, "--json", lines, "--no-window", "--quiet"]
    assert run_command("detect", [str(flag) for flag in flags]) == 0
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    source, copy = cv2.VideoCapture(str(VIDEOS / name)), cv2.VideoCapture(str(out))
    for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
        assert source.get(key) == copy.get(key)
    assert len(records) == source.get(cv2.CAP_PROP_FRAME_COUNT)
    assert [record["index"] for record in records] == list(range(len(records)))
    # front-128 gives a few frames of webcam-b .44 to .50, under its threshold: its scores are those of sharp boxes.
    assert sum(bool(record["faces"]) for record in records) >= 0.97 * len(records)


def test_a_panorama_wider_than_opencv_warps_gives_crops_and_sharp_keypoints(tmp_path: Path) -> None:
    portrait = cv2.imread(str(ASTRONAUT))
    assert portrait is not None
    wide = np.full((512, 33_000, 3), 90, np.uint8)
    wide[:, 32_400:32_912] = portrait
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    cv2.imwrite(str(tmp_path / "narrow.png"), portrait)
    rows = {}
    for name, flags in (("wide", ["--min-face", "60"]), ("narrow", [])):
        out = ["--crop", str(tmp_path / name), "--json", str(tmp_path / f"{name}.json"), "--refine", "--quiet"]
        assert run_command("detect", [str(tmp_path / f"{name}.png"), *flags, *out]) == 0
        (rows[name],) = json.loads((tmp_path / f"{name}.json").read_text())
    (there,), (here,) = rows["wide"]["faces"], rows["narrow"]["faces"]
    moved = np.array(there["keypoints"]) - [32_400, 0]
    np.testing.assert_allclose(moved, here["keypoints"], atol=3)
    wide_crop, narrow_crop = (
        FaceDetector().detect(next((tmp_path / name).iterdir())) for name in ("wide", "narrow")
    )
    # A pixel of the picture is about one and a half of a crop.
    np.testing.assert_allclose(wide_crop.keypoints[0, :4], narrow_crop.keypoints[0, :4], atol=10)
