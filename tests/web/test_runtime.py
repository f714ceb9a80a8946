"""onnxruntime-web is brought by npm, whole and of the release that was tested, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.web import runtime
from blazeface.web.runtime import fetch_runtime, how_to_get, missing_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for npm is a shell script")

FILES = {"a.mjs": b"export {}", "b.wasm": b"\0asm"}


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for npm, which gives package.tgz, where there is one, and fails otherwise; the folder it lies in."""
    monkeypatch.setattr(
        runtime, "RUNTIME_FILES", {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    )
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(f"#!/bin/sh\necho $* > {folder}/asked\ncp {folder}/package.tgz . || echo no network >&2\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def pack(folder: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(folder / "package.tgz", "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_it_is_fetched_once(npm: Path, tmp_path: Path) -> None:
    pack(npm, {**FILES, "other.js": b"not asked for"})
    target = tmp_path / "vendor"
    assert missing_files(target) == ["a.mjs", "b.wasm"]
    assert fetch_runtime(target) is True
    assert {path.name: path.read_bytes() for path in target.iterdir()} == FILES
    assert (npm / "asked").read_text() == f"pack onnxruntime-web@{runtime.RUNTIME_VERSION} --silent\n"
    (npm / "npm").unlink()
    assert fetch_runtime(target) is False  # nothing is asked of anybody when all is there


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**FILES, "b.wasm": b"changed"}, "b.wasm is not the file that was tested"),
        ({"a.mjs": FILES["a.mjs"]}, "npm's archive cannot be read"),
        (None, "npm could not bring onnxruntime-web .*: no network"),
    ],
    ids=["another file", "a file lacks", "no network"],
)
def test_what_goes_wrong_leaves_nothing(
    npm: Path, tmp_path: Path, files: dict[str, bytes] | None, words: str
) -> None:
    if files is not None:
        pack(npm, files)
    with pytest.raises(BlazeFaceError, match=words):
        fetch_runtime(tmp_path / "vendor")
    assert list((tmp_path / "vendor").iterdir()) == []


def test_an_archive_that_is_none(npm: Path, tmp_path: Path) -> None:
    (npm / "package.tgz").write_bytes(b"<html>login</html>")
    with pytest.raises(BlazeFaceError, match="npm's archive cannot be read"):
        fetch_runtime(tmp_path / "vendor")


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BlazeFaceError, match=r"needs npm, which is not installed; .* copy ort\.wasm\.min\.mjs"):
        fetch_runtime(tmp_path / "vendor")
    assert str(tmp_path / "vendor") in how_to_get(tmp_path / "vendor")


def test_a_place_that_cannot_be_written(npm: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlazeFaceError, match="file: onnxruntime-web cannot be put there"):
        fetch_runtime(tmp_path / "file")
