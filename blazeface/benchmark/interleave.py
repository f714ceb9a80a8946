"""Interleaved timing of several detectors, so that other load on the machine slows all of them alike.

Only one works at a time. A turn is a few detections that do not count, which bring its code and data back into the
caches, then up to TURN that do, or as many as fit TURN_SECONDS.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from blazeface.benchmark.contender import Contender
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image

WARM_UP, TURN, TURN_SECONDS = 2, 20, 0.1

Figures = dict[str, Any]
"""Of one contender; see `figures`."""


def interleaved(
    contenders: Mapping[str, Contender], pictures: Sequence[Image], rounds: int
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Figures of each contender, and for those that gave up on the way the reason."""
    asked: dict[str, dict[str, list[float]]] = {name: {} for name in contenders}
    lost: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, picture in enumerate(pictures):
            files.append(str(Path(folder) / f"{i}.npy"))
            np.save(files[-1], picture)
        for turn in tqdm(range(rounds + 1), "taking turns", unit="round", leave=False, disable=None):
            for name, contender in contenders.items():
                if name in lost:
                    continue
                try:
                    if turn == 0:  # the first round only wakes them up
                        contender.ask(do="load", files=files)
                        contender.ask(do="turn", warm=0, count=2 * len(files), seconds=4 * TURN_SECONDS)
                        continue
                    times = contender.ask(do="turn", warm=WARM_UP, count=TURN, seconds=TURN_SECONDS)
                    times |= contender.ask(do="stages", count=len(files))
                    for kind, values in times.items():
                        asked[name].setdefault(kind, []).extend(values)
                except BlazeFaceError as error:
                    lost[name] = str(error)
    found = {}
    for name, contender in contenders.items():
        if name not in lost:
            found[name] = figures(asked[name], contender.ask(do="peak")["bytes"])
    return found, lost


def figures(times: Mapping[str, Sequence[float]], peak: int | None) -> Figures:
    """Seconds of single detections -> milliseconds: median and 95th percentile by the clock, median of CPU time (of all
    threads), medians of the parts; the peak of memory in MB."""
    milliseconds = {kind: np.array(values) * 1e3 for kind, values in times.items()}
    row: Figures = {
        "median_ms": _round(np.median(milliseconds["wall"])),
        "p95_ms": _round(np.percentile(milliseconds["wall"], 95)),
        "cpu_ms": _round(np.median(milliseconds["cpu"])),
        "detections": len(milliseconds["wall"]),
        "peak_mb": None if peak is None else round(peak / 1e6, 1),
    }
    for part in ("pre", "network", "post"):
        if part in milliseconds:
            row[f"{part}_ms"] = _round(np.median(milliseconds[part]))
    return row


def machine() -> dict[str, Any]:
    """Where and when something was measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def middle(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def _round(value: Any) -> float:
    return round(float(value), 4)
