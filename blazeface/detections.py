"""Detections: the faces of one picture, the one type that everything speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = slice | NDArray[np.bool_] | NDArray[np.intp] | list[int]


@dataclass(frozen=True)
class Detections:
    """The N faces of one picture, best score first.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the picture (x right, y down, the top left
        pixel covers [0, 1) x [0, 1)); a box may reach beyond the picture's edge.
    scores: (N,) float32 in [0, 1], from high to low.
    keypoints: (N, K, 2) float32, x y in pixels: right eye, left eye, nose tip, mouth centre, right
        ear, left ear (the person's own right and left).
    track_ids: (N,) int64 where a tracker has named the faces, else None.

    Raises ValueError when the shapes disagree, a value is not finite, or the order is broken.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    track_ids: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes.shape != (count, 4):
            raise ValueError(f"boxes must have shape ({count}, 4), not {self.boxes.shape}")
        if self.scores.shape != (count,):
            raise ValueError(f"scores must have shape ({count},), not {self.scores.shape}")
        if self.keypoints.ndim != 3 or self.keypoints.shape[0] != count or self.keypoints.shape[2] != 2:
            raise ValueError(f"keypoints must have shape ({count}, K, 2), not {self.keypoints.shape}")
        if self.track_ids is not None and self.track_ids.shape != (count,):
            raise ValueError(f"track_ids must have shape ({count},), not {self.track_ids.shape}")
        for name in ("boxes", "scores", "keypoints"):
            value = getattr(self, name)
            if value.dtype != np.float32:
                raise ValueError(f"{name} must be float32, not {value.dtype}")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} must be finite")
        if count and not (
            self.scores[-1] >= 0 and self.scores[0] <= 1 and (self.scores[1:] <= self.scores[:-1]).all()
        ):
            raise ValueError("scores must lie in [0, 1] and fall")

    @classmethod
    def empty(cls, num_keypoints: int = 6) -> Detections:
        return cls(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, num_keypoints, 2), np.float32)
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Index) -> Detections:
        """A part of the faces, by slice, mask or list of positions (which must keep the order)."""
        ids = None if self.track_ids is None else self.track_ids[index]
        return Detections(self.boxes[index], self.scores[index], self.keypoints[index], ids)

    def to_dict(self, digits: int = 2) -> list[dict[str, Any]]:
        """The faces as JSON-ready objects: box, score, keypoints, and track_id where there is one.

        Coordinates are rounded to `digits` decimals, scores to two more.
        """
        faces: list[dict[str, Any]] = []
        for i in range(len(self)):
            face: dict[str, Any] = {
                "box": [round(float(value), digits) for value in self.boxes[i]],
                "score": round(float(self.scores[i]), digits + 2),
                "keypoints": [[round(float(v), digits) for v in point] for point in self.keypoints[i]],
            }
            if self.track_ids is not None:
                face["track_id"] = int(self.track_ids[i])
            faces.append(face)
        return faces
