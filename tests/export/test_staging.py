"""Several files at once, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.export.make import refuse_shared_weights
from blazeface.export.staging import staging_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_companions_and_folders_come_along_and_replace_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x.mlpackage").mkdir()
    (tmp_path / "x.mlpackage" / "old").write_text("old")
    (tmp_path / "x.bin").write_text("old")
    with staging_folder(tmp_path / "x.param") as part:
        assert part.name == "x.param" and part.parent != tmp_path
        part.write_text("new")
        part.with_suffix(".bin").write_text("new")
        part.with_suffix(".mlpackage").mkdir()
        (part.with_suffix(".mlpackage") / "fresh").write_text("new")
    assert names(tmp_path) == ["x.bin", "x.mlpackage", "x.param"]
    assert (tmp_path / "x.bin").read_text() == (tmp_path / "x.param").read_text() == "new"
    assert names(tmp_path / "x.mlpackage") == ["fresh"]
    assert not part.parent.exists()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, BlazeFaceError, SystemExit])
def test_interrupted_nothing_new_is_there_and_the_old_stays(
    interruption: type[BaseException], tmp_path: Path
) -> None:
    (tmp_path / "x.onnx").write_text("the one before")
    with pytest.raises(interruption), staging_folder(tmp_path / "x.onnx") as part:
        part.write_text("half")
        raise interruption("stop")
    assert names(tmp_path) == ["x.onnx"] and (tmp_path / "x.onnx").read_text() == "the one before"
    assert not part.parent.exists()


def test_a_fault_while_files_are_moved_leaves_no_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_text("ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("blazeface.export.staging.shutil.copyfile", full)
    sentence = r"x\.onnx: cannot be written: No space left"
    with pytest.raises(BlazeFaceError, match=sentence), staging_folder(tmp_path / "x.onnx") as part:
        part.write_text("whole")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("there", "expected"), [("m.xml", "m.param"), ("m.param", "m.xml")])
def test_two_formats_do_not_share_one_file_of_weights(there: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / there).touch()
    with pytest.raises(BlazeFaceError, match=rf"m.bin beside it belongs to {there}: choose another name"):
        refuse_shared_weights(tmp_path / expected)
    refuse_shared_weights(tmp_path / there)
    refuse_shared_weights(tmp_path / "m.onnx")
