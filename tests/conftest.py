"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

# OpenCV reads this once, when a video is opened for the first time in the process, whichever test that is.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import pytest
from wider_material import write_data


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the WIDER FACE layout with 24 pictures to train on and 8 to score."""
    return write_data(tmp_path_factory.mktemp("tiny") / "data")
