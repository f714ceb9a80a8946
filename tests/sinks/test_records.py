"""The JSON contract, to the letter."""

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.sinks.records import json_file, print_record, record
from blazeface.sources.frames import Frame

FACES = Detections(
    np.array([[10.123456, 20, 30, 40.5]], np.float32),
    np.array([0.98768], np.float32),
    np.array([[[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12.25]]], np.float32),
)
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 3, Fraction(1001, 10000), "source.mp4")
EXPECTED = {
    "source": "source.mp4",
    "index": 3,
    "time": 0.1001,
    "width": 64,
    "height": 48,
    "faces": [
        {
            "box": [10.12, 20.0, 30.0, 40.5],
            "score": 0.9877,
            "keypoints": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0], [11.0, 12.25]],
        }
    ],
}


def test_one_record() -> None:
    assert record(FRAME, FACES) == EXPECTED
    assert list(record(FRAME, FACES)) == ["source", "index", "time", "width", "height", "faces"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_and_lines(tmp_path: Path, count: int) -> None:
    for name in ("f.json", "f.jsonl"):
        with json_file(tmp_path / name) as write:
            for _ in range(count):
                write(FRAME, FACES)
    assert json.loads((tmp_path / "f.json").read_text()) == [EXPECTED] * count
    lines = (tmp_path / "f.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [EXPECTED] * count
    assert sorted(os.listdir(tmp_path)) == ["f.json", "f.jsonl"]


def test_an_exception_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text("old")
    with pytest.raises(RuntimeError), json_file(tmp_path / "f.json") as write:
        write(FRAME, FACES)
        raise RuntimeError
    assert os.listdir(tmp_path) == ["f.json"]
    assert (tmp_path / "f.json").read_text() == "old"


def test_nothing_shows_under_the_name_before_the_end(tmp_path: Path) -> None:
    with json_file(tmp_path / "f.jsonl") as write:
        write(FRAME, FACES)
        assert not (tmp_path / "f.jsonl").exists()
    assert (tmp_path / "f.jsonl").exists()


def test_a_name_that_is_no_text_survives_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"\xff\n.jpg")
    frame = Frame(FRAME.image, 0, Fraction(0), name)
    with json_file(tmp_path / "f.jsonl") as write:
        write(frame, FACES)
    assert json.loads((tmp_path / "f.jsonl").read_text())["source"] == name
    print_record(frame, FACES)
    assert json.loads(capsys.readouterr().out)["source"] == name


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with (
        pytest.raises(BlazeFaceError, match=r"f\.json: cannot be written: No such file"),
        json_file(tmp_path / "gone" / "f.json"),
    ):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: real_open(Path("/dev/full"), *a, **k))
    with (
        pytest.raises(BlazeFaceError, match=r"f\.json: cannot be written: No space left"),
        json_file(tmp_path / "f.json") as write,
    ):
        write(FRAME, FACES)
    assert os.listdir(tmp_path) == []
