"""One file per runtime, all with one protocol: run(batch) -> (logits, regressions)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.staged import require_regular_file
from blazeface.guard import UnlistedModel
from blazeface.spec import ModelSpec


@dataclass(frozen=True)
class Runtime:
    """suffix: of the files that it reads. class_name: the class in `backends.NAME_backend`. package: what people call what it
    needs. extra: what pip installs for it; "" for what every installation has."""

    suffix: str
    class_name: str
    package: str
    extra: str


RUNTIMES = {
    "onnxruntime": Runtime(".onnx", "OnnxBackend", "onnxruntime", ""),
    "torch": Runtime(".safetensors", "TorchBackend", "PyTorch and safetensors", "train"),
    "tflite": Runtime(".tflite", "TfliteBackend", "LiteRT", "tflite"),
    "openvino": Runtime(".xml", "OpenvinoBackend", "OpenVINO", "openvino"),
    "ncnn": Runtime(".param", "NcnnBackend", "ncnn", "ncnn"),
}
"""By the backend's name. Files of two parts go by the one named here; the other, .bin, lies beside it."""

SUFFIXES = {name: runtime.suffix for name, runtime in RUNTIMES.items()}
"""The files that each backend reads."""

BACKENDS = tuple(RUNTIMES)

TRUST_HELP = (
    "run a model file of another kind than is exported here as well, in a process with bounds on time and memory"
)
"""What --trust-model does, wherever it is a flag."""

MAX_BYTES = 2**28
"""A larger file is not looked into."""


class Backend(Protocol):
    """A model file, loaded and ready.

    spec: what the file says about itself. input_multiple: of what the height and width of an input must be; None
    where only the spec's square can be run. run takes (B, 3, H, W) float32, normalised RGB, and gives logits (B, A) and
    regressions (B, A, 4 + 2K), float32, not decoded; A follows from H and W (`anchors.anchor_centers`). run may be called from
    several threads at once.
    """

    spec: ModelSpec
    input_multiple: int | None

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]: ...


def backend_for(model: str | Path) -> str:
    """The backend that reads a model file, by its suffix; onnxruntime for a shipped model or an unknown suffix."""
    backends = {suffix: backend for backend, suffix in SUFFIXES.items()}
    return backends.get(Path(model).suffix, "onnxruntime")


def open_backend(
    path: Path,
    backend: str,
    threads: int,
    trust: bool = False,
    check: bool = True,
    providers: Sequence[str] | None = None,
) -> Backend:
    """Load a model file in the runtime named; what is missing or wrong is said in one sentence.

    A file is checked before the runtime sees it (`blazeface.guard`). One that holds other operators than a face
    detector of this kind, or costs too much, raises UnlistedModel; with `trust` it runs in a child process instead.
    check: False in that child alone. providers: of onnxruntime alone; see `FaceDetector`.
    """
    if backend not in BACKENDS:
        raise BlazeFaceError(f"unknown backend {backend!r}: choose one of {', '.join(BACKENDS)}")
    if providers is not None and backend != "onnxruntime":
        raise BlazeFaceError(f"providers are onnxruntime's, and the {backend} backend has none: leave them out")
    if path.suffix == ".mlpackage":
        raise BlazeFaceError(
            f"{path}: Core ML runs on Apple's devices only: export the same weights in another format"
        )
    if not path.exists():
        raise BlazeFaceError(f"{path}: no such model file")
    require_regular_file(str(path))
    if path.stat().st_size > MAX_BYTES:
        raise BlazeFaceError(f"{path}: larger than {MAX_BYTES >> 20} MiB, too large for a face detector")
    runtime = RUNTIMES[backend]
    if path.suffix != runtime.suffix:
        raise BlazeFaceError(
            f"{path}: the {backend} backend reads {runtime.suffix}, not {path.suffix or 'this file'}"
        )
    try:
        module = importlib.import_module(f"blazeface.backends.{backend.removesuffix('runtime')}_backend")
    except ImportError as error:
        if not runtime.extra:
            raise
        raise BlazeFaceError(
            f"the {backend} backend needs {runtime.package}: {install_command(runtime.extra)} ({error})"
        ) from error
    arguments = (path, threads) if backend == "torch" else (path, threads, check)
    options = {} if providers is None else {"providers": providers}
    try:
        return cast(Backend, getattr(module, runtime.class_name)(*arguments, **options))
    except UnlistedModel:
        if not trust:
            raise
        from blazeface.backends.isolated import IsolatedBackend  # it starts a process of this package

        return IsolatedBackend(path, backend, threads)
    except BlazeFaceError:
        raise
    except (
        Exception
    ) as error:  # damage that the runtime notices in a way of its own: metadata that is no text, say
        raise BlazeFaceError(f"{path}: {backend} cannot load it: {str(error).splitlines()[0]}") from error
