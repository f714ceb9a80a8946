"""One file of each kind: frames, times, size, sides, colours and sound are right, and so are those of a copy."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from kinds import GREY, KINDS, RED, Kind
from making import have_ffmpeg, make, probe
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.geometry import Image
from blazeface.options import WriteOptions
from blazeface.pipeline import Pipeline
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source
from tools.containers_table import row_of

pytest.importorskip("av")
pytestmark = pytest.mark.skipif(not have_ffmpeg(), reason="the zoo is made and looked at by ffmpeg and ffprobe")

DOC = Path(__file__).parents[2] / "docs" / "containers.md"


class NoFaces:
    """Finds nothing, so that copies have nothing drawn in."""

    def detect(self, image: Image) -> Detections:
        return Detections.empty()

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        return [self.detect(image) for image in images]


def read(path: Path) -> list[Frame]:
    with open_source(find_input(str(path), moving=True), 1.0, lambda: False) as source:
        return list(source.frames())


def patches(image: Image, orientation: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean RGB in the middle of the patch, and in the corner across from it."""
    right, low = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    seen = image[::-1] if low else image
    seen = seen[:, ::-1] if right else seen
    y, x = round(image.shape[0] / 8), round(image.shape[1] / 8)
    parts = seen[y - 3 : y + 4, x - 3 : x + 4], seen[-y - 3 : -y + 4, -x - 3 : -x + 4]
    patch, other = (part.mean(axis=(0, 1))[::-1] for part in parts)
    return patch, other


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kind(kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        path = make(kind, tmp_path)
    except subprocess.CalledProcessError as error:
        if b"Unknown encoder" in error.stderr:
            pytest.skip(error.stderr.decode().splitlines()[0])
        raise AssertionError(error.stderr.decode()) from error
    truth = probe(path)
    times = truth.times
    if kind.made == "twice":  # ffprobe gives the stamps as they lie in the file
        times = [n / 25 for n in range(20)]
    elif not kind.stamped:
        times = [n / 25 for n in range(len(times))]
    frames = read(path)
    assert len(frames) == len(times)
    np.testing.assert_allclose([float(frame.time) for frame in frames], times, atol=0.0011)
    width, height = kind.size if kind.orientation < 5 else kind.size[::-1]
    for frame in frames:
        assert frame.image.shape == (height, width, 3)
        patch, other = patches(frame.image, kind.orientation)
        np.testing.assert_allclose(patch, RED, atol=kind.tolerance)
        np.testing.assert_allclose(other, GREY, atol=kind.tolerance)
        assert int(patch[0]) - int(patch[1]) > 60  # red, also where tone mapping changes how red

    target = tmp_path / f"copy{kind.copy_suffix}"
    counts = Pipeline(NoFaces(), write=WriteOptions(quiet=True)).run(
        [find_input(str(path), moving=True)], [target]
    )
    said = capsys.readouterr().err
    assert (counts.frames, counts.faults) == (len(frames), 0), said
    assert len(said.splitlines()) == (1 if kind.said else 0), said
    assert all(words in said for words in kind.said), said
    copy = probe(target)
    np.testing.assert_allclose(copy.times, times, atol=0.0011)
    assert (copy.width, copy.height, copy.aspect) == (width, height, kind.aspect)
    for before, after in zip(frames, read(target), strict=True):
        pairs = zip(patches(before.image, kind.orientation), patches(after.image, kind.orientation), strict=True)
        for first, second in pairs:
            np.testing.assert_allclose(first, second, atol=10)
    assert len(copy.sounds) == kind.tracks
    if kind.tracks == len(truth.sounds) and kind.made != "twice":
        for (begin, end, *tags), (new_begin, new_end, *new_tags) in zip(truth.sounds, copy.sounds, strict=True):
            assert new_end - new_begin == pytest.approx(
                end - max(begin, truth.start), abs=0.08
            )  # from the first picture
            assert new_begin - copy.start == pytest.approx(max(begin - truth.start, 0), abs=0.08)
            if {path.suffix, target.suffix} <= {".mp4", ".mkv"}:
                assert new_tags == tags
    assert row_of(kind) in DOC.read_text(encoding="utf-8")


def test_there_are_enough() -> None:
    assert len(KINDS) >= 80
    assert len({kind.name for kind in KINDS}) == len(KINDS)
