"""Very many pictures: order, memory, kills and deaths."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeface.batch.pool import ProcessPool
from blazeface.batch.run import CHUNK, WINDOW, Key, Outcome, WorkerExit, outcomes_in_order, resumable
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import write_picture
from blazeface.options import LookOptions

ROOT = Path(__file__).parents[2]


class FakeCrew:
    """Answers in a random order; dies of names with "poison" in them."""

    def __init__(self, size: int, seed: int = 0):
        self.size = size
        self.random = random.Random(seed)
        self.running: list[tuple[Key, list[str]]] = []
        self.handed_out = 0

    @property
    def free(self) -> int:
        return self.size - len(self.running)

    def submit(self, key: Key, names: list[str]) -> None:
        assert self.free > 0
        self.handed_out += len(names)
        self.running.append((key, names))

    def wait(self, seconds: float) -> list[tuple[Key, list[Outcome] | WorkerExit]]:
        key, names = self.running.pop(self.random.randrange(len(self.running)))
        if any("poison" in name for name in names):
            return [(key, WorkerExit("signal SIGSEGV"))]
        return [(key, [Outcome(name, None, 1) for name in names])]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 40 * CHUNK + 3])
@pytest.mark.parametrize("size", [1, 3])
def test_lines_come_in_the_order_of_the_names(count: int, size: int) -> None:
    names = [f"{n}.jpg" for n in range(count)]
    done = [out.line for chunk in outcomes_in_order(names, FakeCrew(size), lambda: False) for out in chunk]
    assert done == names


def test_no_more_than_a_window_is_under_way() -> None:
    """With endless names the one that hands them out must not run ahead of a slow worker."""
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield str(asked)

    class Stuck(FakeCrew):
        def wait(self, seconds: float) -> list[tuple[Key, list[Outcome] | WorkerExit]]:
            """The first chunk never comes back; the others do at once."""
            for place, (key, names) in enumerate(self.running):
                if key[0] > 0:
                    del self.running[place]
                    return [(key, [Outcome(name, None, 0) for name in names])]
            return []

    rounds = 0

    def stop() -> bool:
        nonlocal rounds
        rounds += 1
        return rounds > 500

    assert list(outcomes_in_order(endless(), Stuck(2), stop)) == []
    assert asked == 2 * WINDOW * CHUNK


def test_a_picture_that_kills_is_named_and_the_others_are_done() -> None:
    names = [f"{n}{'poison' if n in (5, 20, 21) else ''}.jpg" for n in range(3 * CHUNK)]
    done = [out for chunk in outcomes_in_order(names, FakeCrew(2), lambda: False) for out in chunk]
    assert [out.line for out in done] == [None if "poison" in name else name for name in names]
    assert done[20].fault == "20poison.jpg: the process that read it died: signal SIGSEGV"


def test_workers_that_die_again_and_again_end_the_run() -> None:
    names = [f"poison{n}" for n in range(100)]
    with pytest.raises(BlazeFaceError, match="the workers die one after the other: signal SIGSEGV"):
        list(outcomes_in_order(names, FakeCrew(2), lambda: False))


def line(source: str) -> bytes:
    return json.dumps({"source": source, "faces": []}).encode() + b"\n"


def test_a_torn_line_is_cut_off_and_done_again(tmp_path: Path) -> None:
    target = tmp_path / "f.jsonl"
    (tmp_path / "f.jsonl.part").write_bytes(line("a") + line("b") + line("c")[:-3])
    with resumable(target, True) as (file, done):
        assert [done(name) for name in "abc"] == [True, True, False]
        file.write(line("c"))
    assert target.read_bytes() == line("a") + line("b") + line("c")
    assert os.listdir(tmp_path) == ["f.jsonl"]


def test_a_line_that_lacks_only_its_end_is_done_again_and_not_doubled(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl.part").write_bytes(line("a")[:-1])
    with resumable(tmp_path / "f.jsonl", True) as (_, done):
        assert not done("a")
    assert (tmp_path / "f.jsonl").read_bytes() == b""


def test_an_unfinished_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl.part").write_bytes(line("a"))
    with (
        pytest.raises(BlazeFaceError, match="go on with --resume, or remove it"),
        resumable(tmp_path / "f.jsonl", False),
    ):
        pass
    assert (tmp_path / "f.jsonl.part").read_bytes() == line("a")


def test_another_file_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl.part").write_bytes(line("a") + b"my poems\n" + line("b"))
    with (
        pytest.raises(BlazeFaceError, match=r"part:2: not a line that detect wrote"),
        resumable(tmp_path / "f.jsonl", True),
    ):
        pass
    assert b"my poems" in (tmp_path / "f.jsonl.part").read_bytes()


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with (
        resumable(tmp_path / "f.jsonl", False),
        pytest.raises(BlazeFaceError, match="another run is writing it"),
        resumable(tmp_path / "f.jsonl", True),
    ):
        pass


def test_an_exception_leaves_the_part_for_the_next_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), resumable(tmp_path / "f.jsonl", False) as (file, _):
        file.write(line("a"))
        raise KeyboardInterrupt
    with resumable(tmp_path / "f.jsonl", True) as (_, done):
        assert done("a")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pictures in two folders, one of them broken."""
    folder = tmp_path_factory.mktemp("many")
    for n in range(80):
        path = folder / "in" / f"{n % 2}" / f"{n:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, np.full((40, 60, 3), n, np.uint8))
    (folder / "in" / "1" / "041.png").write_bytes(b"no picture")
    return folder


def test_a_worker_that_is_killed_is_replaced(folder: Path) -> None:
    names = sorted(str(path) for path in folder.rglob("*.png"))[:40]
    others = set(multiprocessing.active_children())
    pool = ProcessPool(1, LookOptions())
    killed: list[Any] = []

    def kill() -> bool:
        """Once the first chunk is at work."""
        if not killed and pool.free == 0:
            (worker,) = set(multiprocessing.active_children()) - others
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)
        return False

    try:
        done = [out for chunk in outcomes_in_order(names, pool, kill) for out in chunk]
    finally:
        pool.close()
    assert killed
    assert [json.loads(out.line)["source"] for out in done if out.line is not None] == names
    assert set(multiprocessing.active_children()) <= others


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "detect.py"), "in", "--jobs", "2", *arguments]


def test_going_on_after_a_kill_loses_and_doubles_no_line(folder: Path) -> None:
    part = folder / "f.jsonl.part"
    first = subprocess.Popen(command("--jsonl", "f.jsonl"), cwd=folder, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and first.poll() is None and not (part.exists() and part.stat().st_size):
        time.sleep(0.005)
    first.kill()
    first.wait()
    if part.exists():  # else it was quicker than we were
        lines = part.read_bytes().splitlines(keepends=True)
        part.write_bytes(b"".join(lines[:20]) + lines[-1][:10])  # as a kill in the middle of a write leaves it
    second = subprocess.run(command("--jsonl", "f.jsonl", "--resume"), cwd=folder, capture_output=True, text=True)
    assert second.returncode == 1  # one is broken
    assert "in/1/041.png: not a picture, or a damaged one" in second.stderr
    sources = [json.loads(row)["source"] for row in (folder / "f.jsonl").read_text().splitlines()]
    expected = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    assert sources == [name for name in expected if not name.endswith("041.png")]
    assert not part.exists()
