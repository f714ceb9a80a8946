"""The material as fixtures."""

import pytest
from hypothesis import settings
from video_material import ClipMaker, RedDetector
from video_material import make_clip as make

settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault
settings.load_profile("unhurried")


@pytest.fixture
def red_detector() -> RedDetector:
    return RedDetector()


@pytest.fixture
def make_clip() -> ClipMaker:
    """make_clip(path, count=, rate=, width=, height=, rotation=, ticks=, tick=): a clip of the walking square."""
    pytest.importorskip("av")
    return make
