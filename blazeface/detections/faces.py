"""Detections: the faces of one picture, as every part of the package passes them on; Face: one of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from blazeface.detections.draw import draw_faces
from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.picture_input import ImageLike, as_bgr
from blazeface.files.pictures import can_write_picture, write_picture
from blazeface.files.staged import write_text
from blazeface.geometry import Image

Index = slice | NDArray[np.bool_] | NDArray[np.intp] | list[int]


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a picture.

    box: (4,) float32, x1 y1 x2 y2 in pixels of the picture. score: in [0, 1]. keypoints: (K, 2) float32, x y in
    pixels: right eye, left eye, nose tip, mouth centre, right ear, left ear. track_id: where a tracker has named it.
    """

    box: NDArray[np.float32]
    score: float
    keypoints: NDArray[np.float32]
    track_id: int | None = None

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[3] - self.box[1])

    def crop(self, image: ImageLike, margin: float = 0.0, rgb: bool = False) -> Image:
        """The face cut out of its picture; see `Detections.crop`."""
        pixels = _pixels(image, rgb)
        rows, columns = _region(self.box, margin, *pixels.shape[:2])
        return pixels[rows, columns].copy()

    def to_dict(self, digits: int = 2) -> dict[str, Any]:
        """JSON-ready: box, score, keypoints, and track_id where there is one.

        Coordinates are rounded to `digits` decimals, the score to two more.
        """
        face: dict[str, Any] = {
            "box": [round(float(value), digits) for value in self.box],
            "score": round(self.score, digits + 2),
            "keypoints": [[round(float(v), digits) for v in point] for point in self.keypoints],
        }
        if self.track_id is not None:
            face["track_id"] = self.track_id
        return face

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Face):
            return NotImplemented
        same = self.score == other.score and self.track_id == other.track_id
        return same and np.array_equal(self.box, other.box) and np.array_equal(self.keypoints, other.keypoints)

    def __repr__(self) -> str:
        return f"Face({_summary(self)})"


