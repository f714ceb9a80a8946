"""Videos that strangers hand over: what can be read is read, what is wrong is one sentence, and the rest is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bad_pictures
import pytest

from blazeface.cli.main import run_command

pytest.importorskip("av")
import bad_videos as make

Maker = Callable[[Path, Path], Path]
"""Of a folder with good.mp4, good.mkv and good.avi, and one to write into."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for suffix, codec in ((".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4")):
        make.film(folder / f"good{suffix}", codec)
    return folder


ROWS: dict[str, tuple[Maker, int, str]] = {
    # kind: (maker, frames that are read, what is said of it)
    "whole": (lambda good, here: make.named(good / "good.mp4", here / "a.mp4"), 12, ""),
    "half an MP4": (lambda good, here: make.half(good / "good.mp4", here / "a.mp4"), 0, "a.mp4: its index (moov) is missing: the recording was cut off"),
    "half a Matroska": (lambda good, here: make.half(good / "good.mkv", here / "a.mkv"), 4, "a.mkv: damaged: it ends after "),
    "half an AVI": (lambda good, here: make.half(good / "good.avi", here / "a.avi"), 1, "a.avi: damaged: it ends after "),
    "an MP4 of no frames": (lambda good, here: make.without_frames(here / "a.mp4"), 0, "a.mp4: not a video, or a damaged one"),
    "an AVI of no frames": (lambda good, here: make.without_frames(here / "a.avi"), 0, "a.avi: holds no frame that can be read"),
    "an MP4 hurt in the middle": (
        lambda good, here: make.hurt(good / "good.mp4", here / "a.mp4", 5), 11, "a.mp4: damaged: 1 of its frames could not be"),
    "a Matroska hurt in the middle": (
        lambda good, here: make.hurt(good / "good.mkv", here / "a.mkv", 5), 9, "a.mkv: damaged: frames are missing for 0.30 seconds"),
    "MP4 as AVI": (lambda good, here: make.named(good / "good.mp4", here / "a.avi"), 12, ""),
    "AVI as MP4": (lambda good, here: make.named(good / "good.avi", here / "a.mp4"), 12, ""),
    "Matroska as MP4": (lambda good, here: make.named(good / "good.mkv", here / "a.mp4"), 12, ""),
    "MP4 without a suffix": (lambda good, here: make.named(good / "good.mp4", here / "a"), 12, ""),
    "a video as a picture": (lambda good, here: make.named(good / "good.mp4", here / "a.jpg"), 0, "a.jpg: not a picture, or a damaged one"),
    "a picture as a video": (lambda good, here: bad_pictures.save(here, "x.png").rename(here / "a.mp4"), 1, ""),
    "a text": (lambda good, here: bad_pictures.written(here, "a.mp4", b"hello " * 50), 0, "a.mp4: not a video, or a damaged one"),
    "zero bytes": (lambda good, here: bad_pictures.written(here, "a.mp4", b""), 0, "a.mp4: is empty"),
    "zeros": (lambda good, here: bad_pictures.written(here, "a.mkv", bytes(5000)), 0, "a.mkv: not a video, or a damaged one"),
    "a folder": (lambda good, here: make.folder(here / "a.mp4"), 0, "a.mp4: holds no pictures"),
    "a FIFO": (lambda good, here: make.pipe(here / "a.mp4"), 0, "a.mp4: is a pipe or a device, not a file"),
    "missing": (lambda good, here: here / "a.mp4", 0, "a.mp4: no such file or folder"),
    "a name with a newline": (lambda good, here: make.named(good / "good.mp4", here / "a\nb.mp4"), 12, ""),
    "a name that is no UTF-8": (lambda good, here: make.named(good / "good.mp4", here / "\udcff.mp4"), 12, ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_bad_videos_are_read_as_far_as_they_go_and_the_rest_is_done(
    kind: str, good: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    maker, frames, sentence = ROWS[kind]
    video, after = maker(good, tmp_path), bad_pictures.plain(tmp_path, "after.png", 9, 9)
    lines = tmp_path / "faces.jsonl"
    status = run_command("detect", [str(video), str(after), "--jsonl", str(lines), "--quiet", "--no-window"])
    out, said = capfd.readouterr()
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert (status, out, len(said.splitlines())) == ((1, "", 1) if sentence else (0, "", 0))
    assert sentence in said
    assert records.pop()["source"].endswith("after.png")
    assert len(records) == frames
    assert all(len(record["faces"]) == 1 for record in records)
