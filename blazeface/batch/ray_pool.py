"""A pool on a Ray cluster (see `batch.run.WorkerPool`): the same run over more than one machine.

Every machine needs this package and sees the pictures under the same names, as on a shared file system.
"""

from __future__ import annotations

import os
from typing import Any

from blazeface.batch.run import Key, Outcome, WorkerExit
from blazeface.errors import BlazeFaceError, install_command
from blazeface.options import LookOptions

INSTALL_RAY = install_command("ray")


class RayPool:
    """`size` actors of one CPU each, on the cluster that RAY_ADDRESS names or on one made on this machine."""

    def __init__(self, size: int, look: LookOptions):
        try:
            import ray
        except ImportError as error:
            raise BlazeFaceError(f"--engine ray needs Ray: {INSTALL_RAY}") from error
        self.size = size
        self._ray = ray
        self._look = look
        self._actors: list[Any] = []
        self._running: dict[Any, tuple[Key, Any]] = {}
        self._begun = not ray.is_initialized()
        if self._begun:
            address = os.environ.get("RAY_ADDRESS")
            try:
                ray.init(
                    address=address,
                    num_cpus=None if address else size,
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
            except (OSError, RuntimeError, ValueError) as error:
                raise BlazeFaceError(f"Ray cannot be started: {str(error).splitlines()[0]}") from error
        self._actor = ray.remote(num_cpus=1, max_restarts=0)(_Worker)

    @property
    def free(self) -> int:
        return self.size - len(self._running)

    def submit(self, key: Key, names: list[str]) -> None:
        working = {id(actor) for _, actor in self._running.values()}
        actor = next((actor for actor in self._actors if id(actor) not in working), None)
        if actor is None:
            actor = self._actor.remote(self._look)
            self._actors.append(actor)
        self._running[actor.outcomes.remote(names)] = (key, actor)

    def wait(self, seconds: float) -> list[tuple[Key, list[Outcome] | WorkerExit]]:
        back: list[tuple[Key, list[Outcome] | WorkerExit]] = []
        waiting = list(self._running)
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        for reference in done:
            key, actor = self._running.pop(reference)
            try:
                back.append((key, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                self._actors.remove(actor)
                back.append((key, WorkerExit(str(error).splitlines()[0])))
        return back

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor)
        if self._begun:
            self._ray.shutdown()


class _Worker:
    """The actor; what it needs is imported on its own machine."""

    def __init__(self, look: LookOptions):
        import cv2

        from blazeface.detector import FaceDetector

        cv2.setNumThreads(1)
        self._detector = FaceDetector(**look.arguments)

    def outcomes(self, names: list[str]) -> list[Outcome]:
        from blazeface.batch.worker import outcomes

        return outcomes(self._detector, names)
