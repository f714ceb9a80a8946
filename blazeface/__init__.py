"""BlazeFace, end to end: train a tiny face detector, run it, put it on a phone.

>>> import blazeface
>>> faces = blazeface.detect("photo.jpg")
>>> for face in faces:
...     print(face.box, face.score, face.keypoints[0])

Names are imported when they are first used, so that `import blazeface` itself costs next to nothing. docs/api.md shows
each of them at work.
"""

from __future__ import annotations

import blazeface.no_telemetry  # noqa: F401 (first: before anything can import onnxruntime)

# isort: split
import importlib
from typing import TYPE_CHECKING, Any

from blazeface.errors import BlazeFaceError
from blazeface.version import __version__

if TYPE_CHECKING:
    from blazeface.detections import Detections as Detections
    from blazeface.detections import Face as Face
    from blazeface.detections.draw import draw_faces as draw_faces
    from blazeface.detector import FaceDetector as FaceDetector
    from blazeface.detector import detect as detect
    from blazeface.files.pictures import read_picture as read_picture
    from blazeface.files.pictures import write_picture as write_picture
    from blazeface.privacy.cover import cover_faces as cover_faces
    from blazeface.refine import KeypointRefiner as KeypointRefiner
    from blazeface.sinks.crops import aligned_crop as aligned_crop
    from blazeface.spec import KEYPOINT_NAMES as KEYPOINT_NAMES
    from blazeface.spec import AnchorMap as AnchorMap
    from blazeface.spec import ModelSpec as ModelSpec
    from blazeface.tracking.one_euro import OneEuro as OneEuro
    from blazeface.tracking.roi import RoiDetector as RoiDetector
    from blazeface.tracking.tracker import Tracker as Tracker

_HOMES = {
    "AnchorMap": "spec",
    "Detections": "detections",
    "Face": "detections",
    "FaceDetector": "detector",
    "KEYPOINT_NAMES": "spec",
    "KeypointRefiner": "refine",
    "ModelSpec": "spec",
    "OneEuro": "tracking.one_euro",
    "RoiDetector": "tracking.roi",
    "Tracker": "tracking.tracker",
    "aligned_crop": "sinks.crops",
    "cover_faces": "privacy.cover",
    "detect": "detector",
    "draw_faces": "detections.draw",
    "read_picture": "files.pictures",
    "write_picture": "files.pictures",
}
"""The module of each public name, below this package."""

__all__ = [
    "KEYPOINT_NAMES",
    "AnchorMap",
    "BlazeFaceError",
    "Detections",
    "Face",
    "FaceDetector",
    "KeypointRefiner",
    "ModelSpec",
    "OneEuro",
    "RoiDetector",
    "Tracker",
    "__version__",
    "aligned_crop",
    "cover_faces",
    "detect",
    "draw_faces",
    "read_picture",
    "write_picture",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'blazeface' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"blazeface.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
