"""What `data check` finds: counts, sizes, faults, look-alikes; and its files."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from wider_material import write_data

from blazeface.cli.main import run_command
from blazeface.data.check.counts import count, face_sizes
from blazeface.data.check.sheets import POINTS, TILE, around, draw_tile, label_sheet, tile_of
from blazeface.data.check.survey import look_at, same_pictures
from blazeface.data.check.suspicious import changed_over, doubtful, sidedness
from blazeface.data.crops import CropRecipe, views_for
from blazeface.data.samples import Sample
from blazeface.files.pictures import read_picture
from blazeface.models.network import build
from blazeface.models.weights import save_weights

ROOT = Path(__file__).parents[2]


def sample(boxes: Any, points: Any = None, seen: int = 2) -> Sample:
    count = len(boxes)
    keypoints = np.zeros((count, 6, 2), np.float32) if points is None else np.array(points, np.float32)
    visibility = np.full((count, 6), 0 if points is None else seen, np.uint8)
    return Sample(
        Path("a.jpg"), "", np.array(boxes, np.float32).reshape(-1, 4), keypoints, visibility, np.zeros(count, bool)
    )


UPRIGHT = [[[40, 50], [60, 50], [50, 60], [50, 70], [30, 52], [70, 52]]]
SQUARE = [[30, 30, 70, 75]]


def rolled(degrees: float) -> list[list[list[float]]]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows: list[list[list[float]]] = ((np.array(UPRIGHT) - 50) @ turn.T + 50).tolist()
    return rows


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270])
def test_right_and_left_are_told_at_any_roll(degrees: float) -> None:
    right = sample(SQUARE, rolled(degrees))
    wrong = sample(SQUARE, [[points[i] for i in (1, 0, 2, 3, 5, 4)] for points in rolled(degrees)])
    assert sidedness(right.keypoints, right.visibility)[0] > 0
    assert sidedness(wrong.keypoints, wrong.visibility)[0] < 0
    assert changed_over([right, wrong, wrong]) == (2, 3)


def test_sides_that_cannot_be_told() -> None:
    unknown = sample(SQUARE, UPRIGHT, seen=0)
    profile = sample(SQUARE, [[[50, 50], [50.5, 50], [45, 60], [50, 70], [0, 0], [0, 0]]])
    assert changed_over([unknown, profile, sample([])]) == (0, 0)


def test_doubtful_labels() -> None:
    rows = {
        "outside": [150.0, 10, 190, 50],
        "tiny": [10.0, 10, 12, 12],
        "whole": [0.0, 0, 100, 100],
        "long": [10.0, 10, 20, 50],
    }
    samples = [sample([box]) for box in rows.values()] + [sample(SQUARE, UPRIGHT)]
    found = doubtful(samples, [(100, 100)] * 5)
    assert [(doubt.kind, doubt.picture) for doubt in found] == [(kind, i) for i, kind in enumerate(rows)]
    assert doubtful(samples, [None] * 5) == []
    far = [[[40, 50], [60, 50], [50, 60], [50, 170], [30, 52], [70, 52]]]
    assert [doubt.kind for doubt in doubtful([sample(SQUARE, far)], [(100, 200)])] == ["points"]


def test_ignore_regions_are_not_doubted() -> None:
    region = sample([[150.0, 10, 190, 50]])
    region.ignore[:] = True
    assert doubtful([region], [(100, 100)]) == []


def test_sizes_in_the_input() -> None:
    """A face of 40 in a picture of 400 is 12.8 of 128; one of 8 is 2.56, but a view shows it at 2.5 times its size."""
    samples = [sample([[0, 0, 40, 40], [50, 50, 58, 58]]), sample([[0, 0, 1, 1]])]
    found = face_sizes(samples, [(400, 300), None], 128, CropRecipe())
    assert found.sizes.tolist() == pytest.approx([12.8, 2.56])
    assert found.magnified.tolist() == pytest.approx([100, 20])
    assert (found.small, found.lost) == (0.5, 0)
    assert [number for _, number in found.histogram()] == [0, 1, 0, 1, 0, 0, 0, 0]
    assert [name for name, _ in found.histogram()][::7] == ["0-2", "128-"]


def test_counts() -> None:
    found = count([sample(SQUARE, UPRIGHT), sample(SQUARE, UPRIGHT, seen=1), sample([])])
    assert (found.pictures, found.faceless, found.faces, found.with_eyes, found.predicted) == (3, 1, 2, 2, 1)


def test_look_alikes_are_found_whatever_their_size_format_or_mirror(tmp_path: Path) -> None:
    portrait = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    changed = {
        "same.png": portrait,
        "small.jpg": cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA),
        "mirrored.jpg": portrait[:, ::-1],
        "other.jpg": portrait[:200, 150:330],
        "flat.png": np.full((99, 99, 3), 80, np.uint8),
    }
    for name, image in changed.items():
        cv2.imwrite(str(tmp_path / name), image)
    looks = look_at([tmp_path / name for name in changed] + [tmp_path / "missing.jpg"], quiet=True)
    own = look_at([ROOT / "data" / "pictures" / "astronaut.png"])
    assert same_pictures(looks, own) == [(0, 0), (1, 0), (2, 0)]
    assert same_pictures(own, looks[3:]) == []
    assert [(look.missing, bool(look.fault)) for look in looks[4:]] == [(False, False), (True, True)]


def test_a_tile_shows_each_kind_of_label_in_its_colour() -> None:
    """Right red, left blue, nose and mouth yellow, a face green, an ignore region grey."""
    image = np.zeros((200, 200, 3), np.uint8)
    both = sample([[20, 20, 120, 120], [150, 150, 190, 190]], [[[x + 30, y] for x, y in UPRIGHT[0]]] * 2)
    both.ignore[1] = True
    tile = draw_tile(tile_of(image, both, "a"))
    scale = (TILE - 4) / 200

    def at(x: float, y: float) -> Any:
        return tile[2 + round(y * scale), 2 + round(x * scale)].tolist()

    assert at(70, 20) == pytest.approx([80, 220, 60], abs=30)  # the edge of a line is smoothed
    assert at(170, 150) == pytest.approx([150, 150, 150], abs=30)
    for (x, y), colour in zip(both.keypoints[0], POINTS, strict=True):
        assert at(x, y) == pytest.approx(colour, abs=30)
    sheet = label_sheet([tile_of(image, both, "a"), around(tile_of(image, both, "b", marked=0))], "title")
    assert sheet.shape == (26 + TILE + 18, 8 * TILE, 3)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a missing and a broken picture, a box outside, and a picture of val that is one of train."""
    data = write_data(tmp_path_factory.mktemp("spoilt") / "data", train=6, val=3)
    images = data / "WIDER_train" / "images" / "drawn"
    (images / "0.jpg").unlink()
    (images / "1.jpg").write_bytes(b"broken")
    (data / "WIDER_val" / "images" / "drawn" / "2.jpg").write_bytes((images / "4.jpg").read_bytes())
    labels = data / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    labels.write_text(labels.read_text() + "drawn/2.jpg\n1\n900 900 30 30 0 0 0 0 0 0\n")
    return data


