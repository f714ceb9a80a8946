"""Interlaced video: the two fields of a frame, from two moments, become one whole picture."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from making import have_ffmpeg

from blazeface.geometry import Image
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source

av = pytest.importorskip("av")
pytestmark = pytest.mark.skipif(not have_ffmpeg(), reason="ffmpeg makes the files")


def combing(image: Image) -> float:
    """How much more neighbouring lines differ than every second one: 0 for a whole picture, large where fields differ."""
    grey = image.astype(np.float64).mean(axis=2)
    near, next_but_one = np.abs(grey[1:-1] - grey[:-2]).mean(), np.abs(grey[2:] - grey[:-2]).mean()
    return float(near - next_but_one)


@pytest.mark.parametrize("frames", [1, 2, 12])
def test_a_moving_bar_keeps_whole_edges_and_all_frames(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "a.mp4"
    bar = "nullsrc=s=192x64:r=50,format=gray,geq=lum='255*between(X-5*N\\,4\\,30)',tinterlace=interleave_top,format=yuv420p"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", bar, "-frames:v", str(frames), "-c:v", "libx264"]
    subprocess.run([*command, "-flags", "+ilme+ildct", str(path)], check=True, timeout=60)
    with av.open(str(path)) as container:
        stored = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    with open_source(find_input(str(path)), 1.0, lambda: False) as source:
        read = list(source.frames())
        assert (
            source.copy_loss is not None and "it is interlaced, and deinterlaced in the copy" in source.copy_loss
        )
    assert len(read) == len(stored) == frames
    assert [frame.time for frame in read] == [Fraction(n, 25) for n in range(frames)]
    assert all(combing(image) > 2 for image in stored)
    assert all(combing(frame.image) < 1 for frame in read)
