"""Pictures that move, against Pillow, which made them."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from blazeface.errors import BlazeFaceError
from blazeface.sources.animations import WebpReader, clip_start, frames_in
from blazeface.sources.inputs import find_input
from blazeface.sources.opening import open_source

DURATIONS = [100, 50, 230, 70]
KINDS = ["gif", "png", "webp", "avif", "tiff"]


def steps(kind: str) -> list[Image.Image]:
    return [
        Image.fromarray(np.full((40, 60, 3), (value, 20, 200 - value), np.uint8)) for value in (0, 60, 120, 180)
    ]


def animation(path: Path, frames: list[Image.Image], **flags: Any) -> Path:
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS[: len(frames)], **flags)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_comes_at_its_time_when_a_video_is_asked_for(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = animation(tmp_path / f"a.{kind}", steps(kind))
    assert find_input(str(path)).kind == "picture"
    item = find_input(str(path), moving=True)
    assert item.kind == "video"
    with open_source(item, 1.0, lambda: False) as source:
        frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    times = [0, 40, 80, 120] if kind == "tiff" else [0, 100, 150, 380]
    assert [frame.time for frame in frames] == [Fraction(time, 1000) for time in times]
    for frame, value in zip(frames, (0, 60, 120, 180), strict=True):
        assert frame.image.shape == (40, 60, 3)
        np.testing.assert_allclose(frame.image[20, 30], (200 - value, 20, value), atol=8)


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_is_a_picture_however_it_is_named(kind: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{kind}", steps(kind)[:1])
    assert frames_in(str(path)) == 1
    assert find_input(str(path), moving=True).kind == "picture"


def test_frames_of_a_webp_are_laid_over_each_other_as_pillow_does(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    frames = []
    for n in range(4):
        pixels = np.zeros((40, 60, 4), np.uint8)
        pixels[4 * n : 4 * n + 16, 6 * n : 6 * n + 20] = random.integers(0, 255, 4)
        pixels[30:, :, 3] = 255
        frames.append(Image.fromarray(pixels, "RGBA"))
    path = animation(tmp_path / "a.webp", frames, lossless=True, minimize_size=True)
    with WebpReader(str(path)) as source:
        found = [frame.image for frame in source.frames()]
    assert source.copy_loss == f"{path}: its transparency is left out of the copy"
    with Image.open(path) as shown:
        for frame, image in zip(ImageSequence.Iterator(shown), found, strict=True):
            expected = np.asarray(frame.convert("RGBA"))
            seen = expected[..., 3] == 255
            np.testing.assert_allclose(image[seen], expected[seen][:, 2::-1], atol=2)


def test_a_webp_that_is_cut_says_so(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", steps("webp"))
    path.write_bytes(path.read_bytes()[:-40])
    frames = []
    with (
        pytest.raises(BlazeFaceError, match=r"a\.webp: damaged: frame 3 could not be decoded"),
        WebpReader(str(path)) as source,
    ):
        for frame in source.frames():
            frames.append(frame)
    assert len(frames) == 3


@pytest.mark.parametrize("maker", ["appended", "with a trailer"])
def test_the_clip_in_a_motion_photo(maker: str, tmp_path: Path, make_video) -> None:  # type: ignore[no-untyped-def]
    clip = make_video(tmp_path / "c.mp4", count=5).read_bytes()
    still = io.BytesIO()
    steps("jpg")[0].save(still, "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(still.getvalue() + clip + (b"SEFT" * 5 if maker == "with a trailer" else b""))
    assert clip_start(str(path)) == len(still.getvalue())
    with open_source(find_input(str(path), moving=True), 1.0, lambda: False) as source:
        assert [frame.image.shape for frame in source.frames()] == [(48, 64, 3)] * 5
    (tmp_path / "b.jpg").write_bytes(still.getvalue())
    assert find_input(str(tmp_path / "b.jpg"), moving=True).kind == "picture"


def test_pages_of_several_sizes(tmp_path: Path) -> None:
    pages = [Image.new("L", (30, 20), 50), Image.new("RGB", (20, 30), (255, 0, 0)), Image.new("1", (8, 8), 1)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with open_source(find_input(str(tmp_path / "a.tif"), moving=True), 1.0, lambda: False) as source:
        assert [frame.image.shape for frame in source.frames()] == [(20, 30, 3), (30, 20, 3), (8, 8, 3)]
