"""The end of the process, with and without a reader that hangs inside its library."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from blazeface.cli.main import exit_process
from blazeface.sources import READER_THREAD_PREFIX
from blazeface.sources.live import _Reader

ENDING = """
import atexit, threading, time
from blazeface.cli.main import exit_process
atexit.register(print, "python's own end")
threading.Thread(target=time.sleep, args=(60,), name={name!r}, daemon=True).start()
print("done")
exit_process(3)
"""


@pytest.mark.parametrize(("name", "said"), [("reading cam0", "done\n"), ("tqdm", "done\npython's own end\n")])
def test_a_reader_that_hangs_is_left_behind_with_the_status(name: str, said: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ENDING.format(name=name)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (3, said, "")


def test_without_one_it_is_pythons_own_end() -> None:
    with pytest.raises(SystemExit) as end:
        exit_process(2)
    assert end.value.code == 2


def test_readers_are_known_by_their_names() -> None:
    release = threading.Event()

    def open_capture() -> object:
        release.wait(30)
        raise OSError("gone")

    reader = _Reader("cam0", open_capture, camera=True)  # type: ignore[arg-type]
    try:
        assert any(thread.name.startswith(READER_THREAD_PREFIX) for thread in threading.enumerate())
    finally:
        release.set()
        reader.close()
