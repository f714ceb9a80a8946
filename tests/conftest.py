"""Fixtures for the whole suite."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# One thread for PyTorch and NumPy: the networks here are small, and threads of OpenMP that wait for each other keep their
# cores busy, which costs several times what they compute when the machine has other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# OpenCV reads this once, when a video is opened for the first time in the process, whichever test that is.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np
import pytest
from hypothesis import settings
from video_material import RedDetector, VideoMaker
from video_material import make_video as make
from wider_material import write_data

from blazeface.geometry import Image

if TYPE_CHECKING:
    from blazeface.models.network import BlazeFace

SHIPPED_PICTURES = Path(__file__).parents[1] / "data" / "pictures"

settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Undoes what a command of an earlier test, run in this process, set for PyTorch."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the WIDER FACE layout with 24 pictures to train on and 8 to score."""
    return write_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="session")
def finished_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of two epochs that came to its end; tests leave it as it is."""
    from blazeface.cli.main import run_command

    out = tmp_path_factory.mktemp("finished") / "run"
    quick = ["--epochs", "2", "--batch", "8", "--warmup", "2", "--workers", "0", "--threads", "1", "--quiet"]
    assert run_command("train", ["--data", str(tiny_data), "--out", str(out), *quick]) == 0
    return out


@pytest.fixture
def red_detector() -> RedDetector:
    return RedDetector()


@pytest.fixture
def make_video() -> VideoMaker:
    """make_video(path, count=, rate=, width=, height=, rotation=, ticks=, tick=): a video of the walking square."""
    pytest.importorskip("av")
    return make


@pytest.fixture(scope="session")
def network() -> BlazeFace:
    """A small network with every kind of block, in eval mode."""
    from small_network import small_network  # only here: most tests need no PyTorch

    return small_network()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The phone page, served while a module's tests run."""
    from page_site import need_browser_and_runtime, serve_page  # only here: few tests open the page

    need_browser_and_runtime()
    with serve_page() as (found, _):
        yield found


@pytest.fixture(scope="session")
def photographs() -> list[Image]:
    """Parts of the shipped portrait, in several shapes."""
    portrait = cv2.imread(str(SHIPPED_PICTURES / "astronaut.png"))
    assert portrait is not None
    return [np.ascontiguousarray(part) for part in (portrait, portrait[:200, 150:330], portrait[::-2, 40:60])]
