"""Folders with pictures and videos, pictures that move, names of cameras, and odd places, through the command."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from test_detect import Detect, detect, frames_of, made, red_picture, red_video  # noqa: F401 (fixtures)

from blazeface.files.pictures import read_picture
from blazeface.geometry import LONGEST_WARPED, warp_affine
from blazeface.sources import inputs


def reds(path: Path, count: int = 4) -> Path:
    frames = []
    for n in range(count):
        image = np.full((60, 80, 3), 90, np.uint8)
        image[20:40, 10 + 5 * n : 30 + 5 * n] = (255, 0, 0)
        frames.append(Image.fromarray(image))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    return path


def test_a_folder_with_pictures_and_videos_is_done_whole(tmp_path: Path, detect: Detect) -> None:  # noqa: F811
    red_picture(tmp_path / "in" / "a.png")
    red_video(tmp_path / "in" / "b.mp4", count=5)
    (tmp_path / "in" / "code.ts").write_text("const a = 1;")
    flags = (
        "--output",
        tmp_path / "out",
        "--jsonl",
        tmp_path / "f.jsonl",
        "--blur",
        "solid",
        "--no-window",
        "--quiet",
    )
    assert detect(tmp_path / "in", *flags) == 0
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [(Path(line["source"]).name, line["index"]) for line in lines] == [
        ("a.png", 0),
        *(("b.mp4", n) for n in range(5)),
    ]
    assert frames_of(tmp_path / "out" / "b.mp4") == 5
    assert not (read_picture(str(tmp_path / "out" / "a.png"))[..., 2] > 170).any()


def test_videos_that_a_run_over_many_leaves_out_are_named(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.open(Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png").resize((64, 64)).save(
        tmp_path / "a.png"
    )
    for name in ("b.mp4", "c.mov"):
        red_video(tmp_path / name, count=2)
    seen: list[str] = []
    found = list(inputs.pictures_in([str(tmp_path)], lambda fault: None, seen.append))
    assert found == [str(tmp_path / "a.png")]
    assert seen == [f"{tmp_path}: 2 videos are left out: --jobs reads pictures alone"]


def test_all_frames_of_an_animation_are_done_and_as_a_picture_the_rest_is_named(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("av")
    path = reds(tmp_path / "a.gif")
    flags = ("--blur", "solid", "--no-window", "--quiet")
    assert detect("--video", path, "--output", tmp_path / "b.mp4", *flags) == 0
    assert frames_of(tmp_path / "b.mp4") == 4
    assert capsys.readouterr().err == ""
    assert detect(path, "--output", tmp_path / "c.png", "--quiet") == 0
    assert capsys.readouterr().err == f"{path}: the first of its frames is read; --video reads all of them\n"
    assert detect(path, "--output", tmp_path / "e.png", *flags) == 1
    assert "of which one alone would be covered: --video covers all of them" in capsys.readouterr().err
    assert detect("--video", path, "--output", tmp_path / "d.gif", *flags) == 2
    assert "a video cannot be written as .gif" in capsys.readouterr().err


def test_what_copies_of_pictures_lose_is_said_once(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGBA", (60, 40), (9, 9, 9, 100)).save(tmp_path / "in" / name)
    assert detect(tmp_path / "in", "--output", tmp_path / "out", "--quiet") == 0
    assert capsys.readouterr().err == (
        f"{tmp_path / 'in' / 'a.png'}: its transparency is left out of the copy (and so of others of this run, if any)\n"
    )


def test_a_camera_by_its_link_and_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "usb-Webcam_C920-video-index0").symlink_to("/dev/video7")
    item = inputs.find_input(str(tmp_path / "usb-Webcam_C920-video-index0"))
    assert (item.kind, item.name, item.address) == ("camera", "cam7", "7")
    for number, name in ((10, "Other"), (2, "HD Webcam C920"), (3, "HD Webcam C920")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(f"{name}\n")
    monkeypatch.setattr(inputs, "CAMERA_NAMES", str(tmp_path))
    assert inputs.find_input("hd webcam c920").name == "cam2"
    assert inputs.find_input("Other").name == "cam10"


def test_pictures_are_read_without_any_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = red_picture(tmp_path / "a.png")
    expected = read_picture(str(path))

    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert (read_picture(str(path)) == expected).all()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert (read_picture(str(path)) == expected).all()


@pytest.mark.parametrize(("width", "zoom"), [(33_000, 1.0), (70_000, 1.0), (70_000, 1 / 400)])
def test_pictures_of_any_width_are_warped_as_a_small_part_of_them_is(width: int, zoom: float) -> None:
    random = np.random.default_rng(6)
    coarse = random.integers(0, 255, (4, width // 500, 3), np.uint8)
    image = cv2.resize(coarse, (width, 60), interpolation=cv2.INTER_CUBIC)
    assert width > LONGEST_WARPED
    center = np.array([width - 400.0, 30.0])
    turn = zoom * np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    matrix = np.hstack([turn, (np.array([60, 20]) - turn @ center)[:, None]])
    found = warp_affine(image, matrix, 120, 40)  # type: ignore[arg-type]
    ys, xs = np.mgrid[:40, :120]
    back = np.linalg.inv(turn)
    where = (np.stack([xs, ys], axis=-1) - matrix[:, 2]) @ back.T
    nearest = np.round(where).astype(int)
    inside = ((nearest >= 2) & (nearest < [width - 2, 58])).all(axis=-1)
    assert inside.sum() > (500 if zoom == 1 else 5)
    expected = image[nearest[inside][:, 1], nearest[inside][:, 0]]
    assert abs(found[inside].astype(int) - expected).mean() < 4
    assert not found[(np.abs(where - np.clip(where, 0, [width, 60])) > 5 / zoom).any(axis=-1)].any()
