"""FaceDetector: a picture in, faces out."""

from __future__ import annotations

import copy
import difflib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blazeface.anchors import anchor_centers
from blazeface.backends import SUFFIXES, Backend, backend_for, open_backend
from blazeface.blend import blend
from blazeface.decode import decode, sigmoid
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError, PictureError
from blazeface.files.checksum import verify_checksum
from blazeface.files.picture_input import ImageLike, as_bgr
from blazeface.geometry import Floats, Image, Letterbox, letterbox_image
from blazeface.search import TILE_SIDE, Candidates, MinFace, Reduce, View, check_min_face, faintest, union, views
from blazeface.spec import NAMED_SPECS, ModelSpec

WEIGHTS = Path(__file__).parent / "weights"

MAX_CANDIDATES = 2000
"""Candidates looked at in one picture, best first; only a damaged network or a score threshold near
zero has more."""

MAX_REGRESSION = 1e6
"""Raw values are a few hundred at most; beyond this a network is damaged, and areas would overflow."""

ROUNDING = 1e-6
"""By how much the sigmoid's rounding may lift a score, many times over: float32 has 6e-8 near 1."""

CHUNK = 32
"""Pictures of a batch that are scaled down and kept together: 25 MB as input of back-256."""

RUN_PIXELS = 2**20
"""Input pixels of the views that are run together, unless one alone has more."""

