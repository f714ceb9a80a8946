"""The child process of `isolated.IsolatedBackend`: python -m blazeface.backends.isolated_child MODEL BACKEND THREADS"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from blazeface.backends import open_backend
from blazeface.backends.isolated import MEMORY, read_message, write_message
from blazeface.errors import BlazeFaceError


def main() -> None:
    path, backend, threads = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what a runtime prints is no answer
        os.dup2(nowhere, stream)
    limit()
    try:
        model = open_backend(Path(path), backend, int(threads), check=False)
        write_message(answers, {"spec": model.spec.to_json()})
        while True:
            try:
                head, data = read_message(sys.stdin.buffer)
            except ValueError:
                return
            logits, regressions = model.run(np.frombuffer(data, np.float32).reshape(head["shape"]))
            found = (np.ascontiguousarray(part, np.float32).tobytes() for part in (logits, regressions))
            write_message(answers, {}, b"".join(found))
    except BlazeFaceError as error:
        write_message(answers, {"fault": str(error)})
    except Exception as error:  # runtimes raise many types
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        write_message(answers, {"fault": f"{path}: the network cannot be run: {reason}"})


def limit() -> None:
    """No more memory than MEMORY, no file written, no core dumped; and an end when the parent ends."""
    with suppress(ImportError):  # Windows has none of these
        import resource

        for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
            with suppress(ValueError, OSError):
                resource.setrlimit(what, (most, most))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    main()
