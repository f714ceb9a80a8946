"""`detect --refine` and `blazeface refine`, with a second stage of known answers and a run of a minute in seconds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from no_search import NoSearch

pytest.importorskip("onnx", reason="the train extra is not installed")
sys.path.append(str(Path(__file__).parents[1]))

from middle_model import middle_model

from blazeface.cli.main import main
from blazeface.cli.refine import compare
from blazeface.data.samples import Sample
from blazeface.detections import Detections
from blazeface.geometry import Image
from blazeface.refine import KeypointRefiner, RefinedDetector

ASTRONAUT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"


def test_detect_takes_the_second_stages_keypoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = middle_model(tmp_path / "middle.onnx")
    assert main(["detect", str(ASTRONAUT), "--json", "-", "--quiet"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)["faces"]
    assert main(["detect", str(ASTRONAUT), "--json", "-", "--quiet", "--refine", str(model)]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert face["box"] == plain["box"] and face["score"] == plain["score"]
    x1, y1, x2, y2 = face["box"]
    np.testing.assert_allclose(face["keypoints"], [[(x1 + x2) / 2, (y1 + y2) / 2]] * 6, atol=0.02)
    assert face["keypoints"] != plain["keypoints"]


def test_mistakes_of_detect_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(ASTRONAUT), "--refine", str(tmp_path / "none.onnx")]) == 1
    assert "none.onnx: no such model file" in capsys.readouterr().err
    jobs = ["--jobs", "2", "--jsonl", str(tmp_path / "x.jsonl")]
    assert main(["detect", str(ASTRONAUT), "--refine", str(middle_model(tmp_path / "m.onnx")), *jobs]) == 2
    assert "--refine does not go with --jobs" in capsys.readouterr().err


class OneFace(NoSearch):
    """Finds the same face in every picture, with its keypoints a known distance off."""

    def __init__(self, keypoints: np.ndarray):
        self._face = Detections(
            np.array([[10, 10, 50, 50]], np.float32), np.array([0.9], np.float32), keypoints[None]
        )

    def detect(self, image: Image) -> Detections:
        return self._face

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        return [self._face for _ in images]


def test_errors_before_and_after(tmp_path: Path) -> None:
    truth = np.full((6, 2), 30, np.float32)
    truth[0], truth[1] = [25, 30], [35, 30]  # eyes ten apart
    off = truth + np.array([0, 4], np.float32)
    sample = Sample(
        ASTRONAUT,
        "made",
        np.array([[10, 10, 50, 50]], np.float32),
        truth[None],
        np.full((1, 6), 2, np.uint8),
        np.array([False]),
    )
    refiner = KeypointRefiner(middle_model(tmp_path / "m.onnx"))
    found = compare([sample, sample], OneFace(off).detect_batch, refiner)
    # Before, every point is 4 off; after, all are in the middle: the eyes 5 off, nose and mouth right.
    assert (found["faces"], found["before"], found["after"]) == (2, 0.4, 0.25)
    assert found["gain"] == pytest.approx(1 - 0.25 / 0.4) and found["by_source"] == {"made": [2, 0.4, 0.25]}
    again = RefinedDetector(OneFace(off), refiner).detect(np.zeros((60, 60, 3), np.uint8))
    np.testing.assert_allclose(again.keypoints[0], truth.mean(axis=0)[None].repeat(6, 0), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name the run's folder with --out"),
        (["--out", "x", "--epochs", "0"], "--epochs must be a whole number"),
        (["--evaluate", "none.onnx"], "no such data folder"),
    ],
)
def test_mistakes_of_refine_are_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["refine", "--data", "nowhere", *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1
