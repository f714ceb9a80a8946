"""The client of serve.py: starts the process of a contender, sends requests, ends it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

from blazeface.errors import BlazeFaceError

SERVE = Path(__file__).with_name("serve.py")
PATIENCE = 120.0
"""Seconds after which a contender that does not answer is given up."""


class Contender:
    """A detector in a process of its own.

    python: the interpreter of its environment. adapter, options: see serve.py. `about` is what it says of itself: import_s, open_s, versions,
    install_bytes. Raises BlazeFaceError with the reason when it cannot be started or stops answering.
    """

    def __init__(self, name: str, python: Path, adapter: Path, options: Mapping[str, Any]):
        self.name = name
        command = [str(python), "-P", str(SERVE), str(adapter), json.dumps(dict(options))]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "ignore", "GLOG_minloglevel": "3"},
            )
        except OSError as error:
            raise BlazeFaceError(f"{name}: {python} cannot be started: {error.strerror}") from error
        try:
            self.about = self._answer(PATIENCE)
        except BlazeFaceError:
            self.close()
            raise

    def ask(self, patience: float = PATIENCE, **request: Any) -> dict[str, Any]:
        """One request of serve.py, its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise BlazeFaceError(f"{self.name}: its process has ended") from error
        return self._answer(patience)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Contender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, patience: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        limit = Timer(patience, self._process.kill)
        limit.daemon = True
        limit.start()
        try:
            line = self._process.stdout.readline()
        finally:
            limit.cancel()
        if not line:
            raise BlazeFaceError(f"{self.name}: its process ended, or gave no answer in {patience:g} s")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BlazeFaceError(f"{self.name}: {answer['error']}")
        return answer
