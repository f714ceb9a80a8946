"""`detect` with a network of other keypoints than the usual six: every output calls them by their own names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_network import small_network

from blazeface.cli.main import main
from blazeface.models.network import BlazeFace
from blazeface.models.weights import save_weights

ASTRONAUT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"
FIVE = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")


def network_with(names: tuple[str, ...], path: Path) -> str:
    """A file of a network without training, which takes anything for a face."""
    network = small_network()
    save_weights(BlazeFace(replace(network.spec, keypoint_names=names), network.layout), path)
    return str(path)


@pytest.mark.parametrize("names", [(), ("nose_tip",), FIVE, tuple(f"p{n}" for n in range(8))], ids=len)
def test_files_call_the_keypoints_as_the_network_does(names: tuple[str, ...], tmp_path: Path) -> None:
    model = network_with(names, tmp_path / "own.safetensors")
    files = [str(tmp_path / name) for name in ("faces.csv", "faces.coco.json", "crops")]
    flags = [
        "--score-threshold",
        "0.001",
        "--csv",
        files[0],
        "--coco",
        files[1],
        "--crop",
        files[2],
        "--no-window",
    ]
    assert main(["detect", str(ASTRONAUT), "--model", model, *flags]) == 0
    head, *rows = Path(files[0]).read_text().splitlines()
    assert head.split(",")[11:] == [f"{name}_{axis}" for name in names for axis in "xy"]
    assert rows and all(row.count(",") == head.count(",") for row in rows)
    coco = json.loads(Path(files[1]).read_text())
    assert coco["categories"][0]["keypoints"] == list(names)
    assert {len(face["keypoints"]) for face in coco["annotations"]} == {3 * len(names)}
    assert len(list(Path(files[2]).iterdir())) == len(rows)


def test_keypoints_cannot_be_refined_without_eyes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = network_with(("nose_tip",), tmp_path / "own.safetensors")
    assert main(["detect", str(ASTRONAUT), "--model", model, "--refine", "--json", str(tmp_path / "x.json")]) == 1
    assert "finds no right_eye and left_eye" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()
