"""Time of one run of a network on one thread: onnxruntime and LiteRT, the files taking turns.

Measured is the processor time of that thread: on a quiet machine it is the time on the clock, and on a busy one it leaves
out what the thread waits for its turn. Each file runs once unmeasured before each measured run: otherwise the time of a small
network depends on which file ran before it and how much of the caches that took (.10 ms alone was up to .36 in turns).
"""

from __future__ import annotations

import datetime
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from blazeface.training.compiler import cpu_name

ROUNDS, WARM_UP = 200, 3

Run = Callable[[], object]


def latencies(files: Mapping[str, Path], rounds: int = ROUNDS) -> dict[str, Any]:
    """Least, median and 90th percentile in milliseconds of each file, and on what machine."""
    return measured({name: opened(path) for name, path in files.items()}, rounds)


def measured(runs: Mapping[str, Run], rounds: int) -> dict[str, Any]:
    """Least, median and 90th percentile in milliseconds of each, taking turns, and on what machine."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    load = os.getloadavg()[0]
    for turn in range(rounds + WARM_UP):
        for name, run in runs.items():
            run()
            start = time.thread_time()
            run()
            if turn >= WARM_UP:
                times[name].append(1000 * (time.thread_time() - start))
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": next((line.split(":")[1].strip() for line in cpu_name().splitlines() if "model name" in line), ""),
        "cores": os.cpu_count(),
        "load_average_before": load,
        "threads": 1,
        "clock": "the thread's processor time",
        "unmeasured_before_each": 1,
        "rounds": rounds,
        "milliseconds": {
            name: {
                "least": round(min(t), 4),
                "median": round(statistics.median(t), 4),
                "p90": round(float(np.percentile(t, 90)), 4),
            }
            for name, t in times.items()
        },
    }


def opened(path: Path) -> Run:
    """One run of a .onnx or .tflite file of ours, on zeros."""
    data = path.read_bytes()
    return tflite_run(data) if path.suffix == ".tflite" else onnx_run(data)


def tflite_run(data: bytes) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    picture = np.zeros(entry["shape"], entry["dtype"])

    def run() -> None:
        interpreter.set_tensor(entry["index"], picture)
        interpreter.invoke()

    return run


def onnx_run(data: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    feed = {entry.name: np.zeros((1, *entry.shape[1:]), np.float32)}
    return lambda: session.run(None, feed)
