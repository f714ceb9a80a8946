"""The faces of a picture, as they are handed on everywhere, and drawing them."""

from blazeface.detections.faces import Detections, Face

__all__ = ["Detections", "Face"]
