"""The driver of the browser itself: an answer, an error, silence; nothing is left running."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from browser import PageFailed, run_page

PAGE = """<!doctype html><script>fetch("/report", {{method: "POST", body: JSON.stringify({answer})}})</script>"""


def processes(profiles: str) -> set[str]:
    """Command lines of processes that name a profile in a folder."""
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return {line.decode("utf-8", "replace") for line in lines if profiles.encode() in line}


def test_a_page_answers_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.html").write_text(PAGE.format(answer="{two: 1 + 1, isolated: crossOriginIsolated}"))
    with tempfile.TemporaryDirectory() as profiles:  # of this test alone: others may drive a browser meanwhile
        monkeypatch.setattr(tempfile, "tempdir", profiles)
        assert run_page(tmp_path, "a.html") == {"two": 2, "isolated": True}
        assert processes(profiles) == set()


def test_an_error_and_silence_are_told(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text(PAGE.format(answer='{error: "no"}'))
    with pytest.raises(PageFailed, match="no"):
        run_page(tmp_path, "b.html")
    (tmp_path / "c.html").write_text("<!doctype html>")
    with pytest.raises(PageFailed, match="no answer within 3 s"):
        run_page(tmp_path, "c.html", seconds=3)
