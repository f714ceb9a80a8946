"""A pool of processes on this machine (see `batch.run.WorkerPool`)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from blazeface.batch.run import Key, Outcome, WorkerExit
from blazeface.batch.worker import outcomes
from blazeface.detector import FaceDetector
from blazeface.options import LookOptions


class ProcessPool:
    """`size` processes, each with a detector of its own. They end with this one, even when it is killed."""

    def __init__(self, size: int, look: LookOptions):
        self.size = size
        # Started from nothing: a fork would copy the threads' locks of whatever runs here.
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
        worker.key = key
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
            except (EOFError, OSError):
                self._workers.remove(worker)
                back.append((key, WorkerExit(worker.wait_for_exit())))
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
