"""The time of two networks on one input, side by side in each runtime."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

ROUNDS, WARM_UP = 60, 5

Run = Callable[[], object]


def milliseconds(
    dense: nn.Module, light: nn.Module, example: Tensor, files: Mapping[str, tuple[Path, Path]], threads: int
) -> dict[str, tuple[float, float]]:
    """Medians before and after by runtime, "PyTorch" and the kinds of files ("onnx", "tflite"); example: a batch of one.

    All take turns. With one thread it is that thread's processor time, which leaves out what it waits for other work on the
    machine; with several it is the time on the clock.
    """
    now = time.thread_time if threads == 1 else time.perf_counter
    runs: dict[str, tuple[Run, Run]] = {"PyTorch": (_eager(dense, example), _eager(light, example))}
    inputs = example.numpy()
    for kind, (before, after) in files.items():
        opened = _onnx if kind == "onnx" else _tflite
        runs[kind] = (opened(before, inputs, threads), opened(after, inputs, threads))
    times: dict[str, tuple[list[float], list[float]]] = {kind: ([], []) for kind in runs}
    for turn in range(ROUNDS + WARM_UP):
        for kind, pair in runs.items():
            for run, kept in zip(pair, times[kind], strict=True):
                start = now()
                run()
                if turn >= WARM_UP:
                    kept.append(1000 * (now() - start))
    return {kind: (statistics.median(one), statistics.median(other)) for kind, (one, other) in times.items()}


def _eager(network: nn.Module, example: Tensor) -> Run:
    def run() -> object:
        with torch.inference_mode():
            return network(example)

    return run


def _onnx(path: Path, inputs: np.ndarray, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: inputs}
    return lambda: session.run(None, feed)


def _tflite(path: Path, inputs: np.ndarray, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    from blazeface.export.auxiliary import as_nhwc

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], as_nhwc(inputs))
    return lambda: interpreter.invoke()
