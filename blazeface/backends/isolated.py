"""A model file of another kind, run in a child process with bounds on time and memory.

Nothing that the child sends is unpickled or trusted: messages are a length, a JSON text of shapes, and the raw numbers,
and all of them are checked against the ModelSpec. A crash, a hang or excessive memory ends the child alone.
"""

from __future__ import annotations

import json
import math
import signal
import struct
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.spec import ModelSpec

LOAD_SECONDS = 60.0
RUN_SECONDS = 10.0
"""Of one run, and as much again for each picture of it."""

MEMORY = 4 << 30
"""Bytes of address space that the child may have; systems other than Linux do not all hold it to that."""

MAX_MESSAGE = 1 << 28
HEAD = struct.Struct("<II")
"""Bytes of the JSON text, and of the numbers behind it."""


class IsolatedBackend:
    """A model file in a process of its own (see `Backend`). A run that crashes, or takes too long, raises
    BlazeFaceError, and so does each one after it."""

    def __init__(self, path: Path, backend: str, threads: int):
        self._shown = printable(str(path))
        program = [sys.executable, "-m", "blazeface.backends.isolated_child", str(path), backend, str(threads)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._finish = weakref.finalize(self, _end, self._process)
        self._lock = threading.Lock()
        loaded, _ = self._answer(LOAD_SECONDS)
        self.spec = ModelSpec.from_json(str(loaded.get("spec")), self._shown)
        self.input_multiple: int | None = None

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        count, anchors = len(batch), self.spec.num_anchors
        shapes = ((count, anchors), (count, anchors, self.spec.num_coords))
        sizes = [4 * math.prod(shape) for shape in shapes]
        data = np.ascontiguousarray(batch, np.float32)
        with self._lock:
            self._send({"shape": data.shape}, data.tobytes())
            _, found = self._answer(RUN_SECONDS * (1 + count))
        if len(found) != sum(sizes):
            raise BlazeFaceError(f"{self._shown}: it gives {len(found)} bytes where {sum(sizes)} are promised")
        logits = np.frombuffer(found, np.float32, sizes[0] // 4).reshape(shapes[0])
        return logits, np.frombuffer(found, np.float32, sizes[1] // 4, sizes[0]).reshape(shapes[1])

    def _send(self, head: dict[str, Any], data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, head, data)
        except (OSError, ValueError) as error:
            raise BlazeFaceError(f"{self._shown}: {self._why()}") from error

    def _answer(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The next message, for which the child has some seconds."""
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            head, data = read_message(self._process.stdout)
        except (OSError, ValueError, RecursionError) as error:
            why = f"took longer than {seconds:g} seconds and was ended" if late.is_set() else self._why()
            raise BlazeFaceError(f"{self._shown}: the process that ran it {why}") from error
        finally:
            timer.cancel()
        if "fault" in head:
            raise BlazeFaceError(printable(str(head["fault"]))[:500])
        return head, data

    def _why(self) -> str:
        self._process.kill()  # it has closed its end, or said what makes no sense
        code = self._process.wait()
        if code < 0 and -code != signal.SIGKILL:
            return f"died of {signal.Signals(-code).name}"
        return "died, perhaps for lack of memory" if code < 0 else f"ended with exit status {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what could not be sent is in its buffer
                stream.close()


def write_message(stream: Any, head: dict[str, Any], data: bytes = b"") -> None:
    text = json.dumps(head).encode()
    stream.write(HEAD.pack(len(text), len(data)) + text)
    stream.write(data)
    stream.flush()


def read_message(stream: Any) -> tuple[dict[str, Any], bytes]:
    """Raises ValueError for an end, and for what is no message."""
    text, data = HEAD.unpack(_exactly(stream, HEAD.size))
    if text > MAX_MESSAGE or data > MAX_MESSAGE:
        raise ValueError("a message that is too long")
    head = json.loads(_exactly(stream, text))
    if not isinstance(head, dict):
        raise ValueError("a message without a head")
    return head, _exactly(stream, data)


def _exactly(stream: Any, size: int) -> bytes:
    data: bytes = stream.read(size)
    if len(data) != size:
        raise ValueError("the other end has gone")
    return data
