"""onnxruntime, the default: runs anywhere, needs nothing but numpy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends.decoded import IMAGE_KEY, as_pictures, as_raw, in_batches_of
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import require_regular_file
from blazeface.guard.onnx_check import check_onnx
from blazeface.spec import METADATA_KEY, ModelSpec

NMS_KEY = "blazeface.nms"
"""The metadata entry of a file with its own suppression."""


MULTIPLE_KEY = "blazeface.input_multiple"
"""The metadata entry of a file with free height and width, HEIGHT and WIDTH in its input's shape: a number that must
divide both."""

HEIGHT, WIDTH, ANCHORS = "height", "width", "anchors"

ARENA_MEGABYTES = 512
"""What all sessions of a process may take together for weights and tensors. A file's tensors between input and output
are of any size it likes, and are found out only when they are asked for."""

CPU = "CPUExecutionProvider"

SHORT_NAMES = {"directml": "Dml", "trt": "TensorRT"}
"""What people call a provider, where that is not how onnxruntime begins its name."""

RUN_PIXELS, RUN_PIXELS_ELSEWHERE = 2**15, 2**20
"""Input pixels of one run on the CPU: two pictures of 128 x 128, one of 256 x 256. More gain nothing there, and each
number of pictures takes memory of its own in the arena. Then on other providers, which have their own memory. A picture
that alone has more is run alone."""

MAX_MULTIPLE = 1024


class OnnxBackend:
    """An ONNX file with a ModelSpec in its metadata (see `Backend`), decoded (`backends.decoded`) or not."""

    def __init__(self, path: Path, threads: int, check: bool = True, providers: Sequence[str] | None = None):
        self._session = open_session(path, threads, check, providers=providers)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise BlazeFaceError(f"{path}: it has no {METADATA_KEY} metadata, so it was not exported by blazeface")
        if NMS_KEY in metadata:
            raise BlazeFaceError(
                f"{path}: it was exported with --nms and suppresses faces itself, so there is nothing to blend: run it"
                " in onnxruntime, or export it without --nms"
            )
        self.spec = ModelSpec.from_json(metadata[METADATA_KEY], str(path))
        self._centers = anchor_centers(self.spec.anchor_maps) if IMAGE_KEY in metadata else None
        self.input_multiple = _multiple(metadata.get(MULTIPLE_KEY), path)
        self._free: onnxruntime.InferenceSession | None = None
        if self.input_multiple is not None:
            # The square in a session of its own, in which it is known before: its memory is laid out once, and it runs
            # as fast as in a file of that shape.
            self._free, self._session = (
                self._session,
                open_session(path, threads, check, self.spec.input_size, providers),
            )
        self._check_shapes(path)
        batch = self._session.get_inputs()[0].shape[0]
        self._batch = batch if isinstance(batch, int) else None
        self._on_cpu = self._session.get_providers() == [CPU]

    def run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        fixed = self._batch is not None
        pixels = RUN_PIXELS if self._on_cpu else RUN_PIXELS_ELSEWHERE
        most = max(1, pixels // (batch.shape[2] * batch.shape[3]))
        logits, regressions = in_batches_of(self._batch or most, self._run, batch, fill=fixed)
        return logits, regressions

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        if self._centers is None:
            square = batch.shape[2] == batch.shape[3] == self.spec.input_size
            session = self._session if square or self._free is None else self._free
            logits, regressions = run_session(session, ["logits", "regressions"], batch)
            return np.asarray(logits), np.asarray(regressions)
        pictures = as_pictures(batch, self.spec)
        boxes, keypoints, scores = run_session(self._session, ["boxes", "keypoints", "scores"], pictures)
        return as_raw(np.asarray(boxes), np.asarray(keypoints), np.asarray(scores), self._centers, self.spec)

    def _check_shapes(self, path: Path) -> None:
        """Refuse a file whose tensors are not what its ModelSpec promises."""
        spec = self.spec
        size, anchors = spec.input_size, spec.num_anchors
        expected: dict[str, list[Any]] = {
            "image": [3, size, size],
            "logits": [anchors],
            "regressions": [anchors, spec.num_coords],
        }
        if self._centers is not None:
            points = [anchors, spec.num_keypoints, 2]
            expected = {"image": [size, size, 3], "boxes": [anchors, 4], "keypoints": points, "scores": [anchors]}
        session = self._session
        if self._free is not None:
            session = self._free
            expected["image"] = [3, HEIGHT, WIDTH]
            expected["logits"] = [ANCHORS]
            expected["regressions"] = [ANCHORS, spec.num_coords]
        tensors = (*session.get_inputs(), *session.get_outputs())
        found = {tensor.name: list(tensor.shape[1:]) for tensor in tensors}
        if found != expected:
            raise BlazeFaceError(
                f"{path}: its ModelSpec promises tensors {expected}, but the file has {found} (batch axis left out)"
            )


def run_session(session: onnxruntime.InferenceSession, outputs: list[str], image: NDArray[Any]) -> list[Any]:
    """Run a network; once more where the arena is full of pieces of other sizes, which a run that fails so gives back.

    Each shape of input leaves pieces of its own in the arena (onnxruntime#14474).
    """
    try:
        return list(session.run(outputs, {"image": image}))
    except Exception as error:
        if "Available memory of" not in str(error):
            raise
    shrinking = onnxruntime.RunOptions()
    shrinking.log_severity_level = 4
    shrinking.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    with suppress(Exception):  # it may fail as the first did, and shrinks the arena in the end all the same
        return list(session.run(outputs, {"image": image}, shrinking))
    return list(session.run(outputs, {"image": image}, shrinking))


def _multiple(text: str | None, path: Path) -> int | None:
    """What MULTIPLE_KEY says in a file, None where it says nothing."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_MULTIPLE):
        raise BlazeFaceError(
            f"{path}: its {MULTIPLE_KEY} metadata is no number from 1 to {MAX_MULTIPLE}: {printable(text[:40])}"
        )
    return int(text)


def open_session(
    path: Path,
    threads: int,
    check: bool = True,
    square: int | None = None,
    providers: Sequence[str] | None = None,
) -> onnxruntime.InferenceSession:
    """A file in onnxruntime, on the CPU or what `providers` names. Raises BlazeFaceError for one that it cannot load,
    and UnlistedModel, before onnxruntime sees it, for one of another kind than is exported here; unless `check` is
    False.

    square: side of the input, in a file that leaves it open.
    """
    chosen = [CPU] if providers is None else choose_providers(providers, onnxruntime.get_available_providers())
    require_regular_file(str(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BlazeFaceError(f"{path}: cannot be read: {error.strerror or error}") from error
    if check:
        check_onnx(data, str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A tiny network finishes before spinning threads would pay; spinning only burns the user's CPU.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if square is not None:
        for name in (HEIGHT, WIDTH):
            options.add_free_dimension_override_by_name(name, square)
    options.log_severity_level = 4  # errors come as exceptions
    _bound_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=chosen)
    except Exception as error:  # onnxruntime raises a different class for each kind of damage
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BlazeFaceError(f"{path}: onnxruntime cannot load it: {reason}") from error
    for name in chosen:
        if name not in session.get_providers():  # its libraries are not there, or no device is
            warnings.warn(f"{name} could not be started here; {session.get_providers()[0]} is used", stacklevel=4)
    return session


def choose_providers(asked: Sequence[str], available: Sequence[str]) -> list[str]:
    """The providers asked for ("cuda", "CUDAExecutionProvider") by onnxruntime's names, in order; one that this
    onnxruntime lacks is said in a warning. Raises BlazeFaceError when all are lacking.

    The CPU comes last in any case: it computes what another provider does not know.
    """
    if isinstance(asked, str):
        raise BlazeFaceError(f"providers must be a list of names, such as [{asked!r}]")
    known = {name.removesuffix("ExecutionProvider").lower(): name for name in available}
    names = {one: SHORT_NAMES.get(one.lower(), one.removesuffix("ExecutionProvider")).lower() for one in asked}
    missing = [one for one, name in names.items() if name not in known]
    said = (
        f"this onnxruntime has no provider {', '.join(missing)}; it has {', '.join(sorted(known))}"
        " (others come in packages of their own, such as onnxruntime-gpu, onnxruntime-directml, onnxruntime-openvino,"
        " each in place of onnxruntime)"
    )
    if len(missing) == len(names):
        raise BlazeFaceError(said if missing else "providers must name at least one, such as cpu")
    if missing:
        warnings.warn(said, stacklevel=5)
    found = [known[name] for name in names.values() if name in known]
    return [*dict.fromkeys([*found, CPU])]


@cache
def _bound_memory() -> None:
    """Give all sessions that ask for it one arena with an upper limit, once in a process."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_asked = 1  # kSameAsRequested: grow by what is needed, where the default doubles what is there
    arena = onnxruntime.OrtArenaCfg({"max_mem": ARENA_MEGABYTES << 20, "arena_extend_strategy": as_asked})
    with suppress(Exception):  # the program around us has registered one: its limit counts
        onnxruntime.create_and_register_allocator(memory, arena)
