"""An hour before a bad camera: does memory grow, do threads or files leak, how late are the faces?

    python -m reliability.soak --minutes 60

Everything is what `detect.py --video cam0` runs, but for the driver of the camera: the live reader with its thread,
reconnecting, FaceDetector, tracking, one JSON line a frame. Where the reader gives up, the driver of the trial begins
anew.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from blazeface.files.staged import write_text
from blazeface.sinks.records import record
from blazeface.sources.live import LiveSource
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker
from reliability.camera import LONGEST_STALL, BadCamera, taken_at
from reliability.report import table, write_report

PICTURE = Path(__file__).parents[1] / "data" / "pictures" / "astronaut.png"
TIMEOUT = 2.0
MAX_GROWTH_MB = 5.0
SAMPLE_SECONDS = 2.0
SAVE_SECONDS = 300.0
STATE = Path(__file__).parents[1] / "out" / "soak.json"
"""The figures so far, for a trial that is cut short."""


@dataclass
class Log:
    """What is measured on the way. Arrays of fixed width, so that measuring itself hardly grows."""

    latencies: array[float] = field(default_factory=lambda: array("f"))
    memory: array[float] = field(default_factory=lambda: array("f"))
    threads: array[int] = field(default_factory=lambda: array("i"))
    files: array[int] = field(default_factory=lambda: array("i"))
    faults: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    with_face: int = 0
    begun: int = 0
    told: Counter[str] = field(default_factory=Counter)
    sampled: float = 0.0
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    def sample(self) -> None:
        now = time.monotonic()
        if now - self.sampled >= SAMPLE_SECONDS:
            self.sampled = now
            self.memory.append(memory_mb())
            self.threads.append(threading.active_count())
            self.files.append(open_files())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=12.0, help="pictures a second (default 12)")
    parser.add_argument("--every", type=float, default=8.0, help="mean seconds between mishaps (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--reconnect", type=float, default=30.0, help="as of detect.py; 0: not at all (default 30)"
    )
    args = parser.parse_args()

    camera = BadCamera(read_picture(str(PICTURE)), args.rate, args.every, args.seed)
    detector = FaceDetector()
    before = (threading.active_count(), open_files())

    def save(log: Log) -> None:
        figures = summary(log, camera, before, round((time.monotonic() - log.started) / 60, 1))
        STATE.parent.mkdir(parents=True, exist_ok=True)
        write_text(STATE, json.dumps(figures | {"seed": args.seed, "asked": args.minutes}, indent=2) + "\n")

    log = watch(camera, detector, time.monotonic() + 60 * args.minutes, args.reconnect, save)
    camera.stopping.set()
    wait_for_threads(before[0], LONGEST_STALL + 5)
    gc.collect()
    figures = summary(log, camera, before, args.minutes) | {"seed": args.seed}
    path = write_report("soak", figures, as_text(figures))
    print(f"written to {path}: {'passed' if figures['passed'] else 'FAILED'}")
    return 0 if figures["passed"] else 1


def watch(
    camera: BadCamera,
    detector: FaceDetector,
    end: float,
    reconnect: float,
    save: Callable[[Log], None] = lambda log: None,
) -> Log:
    """Read the camera until `end`, beginning anew after each fault that the reader does not come over.

    save: called every SAVE_SECONDS.
    """
    log = Log()

    def report(sentence: str) -> None:
        log.told[re.sub(r"\d+(\.\d+)?", "N", sentence.replace("cam0", "camera"))] += 1

    stop = lambda: time.monotonic() >= end  # noqa: E731
    tracker = Tracker(OneEuro())
    with open(os.devnull, "w", encoding="ascii") as sink:
        while time.monotonic() < end:
            started = time.monotonic()
            log.begun += 1
            try:
                with LiveSource("cam0", camera.open, TIMEOUT, stop, True, reconnect, report) as clip:
                    for frame in clip.frames():
                        faces = detector.detect(frame.image)
                        sink.write(json.dumps(record(frame, tracker.update(faces, started + float(frame.time)))))
                        log.latencies.append(time.monotonic() - taken_at(frame.image))
                        log.frames += 1
                        log.with_face += len(faces) > 0
                        log.sample()
                        if time.monotonic() - log.saved >= SAVE_SECONDS:
                            log.saved = time.monotonic()
                            save(log)
            except BlazeFaceError as fault:
                log.faults[str(fault)] += 1
                log.sample()
                time.sleep(0.1)
    return log


def summary(log: Log, camera: BadCamera, before: tuple[int, int], minutes: float) -> dict[str, Any]:
    """The figures of the report. Growth: the last tenth of the time against the second tenth, medians."""
    tenth = max(1, len(log.memory) // 10)
    early, late = median(log.memory[tenth : 2 * tenth] or log.memory), median(log.memory[-tenth:])
    after = (threading.active_count(), open_files())
    latency = {f"p{q}": round(float(np.percentile(log.latencies, q)) * 1000, 1) for q in (50, 90, 99)}
    return {
        "minutes": minutes,
        "rate": camera.rate,
        "frames": log.frames,
        "with_face": log.with_face,
        "opened": camera.opened,
        "begun": log.begun,
        "told": dict(log.told.most_common()),
        "mishaps": dict(sorted(camera.mishaps.items())),
        "faults": dict(log.faults.most_common()),
        "latency_ms": latency | {"largest": round(max(log.latencies) * 1000, 1)},
        "memory_mb": {
            "second_tenth": round(early, 2),
            "last_tenth": round(late, 2),
            "growth": round(late - early, 2),
            "largest": round(max(log.memory), 2),
            "tenths": [round(median(log.memory[i * tenth : (i + 1) * tenth] or log.memory), 1) for i in range(10)],
        },
        "threads": {"before": before[0], "after": after[0], "most": max(log.threads)},
        "files": {"before": before[1], "after": after[1], "most": max(log.files)},
        "passed": late - early < MAX_GROWTH_MB and after[0] <= before[0] and after[1] <= before[1],
    }


def as_text(figures: dict[str, Any]) -> str:
    memory, threads, files, latency = (figures[key] for key in ("memory_mb", "threads", "files", "latency_ms"))
    rows: list[list[Any]] = [
        ["minutes", figures["minutes"]],
        ["frames looked at", figures["frames"]],
        ["frames with a face", figures["with_face"]],
        ["times the camera was opened", figures["opened"]],
        ["times the trial began anew", figures["begun"] - 1],
        *[[f"mishap: {kind}", count] for kind, count in figures["mishaps"].items()],
        *[[f"said: {sentence}", count] for sentence, count in figures["told"].items()],
        *[[f"fault reported: {fault}", count] for fault, count in figures["faults"].items()],
        ["latency p50, ms", latency["p50"]],
        ["latency p99, ms", latency["p99"]],
        ["latency, largest, ms", latency["largest"]],
        ["memory, second tenth of the time, MB", memory["second_tenth"]],
        ["memory, last tenth, MB", memory["last_tenth"]],
        ["memory growth, MB", memory["growth"]],
        ["memory in each tenth, MB", ", ".join(f"{value:g}" for value in memory["tenths"])],
        ["threads before, most, after", f"{threads['before']}, {threads['most']}, {threads['after']}"],
        ["open files before, most, after", f"{files['before']}, {files['most']}, {files['after']}"],
    ]
    return (
        f"A simulated camera of {figures['rate']:g} pictures a second that stalls, gives nothing, breaks off, throws,"
        " changes its size and refuses to be opened. Latency: from the driver's picture to its JSON line. "
        f"{'Passed' if figures['passed'] else '**Failed**'}: memory may grow by less than {MAX_GROWTH_MB:g} MB, and no"
        f" thread and no open file may be left.\n\n{table(['', 'value'], rows)}"
    )


def wait_for_threads(count: int, seconds: float) -> None:
    """A reader that hung in the driver when it was left ends as soon as the driver answers."""
    end = time.monotonic() + seconds
    while threading.active_count() > count and time.monotonic() < end:
        time.sleep(0.1)


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    sys.exit(main())
