"""The exported auxiliary networks of one picture as functions, one thread each: what is in a file is asked, not PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Runner = Callable[[Floats], Floats]
"""(N, 3, S, S) -> answers (N, ...)."""


def onnx_runner(path: Path) -> Runner:
    """A file of `auxiliary.export_onnx`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    return lambda pictures: np.asarray(session.run(None, {entry.name: pictures})[0])


def tflite_runner(path: Path) -> Runner:
    """A file of `auxiliary.export_tflite`, one picture after another. Raises ImportError without LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(pictures: Floats) -> Floats:
        rows = []
        for picture in pictures:
            interpreter.set_tensor(entry["index"], np.ascontiguousarray(picture.transpose(1, 2, 0)[None]))
            interpreter.invoke()
            rows.append(interpreter.get_tensor(result["index"])[0])
        return np.stack(rows)

    return run
