"""FaceDetector: a picture in, faces out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends import SUFFIXES, Backend, backend_for, open_backend
from blazeface.blend import blend
from blazeface.decode import decode, sigmoid
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.checksum import verify_checksum
from blazeface.geometry import Floats, Image, Letterbox, letterbox_image
from blazeface.spec import NAMED_SPECS, ModelSpec

WEIGHTS = Path(__file__).parent / "weights"

MAX_CANDIDATES = 2000
"""Candidates looked at in one picture, best first; only a damaged network or a score threshold near
zero has more."""

MAX_REGRESSION = 1e6
"""Raw values are a few hundred at most; beyond this a network is damaged, and areas would overflow."""

ROUNDING = 1e-6
"""By how much the sigmoid's rounding may lift a score, many times over: float32 has 6e-8 near 1."""

Reduce = Callable[[Floats, Floats, Floats, float], tuple[Floats, Floats, Floats]]


class FaceDetector:
    """Finds faces and their six keypoints.

    model: a shipped model ("front-128", "back-256") or the path of a model file.
    score_threshold: faces below it are left out; the model's own threshold by default.
    backend: "onnxruntime", "torch" for .safetensors or "tflite" for .tflite, where those are installed;
        by default the one that the file's suffix asks for.
    threads: CPU threads of the runtime; 0 lets it choose. One is best for one picture at a time.
    reduce: what makes one face of many candidates, `blend` or `hard_nms`.
    trust: run a model file of another kind than is exported here as well, in a child process with bounds on time and
        memory. Without it such a file is refused.

    A detector may be shared by several threads. Raises BlazeFaceError for a model that is missing,
    damaged or foreign.
    """

    def __init__(
        self,
        model: str | Path = "front-128",
        score_threshold: float | None = None,
        backend: str | None = None,
        threads: int = 1,
        reduce: Reduce = blend,
        trust: bool = False,
    ):
        if threads < 0:
            raise BlazeFaceError(f"threads must be 0 or more, not {threads}")
        backend = backend or backend_for(model)
        self._set_up(open_backend(model_path(model, backend), backend, threads, trust), score_threshold, reduce)
        self._name = str(model)

    @classmethod
    def from_backend(
        cls, backend: Backend, score_threshold: float | None = None, reduce: Reduce = blend
    ) -> FaceDetector:
        """A detector on a model that is loaded already: whatever has a spec and can run a batch."""
        detector = cls.__new__(cls)
        detector._set_up(backend, score_threshold, reduce)
        return detector

    def _set_up(self, backend: Backend, score_threshold: float | None, reduce: Reduce) -> None:
        if score_threshold is not None and not 0 <= score_threshold <= 1:
            raise BlazeFaceError(f"score_threshold must lie in [0, 1], not {score_threshold}")
        self._backend = backend
        self.spec = backend.spec
        self._name = backend.spec.name
        self.score_threshold = self.spec.score_threshold if score_threshold is None else score_threshold
        self._centers = anchor_centers(self.spec.anchor_maps)
        self._reduce = reduce

    def detect(self, image: Image) -> Detections:
        """Faces of a BGR uint8 picture (H, W, 3), H and W from 1 up."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        """Faces of several pictures, of any sizes, in one run of the network: the same as one by one."""
        if not images:
            return []
        prepared = [prepare(image, self.spec) for image in images]
        tensors = [tensor for tensor, _ in prepared]
        batch = tensors[0][None] if len(tensors) == 1 else np.stack(tensors)
        try:
            logits, regressions = self._backend.run(batch)
        except (
            Exception
        ) as error:  # a damaged file that could be loaded; each runtime has its own classes for that
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BlazeFaceError(f"{self._name}: the network cannot be run: {reason}") from error
        return [
            postprocess(
                logits[i], regressions[i], letterbox, self.spec, self._centers, self.score_threshold, self._reduce
            )
            for i, (_, letterbox) in enumerate(prepared)
        ]


def model_path(model: str | Path, backend: str = "onnxruntime") -> Path:
    """The file behind a model's name, or the path itself."""
    if str(model) not in NAMED_SPECS:
        return Path(model)
    suffix = SUFFIXES.get(backend, ".onnx")
    path = WEIGHTS / f"{model}{suffix}"
    if not path.is_file():
        raise BlazeFaceError(f"no weights for {model} are shipped as {suffix}: train it, or name a model file")
    verify_checksum(path)
    return path


def prepare(image: Image, spec: ModelSpec) -> tuple[NDArray[np.float32], Letterbox]:
    """BGR uint8 (H, W, 3) -> network input (3, S, S) float32, normalised RGB, and how it was scaled."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image must be a BGR uint8 array of shape (H, W, 3), not {image.dtype} of shape {image.shape}"
        )
    square, letterbox = letterbox_image(image, spec.input_size, spec.resampling)
    planes = square[:, :, ::-1].transpose(2, 0, 1).astype(np.float32, order="C")
    planes -= spec.mean
    planes /= spec.std
    return planes, letterbox


def postprocess(
    logits: Floats,
    regressions: Floats,
    letterbox: Letterbox,
    spec: ModelSpec,
    centers: Floats,
    score_threshold: float,
    reduce: Reduce = blend,
) -> Detections:
    """Raw outputs of one picture, logits (A,) and regressions (A, 4 + 2K) -> faces in its pixels.

    Candidates under the threshold, with a negative side, or with a value that is not finite or absurdly
    large are dropped; those left are reduced to one face per group.
    """
    # Of hundreds of anchors a handful are near the threshold: only those get a score. A NaN is no candidate.
    chosen = (logits >= _logit(score_threshold - ROUNDING)).nonzero()[0]
    scores = sigmoid(logits[chosen])
    chosen, scores = _only(scores >= score_threshold, chosen, scores)
    if not len(chosen):
        return Detections.empty(spec.num_keypoints)
    if len(chosen) > MAX_CANDIDATES:
        best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
        chosen, scores = chosen[best], scores[best]
    rows = regressions[chosen]
    usable = np.abs(rows).max(axis=1) < MAX_REGRESSION  # not so for NaN either
    chosen, scores, rows = _only(usable, chosen, scores, rows)
    boxes, keypoints = decode(rows, centers[chosen], spec.decode_scale)
    sound = boxes[:, 2:] > boxes[:, :2]
    if not sound.all():
        boxes, scores, keypoints = _only(sound.all(axis=1), boxes, scores, keypoints)
    boxes, scores, keypoints = reduce(boxes, scores, keypoints, spec.blend_iou)
    size = spec.input_size
    points = np.concatenate([boxes.reshape(-1, 2, 2), keypoints], axis=1)
    points = letterbox.to_picture(points * size).astype(np.float32)
    return Detections(points[:, :2].reshape(-1, 4), scores.astype(np.float32), points[:, 2:])


def _only(mask: Any, *columns: Any) -> Any:
    """The columns where the mask (N,) holds; as they are, without a copy, where it always does."""
    return columns if mask.all() else [column[mask] for column in columns]


def _logit(score: float) -> float:
    """The logit of a score below 1; minus infinity from 0 down."""
    return math.log(score / (1 - score)) if score > 0 else -math.inf
