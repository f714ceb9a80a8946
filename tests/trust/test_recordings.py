"""What was recorded stays and plays, whatever ends the program; parts of the living are not swept; signals always end it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blazeface.errors import BlazeFaceError
from blazeface.files import staged
from blazeface.files.staged import staged_file
from blazeface.sinks.video_writer import open_video_writer

av = pytest.importorskip("av")
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of POSIX")

RECORDING = """
import sys, time
from fractions import Fraction
from pathlib import Path
import cv2, numpy as np
from blazeface.cli.main import run_command
from blazeface.sources import opening
from blazeface.sources.frames import Frame
from blazeface.sources.live import LiveSource

class Camera:
    "A camera of noise, 50 pictures a second."
    def isOpened(self): return True
    def get(self, number): return 50.0 if number == cv2.CAP_PROP_FPS else 0.0
    def read(self):
        time.sleep(0.01)
        return True, np.random.default_rng().integers(0, 255, (96, 128, 3), np.uint8)
    def release(self): pass

def open_live(item, timeout, stop, reconnect, say):
    return LiveSource(item.name, Camera, timeout, stop, True, reconnect, say)

import blazeface.sources.live as live
live.open_live = open_live
sys.exit(run_command("detect", ["--video", "cam0", "--output", sys.argv[1], "--no-window", *sys.argv[2:]], prog="detect"))
"""


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(path, *flags, **options of Popen): a recording in a process of its own, of which a good two seconds are in
    the file. It is ended with the test, whatever the test found."""
    started = []

    def record(path: Path, *flags: str, **options: Any) -> subprocess.Popen[bytes]:
        options.setdefault("preexec_fn", default_signals)
        process = subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(path), *flags], cwd=ROOT, stderr=subprocess.PIPE, **options
        )
        started.append(process)
        deadline = time.monotonic() + 120
        while not any(part.stat().st_size > 150_000 for part in path.parent.glob("*.unfinished-*")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process

    yield record
    for process in started:
        process.kill()
        process.wait()


def default_signals() -> None:
    """Under nohup, or in the background of a shell, pytest's children ignore the first two."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        count = 0
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.error.FFmpegError:
            pass  # the last one is torn
        return count


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "webm"])
def test_what_was_recorded_plays_after_kill_9(suffix: str, start: Start, tmp_path: Path) -> None:
    process = start(tmp_path / f"x.{suffix}")
    process.kill()
    process.wait()
    (part,) = tmp_path.glob(f"x.unfinished-*.{suffix}")
    assert frames_in(part) >= 10
    assert not (tmp_path / f"x.{suffix}").exists()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "webm"])
def test_of_a_slow_camera_as_well_no_more_than_a_second_is_missing_at_any_moment(
    suffix: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    with open_video_writer(
        tmp_path / f"x.{suffix}", 64, 48, Fraction(2), Fraction(1, 1000), recording=True
    ) as writer:
        for number in range(20):
            writer.write(rng.integers(0, 255, (48, 64, 3), np.uint8), Fraction(number, 2))
        (part,) = tmp_path.iterdir()
        copy = tmp_path / f"copy.{suffix}"
        copy.write_bytes(part.read_bytes())
    assert frames_in(copy) >= 17  # two of the latest second, and one whose length is not known yet


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_complete_the_recording(number: int, start: Start, tmp_path: Path) -> None:
    process = start(tmp_path / "x.mp4", "--jsonl", str(tmp_path / "x.jsonl"))
    process.send_signal(number)
    assert process.wait(60) == 130
    assert sorted(os.listdir(tmp_path)) == ["x.jsonl", "x.mp4"]
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.streams.video[0].frames == frames_in(tmp_path / "x.mp4") >= 10  # an ordinary MP4
    assert (tmp_path / "x.jsonl").read_text().count("\n") == frames_in(tmp_path / "x.mp4")


def test_a_terminal_that_is_closed_completes_the_recording(start: Start, tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()

    def own_terminal() -> None:
        import fcntl
        import termios

        default_signals()
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        os.dup2(slave, 2)

    process = start(tmp_path / "x.mp4", stdin=slave, stdout=slave, preexec_fn=own_terminal)
    os.close(slave)
    os.close(master)  # the kernel tells it by SIGHUP, and what it writes to the terminal from now on fails
    assert process.wait(60) == 130
    assert frames_in(tmp_path / "x.mp4") >= 10
    assert list(tmp_path.glob("*.unfinished-*")) == []


def test_a_full_disk_leaves_what_was_recorded_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "x.mp4"
    with (
        pytest.raises(
            BlazeFaceError, match=r"x\.mp4: .*; what was written until then is in .*x\.unfinished-.*\.mp4$"
        ),
        open_video_writer(path, 96, 96, Fraction(25), Fraction(1, 25), recording=True) as writer,
    ):
        for number in range(150):
            if number == 120:
                encoder = writer._writer  # type: ignore[attr-defined]
                monkeypatch.setattr(
                    encoder,
                    "_encode",
                    lambda frame: (_ for _ in ()).throw(
                        BlazeFaceError(f"{path}: cannot be written: {os.strerror(errno.ENOSPC)}")
                    ),
                )
            writer.write(rng.integers(0, 255, (96, 96, 3), np.uint8), Fraction(number, 25))
    (part,) = tmp_path.iterdir()
    assert frames_in(part) >= 60


def test_two_recordings_with_one_output_lose_nothing(start: Start, tmp_path: Path) -> None:
    first, second = start(tmp_path / "x.mp4"), start(tmp_path / "x.mp4")
    deadline = time.monotonic() + 120
    while (
        len(list(tmp_path.glob("*.unfinished-*"))) < 2
        or min(p.stat().st_size for p in tmp_path.glob("*.unfinished-*")) < 150_000
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for process in (first, second):
        process.send_signal(signal.SIGINT)
    said = [process.communicate(timeout=60)[1].decode() for process in (first, second)]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2, files
    assert [path.name for path in files if "unfinished" not in path.name] == ["x.mp4"]
    assert all(frames_in(path) >= 10 for path in files)
    assert sum("exists already" in text and "what was written until then is in" in text for text in said) == 1


def test_the_empty_part_of_a_recording_that_never_began_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staged_file(tmp_path / "x.mp4", keep=True):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def make_old(path: Path) -> None:
    os.utime(path, (time.time() - 2 * staged.STALE,) * 2)


HOLDING = """
import sys, time
from pathlib import Path
from blazeface.files.staged import staged_file
with staged_file(Path(sys.argv[1])) as part:
    part.write_text("all that there is")
    print(part, flush=True)
    time.sleep(100)
"""


def test_the_part_of_a_living_process_is_not_swept_however_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "_cleaned", set())
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "x.json")], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    part = Path(process.stdout.readline().decode().strip())
    try:
        make_old(part)
        staged._remove_stale_parts(tmp_path)
        assert part.exists()
    finally:
        process.kill()
        process.wait()
    monkeypatch.setattr(staged, "_cleaned", set())
    staged._remove_stale_parts(tmp_path)
    assert not part.exists()


def test_processes_of_one_number_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in two containers that share a folder."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with staged_file(tmp_path / "x.json") as one, staged_file(tmp_path / "x.json") as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "x.json").read_text() == "1"


def test_recordings_that_a_kill_left_are_never_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "_cleaned", set())
    (tmp_path / "x.unfinished-0badcafe.mp4").write_text("an hour of film")
    make_old(tmp_path / "x.unfinished-0badcafe.mp4")
    staged._remove_stale_parts(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


HANGING = """
import hashlib, sys, types
import blazeface.cli.main as main
module = types.ModuleType("hanging")
module.add_arguments = lambda parser: None
def run(args):
    print("hangs", flush=True)
    hashlib.pbkdf2_hmac("sha512", b"x", b"y", 2**31 - 1)  # in C, for an hour, and deaf to Python's handlers
module.run = run
sys.modules["blazeface.cli.cost"] = module
sys.exit(main.run_command("cost", []))
"""


@contextmanager
def hanging(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """HANGING, or a form of it, when it is in the library. Its group of processes is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=default_signals,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"hangs\n"
        time.sleep(1)  # now it is in the library
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_second_ctrl_c_ends_a_program_whose_library_hangs() -> None:
    with hanging(HANGING) as process:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_ctrl_c_in_a_child_is_not_counted_twice() -> None:
    program = HANGING.replace(
        "    hashlib",
        "    import os, signal, time\n    pid = os.fork()\n    if pid == 0:\n        signal.signal(2, signal.SIG_IGN)\n        time.sleep(60)\n    hashlib",
    ).replace("2**31 - 1", "2**21")
    with hanging(program) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130  # KeyboardInterrupt, once the library answers
