"""One contender in a process of its own: opens a detector, then does what is asked on standard input.

    python -P serve.py ADAPTER.py '{"threads": 1, "cores": 1}'

Runs in any environment that has NumPy, without the rest of this package. ADAPTER defines
`open_detector(options) -> detector`, DISTRIBUTIONS (names of what pip installed for it) and may import its libraries at
the top: that is what is timed as the import. A detector is called with a BGR uint8 picture (H, W, 3) and gives boxes
(N, 4) x1 y1 x2 y2 in pixels, scores (N,) and keypoints (N, K, 2). It may have `stages(image)`, which gives the seconds of
its parts. With `cores` the process keeps to so many CPU cores, where the system can do that.

Requests and answers are one JSON object a line; standard output of the libraries goes to standard error. It ends with
its standard input.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    adapter_file, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    cores = options.pop("cores", None)
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    try:
        started = time.perf_counter()
        adapter = runpy.run_path(str(adapter_file))
        imported = time.perf_counter()
        detector = adapter["open_detector"](options)
        opened = time.perf_counter()
        names = adapter["DISTRIBUTIONS"]
        hello = {
            "import_s": imported - started,
            "open_s": opened - imported,
            "versions": {name: metadata.version(name) for name in names},
            "install_bytes": install_bytes(names),
        }
    except Exception as error:  # any error at the start is the answer
        reason = (str(error).strip().splitlines() or [""])[-1]
        kind = "" if type(error).__name__ == "BlazeFaceError" else f"{type(error).__name__}: "
        send(answers, {"error": f"{kind}{reason}"})
        return
    send(answers, hello)
    serve(detector, answers)


def serve(detector: Any, answers: TextIO) -> None:
    """Answer each line of standard input."""
    pictures: list[Picture] = []
    at = 0
    for line in sys.stdin:
        request = json.loads(line)
        what = request["do"]
        if what == "load":
            pictures = [np.load(file) for file in request["files"]]
            at = 0
            send(answers, {"pictures": len(pictures)})
        elif what == "detect":
            boxes, scores, keypoints = detector(np.load(request["file"]))
            rows = {"boxes": boxes, "scores": scores, "keypoints": keypoints}
            send(answers, {name: np.asarray(values, np.float64).tolist() for name, values in rows.items()})
        elif what == "turn":
            began = time.perf_counter()
            for _ in range(request["warm"]):
                detector(pictures[at % len(pictures)])
                if time.perf_counter() - began > request["seconds"]:
                    break
            wall: list[float] = []
            cpu: list[float] = []
            while len(wall) < request["count"] and (sum(wall) < request["seconds"] or not wall):
                picture = pictures[at % len(pictures)]
                at += 1
                started, used = time.perf_counter(), time.process_time()
                detector(picture)
                wall.append(time.perf_counter() - started)
                cpu.append(time.process_time() - used)
            send(answers, {"wall": wall, "cpu": cpu})
        elif what == "stages":
            parts = []
            if hasattr(detector, "stages"):
                parts = [detector.stages(pictures[i % len(pictures)]) for i in range(request["count"])]
            send(answers, {name: [part[name] for part in parts] for name in (parts[0] if parts else [])})
        elif what == "peak":
            send(answers, {"bytes": peak_memory()})


def send(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def peak_memory() -> int | None:
    """Most memory that this process has held, in bytes; None where Linux's /proc is missing."""
    # Not getrusage: its figure takes in the process that this one was forked from.
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) * 1024 if found else None


def install_bytes(names: list[str]) -> int:
    """Size of the files of these distributions and of all that they require, without extras."""
    waiting, seen, total = list(names), set(), 0
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # not for this platform, or left out on purpose
        for file in found.files or []:
            place = Path(str(found.locate_file(file)))
            if place.is_file() and "__pycache__" not in place.parts:
                total += place.stat().st_size
        for requirement in found.requires or []:
            if not re.search(r"extra\s*==", requirement):
                waiting.append(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
    if "blazeface" in seen and not any(str(f).startswith("blazeface/") for f in metadata.files("blazeface") or []):
        # An editable installation lists none of its files.
        package = Path(__file__).parents[1]
        total += sum(f.stat().st_size for f in package.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return total


if __name__ == "__main__":
    main()