SURVIVES_FORK = {("onnxruntime", 1), ("tflite", 1)}
"""Backends and numbers of threads with which a detector goes on in a forked process."""


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
    providers: for onnxruntime, what computes, tried in order: "cuda", "tensorrt", "coreml", "directml", "openvino",
        "cpu" ..., or the names that onnxruntime has for them. One that is not there is said in a warning and passed
        over; that none is there is an error. By default the CPU.
    min_face: side of the smallest face to find, in pixels of the picture, or "auto" for `search.AUTO_SHARE` of its long
        side: the picture is then searched in several views (`blazeface.search`), which takes longer. None: the whole
        picture once, in the model's square, which shows faces from about a tenth (front-128) or a twentieth (back-256)
        of its long side.

    A detector may be shared by several threads. It pickles: the copy opens its model file anew. In a forked process it
    goes on with onnxruntime or tflite and one thread; otherwise it refuses, since threads do not live on there.
    Raises BlazeFaceError for a model that is missing, damaged or foreign.
    """

    def __init__(
        self,
        model: str | Path = "front-128",
        score_threshold: float | None = None,
        backend: str | None = None,
        threads: int = 1,
        reduce: Reduce = blend,
        trust: bool = False,
        providers: Sequence[str] | None = None,
        min_face: MinFace = None,
    ):
        if not isinstance(model, (str, os.PathLike)):
            raise BlazeFaceError(f"model must be a shipped model's name or a path, not {type(model).__name__}")
        if not isinstance(threads, (int, np.integer)) or threads < 0:
            raise BlazeFaceError(f"threads must be a whole number, 0 or more, not {threads}")
        backend = backend or backend_for(model)
        path = model_path(model, backend)
        opened = open_backend(path, backend, threads, trust, providers=providers)
        self._set_up(opened, score_threshold, reduce, min_face)
        self._name = str(model)
        # What opens the same detector in another process, whichever folder that runs in.
        where = model if str(model) in NAMED_SPECS else path.absolute()
        self._arguments: dict[str, Any] | None = {
            "model": where,
            "score_threshold": score_threshold,
            "backend": backend,
            "threads": threads,
            "reduce": reduce,
            "trust": trust,
            "providers": providers,
            "min_face": min_face,
        }

    @classmethod
    def from_backend(
        cls,
        backend: Backend,
        score_threshold: float | None = None,
        reduce: Reduce = blend,
        min_face: MinFace = None,
    ) -> FaceDetector:
        """A detector on a loaded backend: any object with a `spec` and `run(batch)` (see `backends`)."""
        detector = cls.__new__(cls)
        detector._set_up(backend, score_threshold, reduce, min_face)
        return detector

    def _set_up(self, backend: Backend, score_threshold: float | None, reduce: Reduce, min_face: MinFace) -> None:
        if score_threshold is not None and not 0 <= score_threshold <= 1:
            raise BlazeFaceError(f"score_threshold must lie in [0, 1], not {score_threshold}")
        check_min_face(min_face)
        self.min_face = min_face
        self._backend = backend
        self.spec = backend.spec
        self._name = backend.spec.name
        self.score_threshold = self.spec.score_threshold if score_threshold is None else score_threshold
        self._centers = anchor_centers(self.spec.anchor_maps)
        self._reduce = reduce
        self._arguments = None
        self._process = os.getpid()

    def detect(self, image: ImageLike, rgb: bool = False) -> Detections:
        """Faces of one picture, in its own pixels.

        image: an array (H, W, 3) uint8, H and W from 1 up, BGR as OpenCV has it, or RGB with `rgb`; the path of a
        picture file, which is read upright; or a PIL picture, taken as it lies in memory (see
        `files.picture_input.as_bgr`). Raises PictureError, which is a BlazeFaceError and a ValueError, for anything
        else; BlazeFaceError for a file that cannot be read.
        """
        return self._detect_some([as_bgr(image, rgb)])[0]

    def detect_batch(self, images: Iterable[ImageLike], rgb: bool = False) -> list[Detections]:
        """Faces of several pictures: the same as one by one, in the same order.

        images: a list or an iterator of what `detect` takes, of any sizes, or one array (N, H, W, 3). An iterator is
        read as it goes; no more than CHUNK pictures are kept at a time, scaled down. With min_face, picture by picture,
        in as few runs as memory allows.
        """
        found: list[Detections] = []
        waiting = _each(images, rgb)
        while chunk := self._detect_some(islice(waiting, CHUNK)):
            found += chunk
        return found

    def __copy__(self) -> FaceDetector:
        """On the same loaded model."""
        detector = FaceDetector.__new__(FaceDetector)
        detector.__dict__.update(self.__dict__)
        return detector

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], FaceDetector], tuple[dict[str, Any]]]:
        if self._arguments is None:
            raise TypeError(
                "a detector that was made by from_backend cannot be pickled: make it from a model file"
            )
        return _open, (self._arguments,)

    def _check_fork(self) -> None:
        """Refuse to run in a forked process what would wait there for ever for threads that the fork did not copy."""
        if self._arguments is None or (self._arguments["backend"], self._arguments["threads"]) in SURVIVES_FORK:
            return
        backend, threads = self._arguments["backend"], self._arguments["threads"]
        raise BlazeFaceError(
            f"{self._name}: the {backend} backend with threads={threads} does not work in a process forked after it was"
            ' opened: start processes with multiprocessing\'s "spawn"'
        )

    def _detect_some(self, images: Iterable[Image]) -> list[Detections]:
        """Faces of BGR pictures, which are run together; an iterator is read to its end, each scaled down at once."""
        if os.getpid() != self._process:
            self._check_fork()
        if self.min_face is not None:
            return [self.detect_in(image, self.views(*image.shape[:2])) for image in images]
        prepared = [prepare(image, self.spec) for image in images]
        if not prepared:
            return []
        tensors = [tensor for tensor, _ in prepared]
        logits, regressions = self._run(tensors[0][None] if len(tensors) == 1 else np.stack(tensors))
        return [
            postprocess(
                logits[i], regressions[i], letterbox, self.spec, self._centers, self.score_threshold, self._reduce
            )
            for i, (_, letterbox) in enumerate(prepared)
        ]

    def with_min_face(self, min_face: MinFace) -> FaceDetector:
        """The same detector, on the same loaded model, for another smallest face."""
        detector = copy.copy(self)
        check_min_face(min_face)
        detector.min_face = min_face
        if detector._arguments is not None:
            detector._arguments = {**detector._arguments, "min_face": min_face}
        return detector

    def views(self, height: int, width: int, tile_side: int = TILE_SIDE) -> list[View]:
        """Where a picture of height x width pixels is looked at for min_face, which must not be None; see
        `search.views`."""
        assert self.min_face is not None
        return views(height, width, self.spec, self.min_face, self._backend.input_multiple, tile_side)

    def detect_in(self, image: Image, chosen: Sequence[View]) -> Detections:
        """Faces of a BGR uint8 picture (H, W, 3) in some of its views, at least one."""
        parts = self._candidates(image, chosen, faintest(self.score_threshold))
        return to_detections(*union(parts, self.spec.blend_iou, self._reduce, self.score_threshold))

    def _candidates(self, image: Image, chosen: Sequence[View], least: float) -> Iterator[tuple[View, Candidates]]:
        """Each view with its candidates from a score of `least` up, in pixels of the picture; views of the same shape
        run together."""
        waiting = iter(sorted(chosen, key=lambda view: view.shape))
        for shape, group in groupby(waiting, key=lambda view: view.shape):
            centers = _centers(self.spec, shape)
            while some := list(islice(group, max(1, RUN_PIXELS // (shape[0] * shape[1])))):
                prepared = [prepare(view.cut(image), self.spec, view.shape) for view in some]
                tensors = [tensor for tensor, _ in prepared]
                logits, regressions = self._run(tensors[0][None] if len(tensors) == 1 else np.stack(tensors))
                for i, (view, (_, letterbox)) in enumerate(zip(some, prepared, strict=True)):
                    boxes, scores, keypoints = candidates(logits[i], regressions[i], self.spec, centers, least)
                    boxes, keypoints = to_picture(boxes, keypoints, letterbox, self.spec)
                    corner = np.array([view.left, view.top], boxes.dtype)
                    yield view, (boxes + np.tile(corner, 2), scores, keypoints + corner)

    def _run(self, batch: NDArray[np.float32]) -> tuple[Floats, Floats]:
        try:
            return self._backend.run(batch)
        except (
            Exception
        ) as error:  # a damaged file that could be loaded; each runtime has its own classes for that
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BlazeFaceError(f"{self._name}: the network cannot be run: {reason}") from error


@lru_cache(maxsize=4)
def _shared(model: str | Path, score_threshold: float | None, min_face: MinFace) -> FaceDetector:
    return FaceDetector(model, score_threshold, min_face=min_face)


def detect(
    image: ImageLike,
    model: str | Path = "front-128",
    score_threshold: float | None = None,
    min_face: MinFace = None,
    rgb: bool = False,
) -> Detections:
    """Faces of one picture, in a line: `FaceDetector(model, score_threshold, min_face=min_face).detect(image, rgb)`,
    with the detectors of the last calls kept."""
    return _shared(model, score_threshold, min_face).detect(image, rgb)


def _open(arguments: dict[str, Any]) -> FaceDetector:
    return FaceDetector(**arguments)


def _each(images: Iterable[ImageLike], rgb: bool) -> Iterator[Image]:
    """The pictures of a batch as BGR, each converted when it is asked for."""
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise PictureError(f"images as one array must have the shape (N, H, W, 3), not {images.shape}")
    if isinstance(images, (str, os.PathLike)) or not isinstance(images, Iterable):
        kind = "None" if images is None else type(images).__name__
        raise PictureError(
            f"images must be a list or an iterator of pictures, or an array (N, H, W, 3), not {kind}"
        )
    return (as_bgr(image, rgb, f"images[{i}]") for i, image in enumerate(images))


def model_path(model: str | Path, backend: str = "onnxruntime") -> Path:
    """The file behind a model's name, or the path itself."""
    if str(model) not in NAMED_SPECS:
        if not Path(model).suffix and not Path(model).exists():
            near = difflib.get_close_matches(str(model).lower(), shipped := shipped_models(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"shipped are {', '.join(shipped)}"
            raise BlazeFaceError(f"{model}: no such model file, and no shipped model has that name: {hint}")
        return Path(model)
    suffix = SUFFIXES.get(backend, ".onnx")
    path = WEIGHTS / f"{model}{suffix}"
    if not path.is_file():
        if model not in shipped_models():
            raise BlazeFaceError(f"no weights for {model} are shipped: train it, or name a model file")
        raise BlazeFaceError(
            f"no weights for {model} are shipped as {suffix}, which the {backend} backend reads: make a file with"
            f" `blazeface export --weights {WEIGHTS / model}.safetensors --format {backend} --out FILE{suffix}` and"
            " name it as the model"
        )
    verify_checksum(path)
    return path


def shipped_models() -> list[str]:
    """Names of the models whose weights come with the package."""
    return sorted(name for name in NAMED_SPECS if (WEIGHTS / f"{name}.onnx").is_file())


@lru_cache(maxsize=32)
def _centers(spec: ModelSpec, shape: tuple[int, int]) -> NDArray[np.float32]:
    return anchor_centers(spec.anchor_maps, *(side / spec.input_size for side in shape))


def prepare(
    image: Image, spec: ModelSpec, shape: tuple[int, int] | None = None
) -> tuple[NDArray[np.float32], Letterbox]:
    """BGR uint8 (H, W, 3) -> network input (3, S, S) float32, normalised RGB, and how it was scaled. shape: height and
    width of another input than the spec's square."""
    scaled, letterbox = letterbox_image(image, shape or spec.input_size, spec.resampling)
    planes = scaled[:, :, ::-1].transpose(2, 0, 1).astype(np.float32, order="C")
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
    """Raw outputs of one picture, logits (A,) and regressions (A, 4 + 2K) -> faces in its pixels: its `candidates`,
    reduced to one face per group."""
    boxes, scores, keypoints = candidates(logits, regressions, spec, centers, score_threshold)
    if not len(scores):
        return Detections.empty(spec.num_keypoints)
    boxes, scores, keypoints = reduce(boxes, scores, keypoints, spec.blend_iou)
    boxes, keypoints = to_picture(boxes, keypoints, letterbox, spec)
    return to_detections(boxes, scores, keypoints)


def candidates(
    logits: Floats, regressions: Floats, spec: ModelSpec, centers: Floats, score_threshold: float
) -> Candidates:
    """Raw outputs, logits (A,) and regressions (A, 4 + 2K) -> boxes (N, 4), scores (N,) and keypoints (N, K, 2) in units
    of the input side.

    Candidates under the threshold, with a negative side, or with a value that is not finite or absurdly
    large are dropped.
    """
    # Of hundreds of anchors a handful are near the threshold: only those get a score. A NaN is no candidate.
    chosen = (logits >= _logit(score_threshold - ROUNDING)).nonzero()[0]
    scores = sigmoid(logits[chosen])
    chosen, scores = _only(scores >= score_threshold, chosen, scores)
    if not len(chosen):
        points = np.zeros((0, 2 + spec.num_keypoints, 2), np.float32)
        return points[:, :2].reshape(-1, 4), scores, points[:, 2:]
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
    return boxes, scores, keypoints


def to_picture(boxes: Floats, keypoints: Floats, letterbox: Letterbox, spec: ModelSpec) -> tuple[Floats, Floats]:
    """Boxes (N, 4) and keypoints (N, K, 2) in units of the input side, given in pixels of what was letterboxed."""
    points = np.concatenate([boxes.reshape(-1, 2, 2), keypoints], axis=1)
    points = letterbox.to_picture(points * spec.input_size)
    return points[:, :2].reshape(-1, 4), points[:, 2:]


def to_detections(boxes: Floats, scores: Floats, keypoints: Floats) -> Detections:
    """Faces as float32, in the order in which they come, best first."""
    return Detections(boxes.astype(np.float32), scores.astype(np.float32), keypoints.astype(np.float32))


def _only(mask: Any, *columns: Any) -> Any:
    """The columns where the mask (N,) holds; as they are, without a copy, where it always does."""
    return columns if mask.all() else [column[mask] for column in columns]


def _logit(score: float) -> float:
    """The logit of a score below 1; minus infinity from 0 down."""
    return math.log(score / (1 - score)) if score > 0 else -math.inf
