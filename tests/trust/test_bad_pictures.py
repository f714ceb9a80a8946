"""Pictures that strangers hand over: a right answer or one clear sentence, and the rest is still done."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import bad_pictures as make
import numpy as np
import pytest

from blazeface.cli.main import run_command
from blazeface.geometry import box_iou

Maker = Callable[[Path], Path]


@pytest.fixture(scope="module")
def face() -> Any:
    """The box of the face in the portrait, as read from a good PNG."""
    with tempfile.TemporaryDirectory() as folder:
        status, records, _ = detect([make.save(Path(folder), "good.png")], Path(folder))
    assert status == 0
    (found,) = records[0]["faces"]
    return found["box"]


def detect(inputs: list[Path], folder: Path, *flags: str) -> tuple[int, list[dict[str, Any]], int]:
    out = folder / "found.json"
    given = [*map(str, inputs), "--json", str(out), "--overwrite", "--quiet", "--no-window", *flags]
    status = run_command("detect", given)
    records = json.loads(out.read_text()) if out.exists() else []
    return status, records, len(records)


SEEN: dict[str, tuple[Maker, tuple[int, int]]] = {
    "wrong extension": (partial(make.renamed, name="really_png.jpg"), (300, 300)),
    "no extension": (partial(make.renamed, name="bare"), (300, 300)),
    "16 bits": (make.sixteen_bit, (300, 300)),
    "grey": (partial(make.save, name="grey.png", mode="L"), (300, 300)),
    "palette": (partial(make.save, name="palette.png", mode="P"), (300, 300)),
    "CMYK": (partial(make.save, name="cmyk.jpg", mode="CMYK"), (300, 300)),
    "alpha": (partial(make.save, name="alpha.png", mode="RGBA"), (300, 300)),
    "animated": (make.animated, (300, 300)),
    "EXIF": (make.turned, (300, 300)),
    "a name with a newline": (partial(make.renamed, name="two\nlines.png"), (300, 300)),
    "a name that is no UTF-8": (partial(make.renamed, name=os.fsdecode(b"\xff\xfe.png")), (300, 300)),
    "a name like a flag": (partial(make.renamed, name="--json.png"), (300, 300)),
}
EMPTY: dict[str, tuple[Maker, tuple[int, int]]] = {
    "1 x 1": (partial(make.plain, name="dot.png", width=1, height=1), (1, 1)),
    "1 x 20000": (partial(make.plain, name="tall.png", width=1, height=20000), (1, 20000)),
    "20000 x 1": (partial(make.plain, name="wide.png", width=20000, height=1), (20000, 1)),
}


@pytest.mark.parametrize("kind", [*SEEN, *EMPTY])
def test_odd_pictures_are_read(
    kind: str, tmp_path: Path, face: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    maker, (width, height) = (SEEN | EMPTY)[kind]
    status, records, count = detect([maker(tmp_path), make.save(tmp_path, "after.png")], tmp_path)
    more = ": the first of its frames is read; --video reads all of them\n" if kind == "animated" else ""
    said = capsys.readouterr().err
    assert (status, count, said[-len(more) :] if more else said) == (0, 2, more)
    assert said.count("\n") == more.count("\n")
    assert (records[0]["width"], records[0]["height"]) == (width, height)
    boxes = [np.array([found["box"]]) for found in records[0]["faces"]]
    if kind in SEEN:
        assert len(boxes) == 1
        assert box_iou(boxes[0], np.array([face]))[0, 0] > 0.8
    else:
        assert boxes == []


FAULTS: dict[str, tuple[Maker, str]] = {
    "half a JPEG": (partial(make.cut, name="half.jpg"), "half.jpg: not a picture, or a damaged one"),
    "half a PNG": (partial(make.cut, name="half.png"), "half.png: not a picture, or a damaged one"),
    "half a WebP": (partial(make.cut, name="half.webp"), "half.webp: not a picture, or a damaged one"),
    "half a GIF": (partial(make.cut, name="half.gif", mode="P"), "half.gif: not a picture, or a damaged one"),
    "half a TIFF": (partial(make.cut, name="half.tiff"), "half.tiff: not a picture, or a damaged one"),
    "zero bytes": (partial(make.written, name="none.jpg", data=b""), "none.jpg: is empty"),
    "zeros": (partial(make.written, name="zeros.png", data=bytes(5000)), "zeros.png: not a picture"),
    "text": (partial(make.written, name="text.png", data=b"hello"), "text.png: not a picture"),
    "a page": (partial(make.written, name="page", data=b"<html>"), "page: neither a picture nor a video"),
    "PNG bomb": (
        partial(make.written, name="bomb.png", data=make.png_bomb(50000, 50000)),
        "bomb.png: 50000 x 50000 pixels, more than the 268,435,456 that are read (BLAZEFACE_MAX_PIXELS sets",
    ),
    "JPEG bomb": (partial(make.written, name="bomb.jpg", data=make.jpeg_bomb()), "32000 x 31250 pixels"),
    "JPEG bomb behind stray bytes": (  # found by fuzzing: libjpeg passes over them
        partial(make.written, name="bomb.jpg", data=make.jpeg_bomb(b"stray\xff\x01\xff\xff\xd3")),
        "32000 x 31250 pixels",
    ),
    "WebP bomb": (partial(make.written, name="bomb.webp", data=make.webp_bomb()), "16777216 x 65536 pixels"),
    "JPEG 2000 bomb": (partial(make.written, name="bomb.jp2", data=make.jp2_bomb()), "60000 x 60000 pixels"),
    "PPM bomb": (
        partial(make.written, name="bomb.ppm", data=b"P6 # a comment\n70000\n70000 255\n"),
        "70000 x 70000 pixels",
    ),
    "a PNG that promises gigabytes": (
        partial(make.written, name="promise.png", data=make.png_of_promises()),
        "promise.png: not a picture, or a damaged one (a PNG chunk reaches beyond the file)",
    ),
    "an empty folder": (make.subfolder, "folder.jpg: holds no pictures"),
    "FIFO": (make.fifo, "pipe.jpg: is a pipe or a device, not a file"),
    "missing": (lambda folder: folder / "nobody.jpg", "nobody.jpg: no such file or folder"),
    "missing, with a newline": (lambda folder: folder / "a\nb.jpg", r"a\nb.jpg: no such file or folder"),
    "a name too long": (lambda folder: folder / ("n" * 300), "cannot be opened: File name too long"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_broken_pictures_are_named_and_the_rest_is_done(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    maker, sentence = FAULTS[kind]
    before, after = make.save(tmp_path, "before.png"), make.plain(tmp_path, "after.png", 9, 9)
    status, records, count = detect([before, maker(tmp_path), after], tmp_path)
    out, said = capfd.readouterr()
    assert (status, count, out) == (1, 2, "")
    assert len(said.splitlines()) == 1
    assert sentence in said
    assert [Path(record["source"]).name for record in records] == ["before.png", "after.png"]
    assert len(records[0]["faces"]) == 1


def test_the_limit_of_pixels_can_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make.plain(tmp_path, "a.png", 40, 30)
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", "1199")
    assert detect([path], tmp_path)[0] == 1
    assert "a.png: 40 x 30 pixels, more than the 1,199 that are read" in capsys.readouterr().err
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", "1200")
    assert detect([path], tmp_path)[0] == 0
    monkeypatch.setenv("BLAZEFACE_MAX_PIXELS", "many")
    assert detect([path], tmp_path)[0] == 1
    assert "BLAZEFACE_MAX_PIXELS must be a number of pixels, not 'many'" in capsys.readouterr().err


@pytest.fixture
def bound() -> Iterator[Path]:
    """A folder, and no more rights to what lies in it than its permissions give: root may else do as it likes.

    Root keeps its name and loses the two capabilities that pass over permissions, so that all that is root's own (Python,
    say) can still be read.
    """
    folder = Path(tempfile.mkdtemp())
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # capget(2), version 3
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "capset") or libc.capget(header, sets):
            pytest.skip("this root cannot lay down its rights")
        effective = sets[0]
        sets[0] = effective & ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.capset(header, sets) == 0
    try:
        yield folder
    finally:
        if os.geteuid() == 0:
            sets[0] = effective
            assert libc.capset(header, sets) == 0
        shutil.rmtree(folder, ignore_errors=True)


def test_without_permission(bound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, good = make.plain(bound, "secret.png", 9, 9), make.plain(bound, "good.png", 9, 9)
    secret.chmod(0)
    locked = bound / "locked"
    locked.mkdir()
    locked.chmod(0)
    status, _, count = detect([secret, locked, good], bound)
    said = capsys.readouterr().err
    locked.chmod(0o700)
    assert (status, count) == (1, 1)
    assert "secret.png: cannot be opened: Permission denied" in said
    assert "locked/: cannot be listed: Permission denied" in said


def test_a_folder_that_cannot_be_written(bound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, frozen = make.plain(bound, "good.png", 9, 9), bound / "frozen"
    frozen.mkdir()
    frozen.chmod(0o500)
    out = frozen / "copies"
    status = run_command("detect", [str(good), "--output", f"{out}/", "--json", "-", "--quiet", "--no-window"])
    captured = capsys.readouterr()
    assert status == 1
    assert "copies: cannot be written: Permission denied" in captured.err
    assert list(frozen.iterdir()) == []
