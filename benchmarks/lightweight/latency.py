"""Time of one run of a network on one thread: onnxruntime and LiteRT, the files taking turns."""

from __future__ import annotations

import datetime
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from blazeface.spec import METADATA_KEY
from blazeface.tflite.graph import read_graph
from blazeface.training.compiler import cpu_name

ROUNDS, WARM_UP = 200, 10


def latencies(files: dict[str, Path]) -> dict[str, Any]:
    """Median and 90th percentile in milliseconds of each file, and on what machine."""
    runs = {name: _opened(path) for name, path in files.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    load = os.getloadavg()[0]
    for turn in range(ROUNDS + WARM_UP):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": next((line.split(":")[1].strip() for line in cpu_name().splitlines() if "model name" in line), ""),
        "cores": os.cpu_count(),
        "load_average_before": load,
        "threads": 1,
        "rounds": ROUNDS,
        "milliseconds": {
            name: {"median": round(statistics.median(t), 3), "p90": round(float(np.percentile(t, 90)), 3)}
            for name, t in times.items()
        },
    }


def _opened(path: Path) -> Callable[[], object]:
    if path.suffix == ".tflite" and METADATA_KEY not in read_graph(path).metadata:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        return interpreter.invoke  # type: ignore[no-any-return]
    if path.suffix == ".tflite":
        from blazeface.backends.tflite_backend import TfliteBackend

        tflite = TfliteBackend(path, threads=1)
        batch = np.zeros((1, 3, tflite.spec.input_size, tflite.spec.input_size), np.float32)
        return lambda: tflite.run(batch)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    feed = {entry.name: np.zeros((1, *entry.shape[1:]), np.float32)}
    return lambda: session.run(None, feed)
