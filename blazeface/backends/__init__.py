"""One file per runtime behind one tiny protocol: run(batch) -> (logits, regressions)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.files.whole import refuse_odd_file
from blazeface.spec import ModelSpec

SUFFIXES = {"onnxruntime": ".onnx", "torch": ".safetensors", "tflite": ".tflite"}
"""The files that each backend reads."""

BACKENDS = tuple(SUFFIXES)

MAX_BYTES = 2**28
"""A larger file is not looked into."""


class Backend(Protocol):
    """A model file, loaded and ready.

    spec: what the file says about itself. run takes (B, 3, S, S) float32, normalised RGB, and gives
    logits (B, A) and regressions (B, A, 4 + 2K), float32, not decoded. run may be called from several
    threads at once.
    """

    spec: ModelSpec

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]: ...


def backend_for(model: str | Path) -> str:
    """The backend that reads a model file, by its suffix; onnxruntime for a shipped model or an unknown suffix."""
    backends = {suffix: backend for backend, suffix in SUFFIXES.items()}
    return backends.get(Path(model).suffix, "onnxruntime")


def open_backend(path: Path, backend: str, threads: int) -> Backend:
    """Load a model file in the runtime named; what is missing or wrong is said in one sentence."""
    if backend not in BACKENDS:
        raise BlazeFaceError(f"unknown backend {backend!r}: choose one of {', '.join(BACKENDS)}")
    if not path.exists():
        raise BlazeFaceError(f"{path}: no such model file")
    refuse_odd_file(str(path))
    if path.stat().st_size > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than {MAX_BYTES >> 20} MiB, too large for a face detector")
    suffix = SUFFIXES[backend]
    if path.suffix != suffix:
        raise BlazeFaceError(f"{path}: the {backend} backend reads {suffix}, not {path.suffix or 'this file'}")
    if backend == "torch":
        try:
            from blazeface.backends.torch_backend import TorchBackend
        except ImportError as error:
            raise BlazeFaceError(
                f"the torch backend needs PyTorch and safetensors: pip install 'blazeface[train]' ({error})"
            ) from error
        return TorchBackend(path, threads)
    if backend == "tflite":
        try:
            from blazeface.backends.tflite_backend import TfliteBackend
        except ImportError as error:
            raise BlazeFaceError(
                f"the tflite backend needs LiteRT: pip install 'blazeface[tflite]' ({error})"
            ) from error
        return TfliteBackend(path, threads)
    from blazeface.backends.onnx_backend import OnnxBackend

    return OnnxBackend(path, threads)