def test_the_command(spoilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "check"
    assert run_command("data", ["check", str(spoilt), "--out", str(out), "--quiet"]) == 1
    said = capsys.readouterr().out
    images = spoilt / "WIDER_train" / "images" / "drawn"
    for line in (
        "train: wider, wider_face_split/wider_face_train_bbx_gt.txt",
        "  6 pictures, 0 of them without a face; 7 faces, 0% of them with eyes; 0 ignore regions",
        f"  missing: 1 of 6 pictures\n    {images}/0.jpg",
        f"  broken: 1 of 6 pictures\n    {images}/1.jpg: not a picture, or a damaged one",
        f"  listed twice: 1 of 6 pictures\n    {images}/2.jpg",
        f"  doubtful: 1 boxes, its middle lies outside of the picture: {images}/2.jpg, face 1",
        f"1 pictures of val look like one of train: {spoilt}/WIDER_val/images/drawn/2.jpg and {images}/4.jpg",
    ):
        assert line in said
    names = {"check.json", "sizes.png", "train.png", "val.png", "batches.png", "doubtful.png", "duplicates.png"}
    assert {path.name for path in out.iterdir()} == names
    numbers = json.loads((out / "check.json").read_text())
    assert numbers["train"]["faces"] == 7
    assert numbers["train"]["missing"] == [str(images / "0.jpg")]
    assert len(numbers["val_like_train"]) == 1
    for name in names - {"check.json"}:
        assert read_picture(str(out / name)).std() > 5


def test_good_data_is_status_0(tiny_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("data", ["check", str(tiny_data), "--quiet"]) == 0
    said = capsys.readouterr()
    assert "doubtful" not in said.out and said.err == ""


def test_no_face_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "data", train=2, val=1)
    (data / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text("drawn/0.jpg\n0\ndrawn/1.jpg\n0\n")
    assert run_command("data", ["check", str(data), "--quiet"]) == 1
    assert "training refuses this: no face is labelled in train" in capsys.readouterr().out


def test_without_what_training_needs_the_rest_is_written(tiny_data: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = sys.modules['matplotlib'] = None\n"
        "from blazeface.cli.main import run_command\n"
        f"sys.exit(run_command('data', ['check', {str(tiny_data)!r}, '--out', {str(tmp_path)!r}, '--quiet']))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert "batches are drawn with what training needs" in result.stdout
    assert "sizes.png is drawn with matplotlib" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"check.json", "train.png", "val.png"}


def test_training_says_it_short(tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from blazeface.data.samples import load_split
    from blazeface.training.preflight import tell_of_data

    samples = load_split(tiny_data, "train")
    wrong = [sample(SQUARE, [[points[i] for i in (1, 0, 2, 3, 5, 4)] for points in UPRIGHT])]
    tell_of_data(samples, wrong, 128, CropRecipe())
    said = capsys.readouterr()
    assert said.out.startswith(
        "train: 24 pictures, 0 of them without a face; 24 faces, 0% of them with eyes; 0 ignore"
    )
    assert said.err.startswith("val: right and left are changed over in 1 of 1 faces")


def test_sizes_are_those_in_the_input_of_the_model(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a named model, of weights of one's own, and what the network sees of it: the views of tiny-96 are square."""
    own = tmp_path / "own.safetensors"
    network = build("back-256")
    network.spec = dataclasses.replace(network.spec, name="mine")
    save_weights(network, own)
    for model, side in (("front-128", 128), ("back-256", 256), (str(own), 256), ("tiny-96", 96)):
        assert run_command("data", ["check", str(tiny_data), "--model", model, "--quiet"]) == 0
        assert capsys.readouterr().out.count(f"fills the input of {side} px") == 2
    assert run_command("data", ["check", str(tiny_data), "--model", "front-129", "--quiet"]) == 1
    assert "no shipped model has that name: did you mean front-128?" in capsys.readouterr().err
    assert views_for(CropRecipe(), 128, 16) == CropRecipe()
    assert views_for(CropRecipe(), 96, 16).shapes == ((8, 8, 1.0),)
