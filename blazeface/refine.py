"""The second stage: refined keypoints, from a small network on a crop around each detected face.

Core packages only. The network is trained by `blazeface refine` and comes as one ONNX file that describes itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blazeface.backends.onnx_backend import open_session
from blazeface.crop import CROP_KEY, CropSpec, cut, face_matrix, normalised
from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.checksum import verify_checksum
from blazeface.files.picture_input import ImageLike, as_bgr
from blazeface.geometry import Image, inverse_map, map_points
from blazeface.search import TILE_SIDE, MinFace, View
from blazeface.spec import EYES, KEYPOINT_NAMES, ModelSpec

WEIGHTS = Path(__file__).parent / "weights" / "refine.onnx"


class KeypointRefiner:
    """Replaces the keypoints of detections by sharper ones.

    path: an ONNX file that `blazeface refine` wrote; by default the shipped one. Raises BlazeFaceError for a file
    that is missing, damaged or foreign.
    """

    def __init__(self, path: Path = WEIGHTS, threads: int = 1):
        if not path.is_file():
            raise BlazeFaceError(f"{path}: no such model file")
        if path == WEIGHTS:
            verify_checksum(path)
        self._session = open_session(path, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if CROP_KEY not in metadata:
            raise BlazeFaceError(f"{path}: it has no {CROP_KEY} metadata, so it is no second stage of blazeface")
        self.spec = CropSpec.from_json(metadata[CROP_KEY], str(path))
        found = {t.name: list(t.shape[1:]) for t in (*self._session.get_inputs(), *self._session.get_outputs())}
        expected = {"crops": [3, self.spec.size, self.spec.size], "keypoints": [len(KEYPOINT_NAMES), 2]}
        if found != expected:
            raise BlazeFaceError(f"{path}: expected tensors {expected}, found {found} (batch axis left out)")

    def run(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """(N, 3, S, S) -> keypoints (N, 6, 2) in units of the crop's side."""
        return np.asarray(self._session.run(["keypoints"], {"crops": batch})[0])

    def refine(
        self, image: ImageLike, faces: Detections, rgb: bool = False, eyes: Sequence[int] = (0, 1)
    ) -> Detections:
        """The same faces with the second stage's six keypoints; boxes, scores and ids stay.

        image: the picture of these faces, as `FaceDetector.detect` takes it; rgb: its array comes in RGB order. eyes: which of the
        faces' keypoints are the right and the left eye.
        """
        if len(faces) == 0:
            points = np.zeros((0, len(KEYPOINT_NAMES), 2), np.float32)
            return Detections(faces.boxes, faces.scores, points, faces.track_ids)
        image = as_bgr(image, rgb)
        places = faces.keypoints[:, list(eyes)]
        matrices = [face_matrix(*face, self.spec) for face in zip(faces.boxes, places, strict=True)]
        crops = np.stack([cut(image, matrix, self.spec.size) for matrix in matrices])
        found = self.run(normalised(crops, self.spec)) * self.spec.size
        if not np.isfinite(found).all():
            return faces
        points = np.stack([map_points(inverse_map(m), p) for m, p in zip(matrices, found, strict=True)])
        return Detections(faces.boxes, faces.scores, points.astype(np.float32), faces.track_ids)


class Detector(Protocol):
    """The part of FaceDetector that is used."""

    spec: ModelSpec
    min_face: MinFace

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]: ...

    def with_min_face(self, min_face: MinFace) -> Detector: ...

    def views(self, height: int, width: int, tile_side: int = TILE_SIDE) -> list[View]: ...

    def detect_in(self, image: Image, chosen: Sequence[View]) -> Detections: ...


class RefinedDetector:
    """A detector whose keypoints go through the second stage; otherwise used like it.

    Raises BlazeFaceError for a detector that does not give both eyes, by which the second stage levels a face.
    """

    def __init__(self, detector: Detector, refiner: KeypointRefiner):
        if not detector.spec.eyes:
            raise BlazeFaceError(
                f"{detector.spec.name} finds no {' and '.join(EYES)}, and without them its keypoints cannot be refined"
            )
        self._detector, self._refiner = detector, refiner
        self.spec, self.min_face = replace(detector.spec, keypoint_names=KEYPOINT_NAMES), detector.min_face

    def with_min_face(self, min_face: MinFace) -> RefinedDetector:
        return RefinedDetector(self._detector.with_min_face(min_face), self._refiner)

    def views(self, height: int, width: int, tile_side: int = TILE_SIDE) -> list[View]:
        return self._detector.views(height, width, tile_side)

    def detect_in(self, image: Image, chosen: Sequence[View]) -> Detections:
        return self._refine(image, self._detector.detect_in(image, chosen))

    def detect(self, image: Image) -> Detections:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        found = self._detector.detect_batch(images)
        return [self._refine(image, faces) for image, faces in zip(images, found, strict=True)]

    def _refine(self, image: Image, faces: Detections) -> Detections:
        return self._refiner.refine(image, faces, eyes=self._detector.spec.eyes)
