"""A stand-in's share of FaceDetector that has to do with views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from blazeface.detections import Detections
from blazeface.geometry import Image
from blazeface.search import MinFace, View
from blazeface.spec import FRONT_128


class NoSearch:
    """Looks at pictures whole, whatever is asked."""

    spec = FRONT_128
    min_face: MinFace = None

    def detect_batch(self, images: Sequence[Image]) -> list[Detections]:
        raise NotImplementedError

    def with_min_face(self, min_face: MinFace) -> Self:
        return self

    def views(self, height: int, width: int, tile_side: int = 0) -> list[View]:
        return [View(0, 0, width, height, (128, 128))]

    def detect_in(self, image: Image, chosen: Sequence[View]) -> Detections:
        return self.detect_batch([image])[0]
