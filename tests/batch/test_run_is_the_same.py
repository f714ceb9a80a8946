"""--resume goes on with the run that it was, and with nothing else; slow pictures are left behind."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from blazeface.batch import pool
from blazeface.batch.run import outcomes_in_order, resumable
from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.options import LookOptions

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "data" / "pictures" / "astronaut.png"
MADE = {"model": "abc", "score_threshold": 0.5}


def begin(target: Path, made_by: dict[str, Any]) -> None:
    with pytest.raises(KeyboardInterrupt), resumable(target, False, made_by=made_by) as (file, _):
        file.write(b'{"source": "a"}\n')
        raise KeyboardInterrupt


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    begin(tmp_path / "f.jsonl", MADE)
    with resumable(tmp_path / "f.jsonl", True, made_by=MADE) as (_, done):
        assert done("a") and not done("b")
    with resumable(tmp_path / "f.jsonl", True, made_by=MADE) as (_, done):  # and so does a finished one
        assert done("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".f.jsonl.run", "f.jsonl"]


@pytest.mark.parametrize("changed", [{"model": "def"}, {"score_threshold": 0.4}, {"roi": True}])
def test_another_run_is_refused_and_changes_nothing(changed: dict[str, Any], tmp_path: Path) -> None:
    begin(tmp_path / "f.jsonl", MADE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (name,) = changed
    with (
        pytest.raises(BlazeFaceError, match=rf"--resume: .*f\.jsonl\.part: made with another {name} "),
        resumable(tmp_path / "f.jsonl", True, made_by=MADE | changed),
    ):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["f.jsonl", "f.jsonl.part"])
@pytest.mark.parametrize(
    "text", ['{"source": "a"}\n', "my notes, without an end of line", '{"source": "a"}\nmy notes']
)
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_it_did_not_write_stays(name: str, text: str, known: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    if known:
        (tmp_path / ".f.jsonl.run").write_text(json.dumps(MADE))
        if text.endswith("\n"):
            return  # then it is ours
    with (
        pytest.raises(BlazeFaceError, match="is left as it is"),
        resumable(tmp_path / "f.jsonl", True, made_by=MADE),
    ):
        pass
    assert [path.read_text() for path in tmp_path.iterdir() if not path.name.startswith(".")] == [text]


def test_a_torn_line_of_ours_is_done_again(tmp_path: Path) -> None:
    begin(tmp_path / "f.jsonl", MADE)
    with (tmp_path / "f.jsonl.part").open("ab") as file:
        file.write(b'{"sou')
    with resumable(tmp_path / "f.jsonl", True, made_by=MADE):
        pass
    assert (tmp_path / "f.jsonl").read_bytes() == b'{"source": "a"}\n'


def test_the_command_refuses_other_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = shutil.copyfile(PORTRAIT, tmp_path / "a.png")
    flags = [str(picture), "--jobs", "1", "--jsonl", str(tmp_path / "f.jsonl"), "--quiet"]
    assert run_command("detect", flags) == 0
    whole = (tmp_path / "f.jsonl").read_bytes()
    for others in (["--score-threshold", "0.9"], ["--model", "back-256"]):
        assert run_command("detect", [*flags, "--resume", *others]) == 1
        assert "made with another" in capsys.readouterr().err
    assert run_command("detect", [*flags, "--resume"]) == 0
    assert (tmp_path / "f.jsonl").read_bytes() == whole


def test_a_picture_that_takes_for_ever_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is stopped, so that it stands for a decoder that never ends."""
    import os
    import signal

    monkeypatch.setattr(pool, "CHUNK_SECONDS", 2.0)
    names = [str(shutil.copyfile(PORTRAIT, tmp_path / f"{number}.png")) for number in range(3)]
    workers = pool.ProcessPool(1, LookOptions())
    started = workers._start

    def start() -> Any:
        worker = started()
        worker.loaded = True
        os.kill(worker.process.pid or 0, signal.SIGSTOP)
        return worker

    monkeypatch.setattr(workers, "_start", start)
    begun = time.monotonic()
    try:
        (outcomes,) = outcomes_in_order(names, workers, lambda: False)
    finally:
        workers.close()
    assert [outcome.fault for outcome in outcomes] == [f"{name}: took longer than 2 seconds" for name in names]
    assert time.monotonic() - begun < 120
