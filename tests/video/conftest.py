"""The material as fixtures."""

import pytest
from video_material import ClipMaker, RedDetector
from video_material import make_clip as make


@pytest.fixture
def red_detector() -> RedDetector:
    return RedDetector()


@pytest.fixture
def make_clip() -> ClipMaker:
    """make_clip(path, count=, rate=, width=, height=, rotation=, ticks=, tick=): a clip of the walking square."""
    pytest.importorskip("av")
    return make
