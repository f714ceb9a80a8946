"""Files take their names whole: what every writer leaves in its folder got there by a rename or a link, never by writing in place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_network import small_network
from video_material import make_video

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.export.formats.onnx import export_onnx
from blazeface.files.staged import staged_file
from blazeface.models.weights import save_weights

PORTRAIT = Path(__file__).parents[2] / "data" / "pictures" / "astronaut.png"


@dataclass
class Watch:
    """Which names files were renamed or linked to, and which were opened for writing, since the watch began."""

    renamed: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)


_watches: list[Watch] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watches:
        return
    if event in ("os.rename", "os.link"):
        _watches[-1].renamed.add(os.path.realpath(os.fsdecode(arguments[1])))  # type: ignore[arg-type]
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        flags = arguments[2]
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
            _watches[-1].opened.add(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_hook)  # for good: Python takes none back


@contextmanager
def watched() -> Iterator[Watch]:
    _watches.append(Watch())
    try:
        yield _watches[-1]
    finally:
        _watches.pop()


def written_in_place(folder: Path, watch: Watch) -> set[str]:
    """Names below the folder that did not get there by a rename or a link, or that were opened for writing under their own name."""
    files = {os.path.realpath(path) for path in folder.rglob("*") if path.is_file()}
    return {os.path.relpath(file, folder) for file in files if file not in watch.renamed or file in watch.opened}


def write_cover(folder: Path) -> None:
    given = ["--json", str(folder / "x.json"), "--output", str(folder / "x.png"), "--quiet", "--no-window"]
    assert run_command("detect", [str(PORTRAIT), "--blur", "solid", *given]) == 0


def write_labels(folder: Path) -> None:
    given = ["--json", str(folder / "x.jsonl"), "--csv", str(folder / "x.csv"), "--quiet", "--no-window"]
    assert run_command("detect", [str(PORTRAIT), *given]) == 0


def write_video(folder: Path) -> None:
    pytest.importorskip("av")
    source = folder.parent / "source.mp4"
    make_video(source)
    given = ["--output", str(folder / "x.mp4"), "--blur", "solid", "--quiet", "--no-window"]
    assert run_command("detect", ["--video", str(source), *given]) == 0


def write_weights(folder: Path) -> None:
    save_weights(small_network(), folder / "x.safetensors")


def write_onnx(folder: Path) -> None:
    export_onnx(small_network(), folder / "x.onnx", [np.full((40, 40, 3), 90, np.uint8)])


def write_tflite(folder: Path) -> None:
    weights = folder.parent / "given.safetensors"
    save_weights(small_network(), weights)
    given = ["--weights", str(weights), "--format", "tflite", "--out", str(folder / "x.tflite")]
    assert run_command("export", given) == 0


@pytest.mark.parametrize(
    "write", [write_cover, write_labels, write_video, write_weights, write_onnx, write_tflite]
)
def test_nothing_is_written_in_place(write: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with watched() as watch:
        write(folder)
    assert any(folder.iterdir())
    assert written_in_place(folder, watch) == set()


def test_a_training_run_writes_nothing_but_its_logs_in_place(tiny_data: Path, tmp_path: Path) -> None:
    quick = ["--batch", "8", "--warmup", "2", "--workers", "0", "--threads", "1", "--quiet", "--epochs", "1"]
    with watched() as watch:
        assert run_command("train", ["--data", str(tiny_data), "--out", str(tmp_path / "run"), *quick]) == 0
    found = {name for name in written_in_place(tmp_path / "run", watch) if not name.startswith("tensorboard")}
    assert found == {"log.csv", "evaluations.csv"}
    assert {"checkpoint.pt", "model.safetensors", "report.json"} <= {
        name.name for name in (tmp_path / "run").iterdir()
    }


def test_the_watch_sees_what_is_written_in_place(tmp_path: Path) -> None:
    with watched() as watch:
        (tmp_path / "a").write_text("in place")
        cv2.imwrite(str(tmp_path / "b.png"), np.zeros((2, 2, 3), np.uint8))
        with staged_file(tmp_path / "c") as part:
            part.write_text("whole")
    assert written_in_place(tmp_path, watch) == {"a", "b.png"}


def test_a_file_that_stood_there_stays_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")
    with staged_file(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.suffix == ".txt"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_block_that_raises_leaves_what_stood_there(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), staged_file(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_nothing_is_written_through_a_link_unless_it_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to("elsewhere.txt")
    with (
        pytest.raises(BlazeFaceError, match=r"link\.txt: exists already"),
        staged_file(tmp_path / "link.txt", replace=False),
    ):
        pass
    assert os.listdir(tmp_path) == ["link.txt"]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with staged_file(tmp_path / "link.txt") as part:
        part.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
