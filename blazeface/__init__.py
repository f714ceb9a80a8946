"""BlazeFace, end to end: train a tiny face detector, run it, put it on a phone.

>>> from blazeface import FaceDetector
>>> faces = FaceDetector().detect(image)  # image: BGR uint8 (H, W, 3)
>>> faces.boxes, faces.scores, faces.keypoints
"""

import blazeface.no_telemetry  # noqa: F401 (first: before anything can import onnxruntime)

# isort: split
from blazeface.detections import Detections
from blazeface.detector import FaceDetector
from blazeface.errors import BlazeFaceError
from blazeface.spec import AnchorMap, ModelSpec
from blazeface.version import __version__

__all__ = ["AnchorMap", "BlazeFaceError", "Detections", "FaceDetector", "ModelSpec", "__version__"]
