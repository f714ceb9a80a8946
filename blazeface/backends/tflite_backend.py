"""LiteRT: the runtime that Android and MediaPipe use, here on the CPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.models.tflite_graph import Graph, read_graph
from blazeface.spec import METADATA_KEY, ModelSpec


class TfliteBackend:
    """A .tflite file with a ModelSpec in its metadata (see `Backend`). Pictures of a batch run one by one."""

    def __init__(self, path: Path, threads: int):
        graph = read_graph(path)  # it finds damage that would take LiteRT, and Python with it, down
        if METADATA_KEY not in graph.metadata:
            raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} metadata, so it was not exported by blazeface")
        try:
            text = graph.metadata[METADATA_KEY].decode()
        except UnicodeDecodeError as error:
            raise BlazeFaceError(f"{path}: its ModelSpec metadata cannot be read: {error}") from error
        self.spec = ModelSpec.from_json(text, str(path))
        _check_shapes(graph, self.spec, path)
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads or None)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BlazeFaceError(f"{path}: LiteRT cannot load it: {reason}") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]
        self._lock = threading.Lock()  # an interpreter holds one picture at a time

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        count, anchors = len(batch), self.spec.num_anchors
        logits = np.empty((count, anchors), np.float32)
        regressions = np.empty((count, anchors, self.spec.num_coords), np.float32)
        for i, planes in enumerate(batch):
            image = np.ascontiguousarray(planes.transpose(1, 2, 0))[None]
            with self._lock:
                self._interpreter.set_tensor(self._input, image)
                self._interpreter.invoke()
                regressions[i] = self._interpreter.get_tensor(self._outputs[0])[0]
                logits[i] = self._interpreter.get_tensor(self._outputs[1])[0, :, 0]
        return logits, regressions


def _check_shapes(graph: Graph, spec: ModelSpec, path: Path) -> None:
    """Refuse a file whose tensors are not what its ModelSpec promises."""
    size, anchors = spec.input_size, spec.num_anchors
    expected = [[(1, size, size, 3)], [(1, anchors, spec.num_coords), (1, anchors, 1)]]
    found = [[graph.shapes[number] for number in numbers] for numbers in (graph.inputs, graph.outputs)]
    if found != expected:
        raise BlazeFaceError(
            f"{path}: its ModelSpec promises tensors {expected[0]} in and {expected[1]} out,"
            f" but the file has {found[0]} and {found[1]}"
        )