@dataclass(frozen=True, eq=False)
class Detections:
    """The N faces of one picture, best score first.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the picture (x right, y down, the top left
        pixel covers [0, 1) x [0, 1)); a box may reach beyond the picture's edge.
    scores: (N,) float32 in [0, 1], from high to low.
    keypoints: (N, K, 2) float32, x y in pixels: right eye, left eye, nose tip, mouth centre, right
        ear, left ear (the person's own right and left).
    track_ids: (N,) int64 where a tracker has named the faces, else None.

    A sequence of `Face`: `len`, iteration, `faces[0]`, `faces[-1]`; a slice, a mask or a list of positions gives
    Detections again. Two are equal when all their values are. They pickle, and cannot be hashed.

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

    def __iter__(self) -> Iterator[Face]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Face: ...

    @overload
    def __getitem__(self, index: Index) -> Detections: ...

    def __getitem__(self, index: int | np.integer[Any] | Index) -> Face | Detections:
        """One face by its position; a part of them by slice, mask or list of positions (which must keep the order)."""
        ids = None if self.track_ids is None else self.track_ids[index]
        if isinstance(index, (int, np.integer)):
            number = None if ids is None else int(ids)
            return Face(self.boxes[index], float(self.scores[index]), self.keypoints[index], number)
        return Detections(self.boxes[index], self.scores[index], self.keypoints[index], ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        columns = ("boxes", "scores", "keypoints", "track_ids")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in columns)

    def __repr__(self) -> str:
        shown = [_summary(face) for face in self[:3]] + ["..."] * (len(self) > 3)
        return f"Detections({_count(self)}{': ' if shown else ''}{'; '.join(shown)})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        named = self.track_ids is not None
        heads = ["", *(["track"] if named else []), "score", "x1", "y1", "x2", "y2", "width", "height"]
        rows = [f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
        for i, face in enumerate(self):
            numbers = [str(i), *([str(face.track_id)] if named else []), f"{face.score:.3f}"]
            numbers += [f"{value:.1f}" for value in (*face.box, face.width, face.height)]
            rows.append(f"<tr>{''.join(f'<td>{number}</td>' for number in numbers)}</tr>")
        return f"<table><caption>{_count(self)}</caption>{''.join(rows)}</table>"

    def plot(self, image: ImageLike, rgb: bool = False) -> Image:
        """A copy of the picture, uint8 (H, W, 3), with the faces drawn in; BGR, or RGB with `rgb`.

        image: the picture of these faces, as `FaceDetector.detect` takes it; rgb: its array comes in RGB order.
        """
        drawn = draw_faces(as_bgr(image, rgb), self)
        return np.ascontiguousarray(drawn[:, :, ::-1]) if rgb else drawn

    def crop(self, image: ImageLike, margin: float = 0.0, rgb: bool = False) -> list[Image]:
        """Each face cut out of the picture: N uint8 arrays (h, w, 3), in the picture's order of colours (BGR for a
        path or a PIL picture, unless `rgb`).

        margin: added on every side, in sides of the box. A crop ends at the picture's edge and has one pixel at least.
        """
        pixels = _pixels(image, rgb)
        return [face.crop(pixels, margin) for face in self]

    def save(
        self,
        path: str | os.PathLike[str],
        image: ImageLike | None = None,
        rgb: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Write the picture with the faces drawn in, in the format that the suffix names; or, without a picture, the
        faces as a list into a .json.

        overwrite: whether a file that is there is replaced; the picture itself never is. Raises BlazeFaceError for a
        file that is there, a format that cannot be written, or a disk that does not take it.
        """
        target = Path(path)
        if isinstance(image, (str, os.PathLike)) and target.exists() and target.samefile(image):
            raise BlazeFaceError(f"{target}: is the picture itself: name another file")
        if not overwrite and os.path.lexists(target):
            raise BlazeFaceError(f"{target}: exists already (overwrite=True replaces it)")
        if target.suffix.lower() == ".json":
            write_text(target, json.dumps(self.to_dict()) + "\n", replace=overwrite)
            return
        if image is None:
            raise BlazeFaceError(
                f"{target}: name the picture to draw the faces into, save(path, image), or a .json"
            )
        if not can_write_picture(target.suffix):
            raise BlazeFaceError(
                f"{target}: pictures cannot be written as {target.suffix or 'a file without suffix'}"
            )
        write_picture(target, draw_faces(as_bgr(image, rgb), self), replace=overwrite)

    def to_dict(self, digits: int = 2) -> list[dict[str, Any]]:
        """The faces as JSON-ready objects, see `Face.to_dict`."""
        return [face.to_dict(digits) for face in self]

    def to_supervision(self) -> Any:
        """The faces as `supervision.Detections` (extra `supervision`): xyxy, confidence, class_id 0, tracker_id, and
        the keypoints (N, K, 2) under data["keypoints"]."""
        try:
            import supervision
        except ImportError as error:
            raise BlazeFaceError(
                f"to_supervision needs the package supervision: {install_command('supervision')} ({error})"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=np.zeros(len(self), int),
            tracker_id=None if self.track_ids is None else self.track_ids.copy(),
            data={"keypoints": self.keypoints.copy()},
        )


def _pixels(image: ImageLike, rgb: bool) -> Image:
    """The picture in its own order of colours: an array as it is; a file or a PIL picture as BGR, or RGB if asked."""
    if isinstance(image, np.ndarray):
        return as_bgr(image)
    pixels = as_bgr(image)
    return np.ascontiguousarray(pixels[:, :, ::-1]) if rgb else pixels


def _region(box: NDArray[np.float32], margin: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture under a box with a margin: whole pixels outwards, at least one."""
    if not 0 <= margin <= 100:
        raise BlazeFaceError(f"margin must be a number from 0 to 100, in sides of the box, not {margin}")
    x1, y1, x2, y2 = (float(value) for value in box)
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    left = int(np.clip(np.floor(x1 - across), 0, width - 1))
    top = int(np.clip(np.floor(y1 - down), 0, height - 1))
    right = int(np.clip(np.ceil(x2 + across), left + 1, width))
    bottom = int(np.clip(np.ceil(y2 + down), top + 1, height))
    return slice(top, bottom), slice(left, right)


def _count(faces: Detections) -> str:
    return f"{len(faces)} face{'' if len(faces) == 1 else 's'}"


def _summary(face: Face) -> str:
    """One face in a line: "#3 0.98 at (61, 40), 88 x 102"."""
    number = "" if face.track_id is None else f"#{face.track_id} "
    x, y = (round(float(value)) for value in face.box[:2])
    return f"{number}{face.score:.2f} at ({x}, {y}), {face.width:.0f} x {face.height:.0f}"
