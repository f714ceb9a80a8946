"""The official files: predictions written and read, every malformed line named, and the command on them."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from small_network import small_network

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.evaluation.wider.files import read_prediction, read_predictions, read_truth, write_prediction
from blazeface.models.weights import save_weights

NAMES = {"0--A": ["0_A_1", "0_A_2"], "1--B": ["1_B_1"]}
BOXES = {"0_A_1": [[0, 0, 20, 20], [30, 30, 4, 4]], "0_A_2": [[5, 5, 10, 10]], "1_B_1": [[1, 2, 30, 40]]}


def cells(values: list[Any]) -> np.ndarray:
    column = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        column[i, 0] = value
    return column


def write_truth(folder: Path) -> Path:
    """Ground truth of three pictures in two events; only hard counts the small face."""
    folder.mkdir(parents=True)
    counted = {"easy": [1], "medium": [1], "hard": None}
    whole = {
        "event_list": cells(list(NAMES)),
        "file_list": cells([cells(names) for names in NAMES.values()]),
        "face_bbx_list": cells([cells([np.array(BOXES[n], np.int32) for n in names]) for names in NAMES.values()]),
    }
    savemat(folder / "wider_face_val.mat", whole)
    for subset, numbers in counted.items():
        lists = [
            cells([np.array(numbers or range(1, len(BOXES[n]) + 1), np.uint8)[:, None] for n in names])
            for names in NAMES.values()
        ]
        savemat(folder / f"wider_{subset}_val.mat", {"gt_list": cells(lists)})
    return folder


def write_perfect(folder: Path) -> Path:
    for event, names in NAMES.items():
        for name in names:
            boxes = np.array(BOXES[name], float)
            write_prediction(folder, event, name, np.column_stack([boxes, np.linspace(0.9, 0.5, len(boxes))]))
    return folder


def test_truth(tmp_path: Path) -> None:
    truths = read_truth(write_truth(tmp_path / "truth"))
    assert [(truth.event, truth.name) for truth in truths] == [
        ("0--A", "0_A_1"),
        ("0--A", "0_A_2"),
        ("1--B", "1_B_1"),
    ]
    assert truths[0].boxes.tolist() == BOXES["0_A_1"]
    assert truths[0].counted["easy"].tolist() == [True, False]
    assert truths[0].counted["hard"].tolist() == [True, True]


def test_written_and_read(tmp_path: Path) -> None:
    rows = np.array([[-1.25, 0, 3.5, 0, 0.75], [1e3, 2, 3, 4, 0.02]])
    write_prediction(tmp_path, "0--A", "0_A_1", rows)
    path = tmp_path / "0--A" / "0_A_1.txt"
    assert path.read_text().splitlines() == [
        "0_A_1",
        "2",
        "-1.250 0.000 3.500 0.000 0.750000",
        "1000.000 2.000 3.000 4.000 0.020000",
    ]
    np.testing.assert_array_equal(read_prediction(path), rows)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["p", "p.jpg", "event/p.jpg"])
def test_names_and_no_prediction(tmp_path: Path, name: str) -> None:
    path = tmp_path / "p.txt"
    path.write_text(f"{name}\n0\n")
    assert read_prediction(path).shape == (0, 5)


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("", 1, "expected the picture's name"),
        ("other\n0\n", 1, "found 'other'"),
        ("p\n", 2, "expected the number of predictions"),
        ("p\n-1\n", 2, "found '-1'"),
        ("p\n1\n", 2, "announces 1 predictions, but 0 follow"),
        ("p\n0\n1 2 3 4 .5\n", 2, "announces 0 predictions, but 1 follow"),
        ("p\n1\n1 2 3 4\n", 3, "expected `x y w h score`, found '1 2 3 4'"),
        ("p\n2\n1 2 3 4 .5\n1 2 3 four .5\n", 4, "found '1 2 3 four .5'"),
        ("p\n1\n1 2 3 4 nan\n", 3, "expected `x y w h score`"),
        ("p\n1\n1 2 -3 4 .5\n", 3, "expected `x y w h score`"),
    ],
)
def test_malformed_predictions(tmp_path: Path, text: str, line: int, fault: str) -> None:
    path = tmp_path / "p.txt"
    path.write_text(text)
    with pytest.raises(BlazeFaceError, match=re.escape(f"{path}:{line}: ") + ".*" + re.escape(fault)):
        read_prediction(path)


def test_a_missing_file_is_no_empty_one(tmp_path: Path) -> None:
    truths = read_truth(write_truth(tmp_path / "truth"))
    folder = write_perfect(tmp_path / "found")
    (folder / "0--A" / "0_A_2.txt").unlink()
    with pytest.raises(BlazeFaceError, match=r"0_A_2.txt: no such file; 1 of 3 pictures"):
        read_predictions(folder, truths)
    with pytest.raises(BlazeFaceError, match="no such folder"):
        read_predictions(tmp_path / "nowhere", truths)


def test_missing_damaged_and_foreign_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BlazeFaceError, match=r"wider_face_val.mat: no such file"):
        read_truth(tmp_path)
    folder = write_truth(tmp_path / "truth")
    easy = folder / "wider_easy_val.mat"
    whole = easy.read_bytes()
    for damaged in (b"", whole[:200], b"not a mat file" * 20):
        easy.write_bytes(damaged)
        with pytest.raises(BlazeFaceError, match=r"wider_easy_val.mat: not WIDER FACE's ground truth"):
            read_truth(folder)
    savemat(easy, {"gt_list": cells([cells([1])])})
    with pytest.raises(BlazeFaceError, match=r"wider_easy_val.mat: it is about other pictures"):
        read_truth(folder)
    easy.write_bytes(whole)
    absent = builtins.__import__

    def without_scipy(name: str, *args: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError("no scipy")
        return absent(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    with pytest.raises(BlazeFaceError, match=r"needs SciPy: run pip install -e '\.\[train\]'"):
        read_truth(folder)


def run(*flags: object) -> int:
    return run_command("evaluate", [str(flag) for flag in ("--protocol", "wider", *flags)])


def test_command_scores_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_truth(tmp_path / "wider_face_split")
    folder = write_perfect(tmp_path / "found")
    assert run("--data", tmp_path, "--predictions", folder) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}: 4 predictions in 3 pictures of WIDER FACE val",
        "",
        "easy    AP 1.0000  (3 faces)",
        "medium  AP 1.0000  (3 faces)",
        "hard    AP 1.0000  (4 faces)",
    ]


def test_command_detects_writes_and_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write_truth(tmp_path / "truth")
    model = tmp_path / "small.safetensors"
    save_weights(small_network(), model)
    flags = ("--data", tmp_path, "--truth", truth, "--model", model, "--out", tmp_path / "out")
    assert run(*flags) == 1
    assert "0_A_1.jpg: no such picture; 3 of 3 are missing" in capsys.readouterr().err
    rng = np.random.default_rng(3)
    for event, names in NAMES.items():
        (tmp_path / "WIDER_val" / "images" / event).mkdir(parents=True)
        for name in names:
            noise = rng.integers(0, 255, (64, 80, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "WIDER_val" / "images" / event / f"{name}.jpg"), noise)
    assert run(*flags) == 0
    files = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert files == ["0_A_1.txt", "0_A_2.txt", "1_B_1.txt"]
    assert "pictures of WIDER FACE val" in capsys.readouterr().out


def test_flags_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data", tmp_path) == 1
    assert "needs --predictions DIR, or --out DIR" in capsys.readouterr().err
    assert run("--data", tmp_path, "--predictions", tmp_path, "--limit", 5) == 1
    assert "leave out --split and --limit" in capsys.readouterr().err
    assert run_command("evaluate", ["--data", str(tmp_path), "--predictions", str(tmp_path)]) == 1
    assert "--predictions goes with --protocol wider" in capsys.readouterr().err
