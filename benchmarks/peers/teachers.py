"""YuNet_n and CenterFace at a picture's own size: two detectors of others whose answers stand in for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import centerface_native, yunet_n

TEACHERS = {
    "YuNet_n": (yunet_n, "yunet_n_dynamic.onnx"),
    "CenterFace": (centerface_native, "centerface.onnx"),
}
SURE = {name: module.THRESHOLD for name, (module, _) in TEACHERS.items()}
"""Score from which each takes something for a face."""


def open_teachers(folder: Path, score_threshold: float | None = None) -> dict[str, Any]:
    """By name, what finds the faces of a BGR picture: boxes (N, 4), scores (N,), four keypoints (N, 4, 2), in pixels.

    folder: of the two files. score_threshold: None for each one's own.
    """
    options = {"threads": 1, "size": None, "score_threshold": score_threshold}
    return {
        name: module.open_detector({"file": str(folder / file), **options})
        for name, (module, file) in TEACHERS.items()
    }
