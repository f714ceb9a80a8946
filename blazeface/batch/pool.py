"""A pool of processes on this machine (see `batch.run.WorkerPool`)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from blazeface.batch.run import Key, Outcome, WorkerExit
from blazeface.batch.worker import outcomes
from blazeface.detector import FaceDetector
from blazeface.options import LookOptions

CHUNK_SECONDS = 60.0
"""What a worker has for the names that it was given; then it is ended, and they are tried one by one, with as much time
for each. Sixteen photographs take a second or two."""

LOAD_SECONDS = 240.0
"""And for its start, with the model, on a slow and busy machine."""


class ProcessPool:
    """`size` processes, each with a detector of its own. They end with this one, even when it is killed."""

    def __init__(self, size: int, look: LookOptions):
        self.size = size
        # Spawned: a fork would copy locks that threads of this process hold.
        self._context = multiprocessing.get_context("spawn")
        self._look = look
        self._workers: list[_Worker] = []

    @property
    def free(self) -> int:
        return self.size - sum(worker.key is not None for worker in self._workers)

    def submit(self, key: Key, names: list[str]) -> None:
        worker = next((worker for worker in self._workers if worker.key is None), None)
        if worker is None:
            worker = self._start()
            self._workers.append(worker)
        worker.key, worker.since = key, time.monotonic()
        with suppress(OSError):  # it died while idle; wait() will see that it is gone
            worker.connection.send(names)

    def wait(self, seconds: float) -> list[tuple[Key, list[Outcome] | WorkerExit]]:
        busy = {worker.connection: worker for worker in self._workers if worker.key is not None}
        back: list[tuple[Key, list[Outcome] | WorkerExit]] = []
        for connection in wait(list(busy), seconds):  # a dead worker's connection is ready as well, with its end
            worker = busy[connection]  # type: ignore[index]
            key = worker.key
            assert key is not None
            try:
                back.append((key, worker.connection.recv()))
                worker.key = None
                worker.loaded = True
            except (EOFError, OSError):
                self._workers.remove(worker)
                back.append((key, WorkerExit(worker.wait_for_exit())))
        back += self._late()
        return back

    def _late(self) -> list[tuple[Key, list[Outcome] | WorkerExit]]:
        """End the workers that have had their names for too long."""
        back: list[tuple[Key, list[Outcome] | WorkerExit]] = []
        for worker in list(self._workers):
            allowed = CHUNK_SECONDS + (0 if worker.loaded else LOAD_SECONDS)
            if worker.key is None or time.monotonic() - worker.since < allowed or worker.connection.poll():
                continue
            worker.process.kill()
            worker.wait_for_exit()
            self._workers.remove(worker)
            back.append((worker.key, WorkerExit(f"took longer than {CHUNK_SECONDS:g} seconds", late=True)))
        return back

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            if worker.key is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.wait_for_exit()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._look), daemon=True)
        process.start()
        theirs.close()  # so that its end is seen when the process dies
        return _Worker(process, ours)


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    key: Key | None = None
    since: float = 0.0
    loaded: bool = False

    def wait_for_exit(self) -> str:
        """Wait for the end of the process; why it ended."""
        self.process.join(5)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _serve(connection: Connection, look: LookOptions) -> None:
    """The process: chunks of names in, outcomes out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that hands out the work
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)  # as many processes as there shall be threads
    detector = FaceDetector(**look.arguments)
    while True:
        try:
            names = connection.recv()
            connection.send(outcomes(detector, names))
        except (EOFError, OSError):
            return
