"""OpenVINO: Intel's runtime, on the CPU."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.backends.decoded import in_batches_of
from blazeface.errors import BlazeFaceError
from blazeface.guard.openvino_check import check_openvino, read_openvino
from blazeface.spec import METADATA_KEY, ModelSpec

# Importing OpenVINO reports to its makers over the network, by way of a package that it can do without.
_AWAY = "openvino_telemetry" not in sys.modules
if _AWAY:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino as openvino  # noqa: E402  (under its own name: others import it from here)

if _AWAY:
    del sys.modules["openvino_telemetry"]

SPEC_PLACE = METADATA_KEY.split(".")
"""Where the ModelSpec stands in a file's rt_info: the path of names."""


class _Stack(ctypes.Structure):
    """stack_t of Linux's signal.h."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def _own_signal_stack() -> Iterator[None]:
    """Put back the stack on which this thread's signal handlers run.

    Compiling leaves another one behind, which is too small: the next Ctrl-C would then take the process down.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    libc, before = ctypes.CDLL(None), _Stack()
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(before), None)


class OpenvinoBackend:
    """An OpenVINO .xml file with its .bin beside it (see `Backend`), in any precision.

    The arithmetic is that of float32 wherever the file does not ask for int8: left to itself, OpenVINO computes in
    bfloat16 or float16 on processors that have them, and gives other answers there.
    """

    def __init__(self, path: Path, threads: int, check: bool = True):
        # OpenVINO is given what was checked, not the names of the files.
        text, self._weights = check_openvino(path) if check else read_openvino(path)
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(text, self._weights)
        except Exception as error:  # any damage is a RuntimeError or one of its own, of many lines
            raise BlazeFaceError(f"{path}: OpenVINO cannot load it: {_first_line(error)}") from error
        if not self._model.has_rt_info(SPEC_PLACE):
            raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} metadata, so it was not exported by blazeface")
        self.spec = ModelSpec.from_json(str(self._model.get_rt_info(SPEC_PLACE).value), str(path))
        self.input_multiple: int | None = None
        self._batch = _check_shapes(self._model, self.spec, path)
        self._settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(threads),
        }
        self._lock = threading.Lock()  # a request holds one batch at a time
        self._requests: dict[int, Any] = {}
        try:
            self._request(self._batch or 1)
        except Exception as error:
            raise BlazeFaceError(f"{path}: OpenVINO cannot load it: {_first_line(error)}") from error

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        if self._batch is not None:
            logits, regressions = in_batches_of(self._batch, self._run, batch)
            return logits, regressions
        return self._run(batch)

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        with self._lock:
            # A picture alone and any other number are compiled apart: a fixed shape runs faster.
            request = self._request(1 if self._batch is None and len(batch) == 1 else self._batch or 0)
            # Tensors set and fetched by hand: `infer(inputs)` spends a tenth of the network's time on its dictionary.
            pictures = np.ascontiguousarray(batch)
            request.set_input_tensor(openvino.Tensor(pictures, shared_memory=True))
            request.infer()
            return request.get_tensor("logits").data.copy(), request.get_tensor("regressions").data.copy()

    def _request(self, size: int) -> Any:
        """For batches of one size, or, by 0, of any."""
        if size not in self._requests:
            model = self._model
            if size == 1 and self._batch is None:
                model = model.clone()
                side = self.spec.input_size
                model.reshape([1, 3, side, side])
            with _own_signal_stack():
                compiled = self._core.compile_model(model, "CPU", self._settings)
            self._requests[size] = compiled.create_infer_request()
        return self._requests[size]


def _check_shapes(model: Any, spec: ModelSpec, path: Path) -> int | None:
    """Refuse a file whose tensors are not what its ModelSpec promises; give the batch, None for any."""
    size, anchors = spec.input_size, spec.num_anchors
    expected = {
        "image": ["3", f"{size}", f"{size}"],
        "logits": [f"{anchors}"],
        "regressions": [f"{anchors}", f"{spec.num_coords}"],
    }
    found = {
        port.get_any_name() if port.get_names() else "?": [str(axis) for axis in port.get_partial_shape()][1:]
        for port in (*model.inputs, *model.outputs)
    }
    if found != expected:
        raise BlazeFaceError(
            f"{path}: its ModelSpec promises tensors {expected}, but the file has {found} (batch axis left out)"
        )
    batch = model.inputs[0].get_partial_shape()[0]
    return None if batch.is_dynamic else int(batch.get_length())


def _first_line(error: Exception) -> str:
    """The last line that says something: OpenVINO puts where in its own code it happened before what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
