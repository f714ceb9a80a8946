"""LiteRT: the runtime that Android and MediaPipe use, here on the CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import IMAGE_KEY, as_pictures, as_raw, in_batches_of
from blazeface.errors import BlazeFaceError
from blazeface.guard.tflite_check import check_tflite_model
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.tflite.graph import MAX_BYTES, Graph, graph_of
from blazeface.tflite.reader import model_of, read_bytes


class TfliteBackend:
    """A .tflite file with a ModelSpec in its metadata (see `Backend`), in any precision, decoded
    (`backends.decoded`) or not. It takes as many pictures at once as it was exported for; more run in turn."""

    def __init__(self, path: Path, threads: int, check: bool = True):
        self._data = read_bytes(
            path, MAX_BYTES
        )  # LiteRT is given what was checked, and reads it as long as it runs
        model = model_of(self._data, path)
        graph = graph_of(model, path)
        if check:  # LiteRT takes the process down where a file's numbers do not go together
            check_tflite_model(model, path)
        if METADATA_KEY not in graph.metadata:
            raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} metadata, so it was not exported by blazeface")
        try:
            text = graph.metadata[METADATA_KEY].decode()
        except UnicodeDecodeError as error:
            raise BlazeFaceError(f"{path}: its ModelSpec metadata cannot be read: {error}") from error
        self.spec = ModelSpec.from_json(text, str(path))
        self.input_multiple: int | None = None
        self._centers = anchor_centers(self.spec.anchor_maps) if IMAGE_KEY in graph.metadata else None
        self._batch = _check_shapes(graph, self.spec, self._centers is not None, path)
        try:
            with _silenced():
                self._interpreter = Interpreter(model_content=self._data, num_threads=threads or None)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BlazeFaceError(f"{path}: LiteRT cannot load it: {reason}") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]
        self._lock = threading.Lock()  # an interpreter holds one picture at a time

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        logits, regressions = in_batches_of(self._batch, self._run, batch)
        return logits, regressions

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        if self._centers is None:
            regressions, logits = self._invoke(np.ascontiguousarray(batch.transpose(0, 2, 3, 1)))
            return logits[:, :, 0], regressions
        boxes, keypoints, scores = self._invoke(as_pictures(batch, self.spec))
        return as_raw(boxes, keypoints, scores, self._centers, self.spec)

    def _invoke(self, pictures: NDArray[Any]) -> list[NDArray[Any]]:
        with self._lock:
            self._interpreter.set_tensor(self._input, pictures)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(number) for number in self._outputs]


def _check_shapes(graph: Graph, spec: ModelSpec, decoded: bool, path: Path) -> int:
    """Refuse a file whose tensors are not what its ModelSpec promises; give the pictures that it takes at once."""
    size, anchors = spec.input_size, spec.num_anchors
    found = [[graph.shapes[number] for number in numbers] for numbers in (graph.inputs, graph.outputs)]
    batch = max(1, found[0][0][0]) if found[0] and found[0][0] else 1
    outputs: list[tuple[int, ...]] = [(batch, anchors, spec.num_coords), (batch, anchors, 1)]
    if decoded:
        outputs = [(batch, anchors, 4), (batch, anchors, spec.num_keypoints, 2), (batch, anchors)]
    expected = [[(batch, size, size, 3)], outputs]
    if found != expected:
        raise BlazeFaceError(
            f"{path}: its ModelSpec promises tensors {expected[0]} in and {expected[1]} out,"
            f" but the file has {found[0]} and {found[1]}"
        )
    return batch


@contextmanager
def _silenced() -> Iterator[None]:
    """LiteRT tells on standard error, from C++ and without a switch, which delegate it made. What goes wrong it raises
    as well."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
    finally:
        os.close(saved)
