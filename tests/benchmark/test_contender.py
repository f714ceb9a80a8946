"""Contenders in processes of their own: what they answer, how they fail, what is made of their times."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.benchmark import own
from blazeface.benchmark.contender import Contender
from blazeface.benchmark.interleave import figures, interleaved
from blazeface.benchmark.scenes import scenes
from blazeface.benchmark.serve import install_bytes
from blazeface.cli import benchmark
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture

PICTURE = read_picture(str(Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"))

FAKE = """
import sys
import time
import numpy as np
DISTRIBUTIONS = ["numpy"]
print("libraries talk")
class Fake:
    def __call__(self, image):
        time.sleep(options_["sleep"])
        if options_.get("dies"):
            sys.exit(3)
        return np.ones((1, 4)) * image.shape[0], np.array([0.5]), np.zeros((1, 2, 2))
    def stages(self, image):
        return {"pre": 0.001, "network": 0.002, "post": 0.003}
def open_detector(options):
    global options_
    options_ = options
    if options.get("broken"):
        raise RuntimeError("no such file\\nmodel.bin")
    return Fake()
"""


def test_the_picture_that_wheels_carry_is_the_shipped_one() -> None:
    carried = read_picture(str(benchmark.PICTURE))
    assert benchmark.PICTURE.is_relative_to(Path(own.__file__).parent)
    assert carried.shape == PICTURE.shape and cv2.PSNR(carried, PICTURE) > 36
    np.testing.assert_allclose(FaceDetector().detect(carried).boxes, FaceDetector().detect(PICTURE).boxes, atol=1)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    file = tmp_path / "fake.py"
    file.write_text(FAKE)
    return file


def start(adapter: Path, **options: object) -> Contender:
    return Contender("fake", Path(sys.executable), adapter, {"sleep": 0.0, "cores": 1, **options})


def test_what_is_found_comes_back(adapter: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "picture.npy", np.zeros((7, 9, 3), np.uint8))
    with start(adapter) as contender:
        assert contender.about["versions"] == {"numpy": np.__version__}
        assert contender.about["install_bytes"] > 1e6
        found = contender.ask(do="detect", file=str(tmp_path / "picture.npy"))
    assert found == {"boxes": [[7.0] * 4], "scores": [0.5], "keypoints": [[[0.0, 0.0], [0.0, 0.0]]]}


def test_times_are_those_of_the_detector(adapter: Path) -> None:
    with start(adapter, sleep=0.02) as slow, start(adapter) as quick:
        found, lost = interleaved({"slow": slow, "quick": quick}, [np.zeros((8, 8, 3), np.uint8)], rounds=2)
    assert not lost
    assert found["slow"]["median_ms"] >= 20 > found["slow"]["cpu_ms"]
    assert found["quick"]["median_ms"] < found["slow"]["median_ms"]
    assert found["quick"]["detections"] == 40  # two turns of twenty; the slow one stops when its turn is over
    assert 2 <= found["slow"]["detections"] <= 12
    assert [found["slow"][part] for part in ("pre_ms", "network_ms", "post_ms")] == [1.0, 2.0, 3.0]


def test_one_that_dies_on_the_way_is_lost_and_the_others_go_on(adapter: Path) -> None:
    with start(adapter, dies=True) as dying, start(adapter) as sound:
        found, lost = interleaved({"dying": dying, "sound": sound}, [np.zeros((8, 8, 3), np.uint8)], rounds=1)
    assert list(found) == ["sound"]
    assert lost["dying"].startswith("fake: its process ended")


def test_reasons_for_not_starting(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(BlazeFaceError, match=r"fake: RuntimeError: model\.bin"):
        start(adapter, broken=True)
    with pytest.raises(BlazeFaceError, match="FileNotFoundError"):
        start(tmp_path / "none.py")
    with pytest.raises(BlazeFaceError, match="cannot be started: No such file"):
        Contender("fake", tmp_path / "python", adapter, {})


def test_one_that_does_not_answer_is_given_up(adapter: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "picture.npy", np.zeros((7, 9, 3), np.uint8))
    with start(adapter, sleep=60.0) as contender, pytest.raises(BlazeFaceError, match=r"no answer in 0\.3 s"):
        contender.ask(patience=0.3, do="detect", file=str(tmp_path / "picture.npy"))


def test_figures_are_medians_and_percentiles_in_milliseconds() -> None:
    row = figures({"wall": [0.001] * 9 + [0.1], "cpu": [0.002] * 10}, 5_000_000)
    assert row["median_ms"] == 1.0
    assert row["p95_ms"] == pytest.approx(55.45)
    assert row["cpu_ms"] == 2.0
    assert row["peak_mb"] == 5.0


def test_our_detector_as_a_contender_finds_what_it_finds_itself() -> None:
    contender = own.open_detector({"model": "front-128", "threads": 1})
    boxes, _, keypoints = contender(PICTURE)
    found = FaceDetector().detect(PICTURE)
    assert np.array_equal(boxes, found.boxes)
    assert np.array_equal(keypoints, found.keypoints)
    assert set(contender.stages(PICTURE)) == {"pre", "network", "post"}


def test_frames_hold_one_one_two_and_four_faces() -> None:
    frames = scenes(PICTURE)
    detector = FaceDetector(score_threshold=0.4)
    assert [frame.shape for frame in frames] == [(720, 1280, 3)] * 4
    assert [len(detector.detect(frame)) for frame in frames] == [1, 1, 2, 4]


def test_the_installed_size_takes_in_what_is_required() -> None:
    assert install_bytes(["opencv-python"]) > install_bytes(["numpy"]) > 1e6
    assert install_bytes(["no-such-distribution"]) == 0
