"""Cases for the phones' programs, written into a folder, run there, and read back.

A folder holds cases.txt, a case a line, and the cases' files; phones/cpp/checks/replay.cpp says what each kind reads and
gives. Numbers in files are little-endian: bytes of pictures, float32 of tensors.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.geometry import Image, Letterbox

Floats = NDArray[np.float32]

TO_FORMAT = {"rgb": cv2.COLOR_BGR2RGB, "rgba": cv2.COLOR_BGR2RGBA, "bgra": cv2.COLOR_BGR2BGRA}


@dataclass(frozen=True)
class Buffer:
    """A camera's picture as it lies in memory. format: rgb, bgr, rgba, bgra, nv21, i420. rotation: degrees clockwise that
    bring it upright. mirrored: it is flipped after that. range: of YUV, "full" or "video"."""

    data: bytes
    format: str
    width: int
    height: int
    rotation: int = 0
    mirrored: bool = False
    range: str = "full"

    @classmethod
    def of(cls, image: Image, format: str = "rgb", rotation: int = 0, mirrored: bool = False) -> Buffer:
        """The buffer, in a format without chroma planes, that is `image` (BGR) once it is upright."""
        stored = np.rot90(image[:, ::-1] if mirrored else image, rotation // 90)
        pixels = cv2.cvtColor(np.ascontiguousarray(stored), TO_FORMAT[format]) if format in TO_FORMAT else stored
        return cls(pixels.tobytes(), format, stored.shape[1], stored.shape[0], rotation, mirrored)

    def __str__(self) -> str:
        return f"{self.format} {self.range} {self.width} {self.height} {self.rotation} {int(self.mirrored)}"


class Recording:
    """A folder of cases. Each method adds one by a name of its own; `run` gives the lines that a program answers."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._cases: list[str] = []

    def letterbox(self, name: str, buffer: Buffer, model: str) -> None:
        """Gives NAME.square, and a line of the scales and offsets."""
        self._write(f"{name}.pixels", buffer.data)
        self._cases.append(f"letterbox {name} {model} {buffer}")

    def tensor(self, name: str, square: Image, model: str, layout: str) -> None:
        """square: RGB. layout: chw or hwc. Gives NAME.tensor."""
        self._write(f"{name}.square", square.tobytes())
        self._cases.append(f"tensor {name} {model} {layout}")

    def faces(
        self, name: str, logits: Floats, regressions: Floats, letterbox: Letterbox, model: str, threshold: float
    ) -> None:
        """Gives a line for each face."""
        self._write(f"{name}.logits", logits.astype("<f4").tobytes())
        self._write(f"{name}.regressions", regressions.astype("<f4").tobytes())
        box = f"{letterbox.scale_x!r} {letterbox.scale_y!r} {letterbox.offset_x!r} {letterbox.offset_y!r}"
        self._cases.append(f"faces {name} {model} {threshold!r} {box}")

    def clip(self, kind: str, name: str, frames: Iterable[tuple[float, int, int, Detections]], *more: Any) -> None:
        """kind: tracks or covers. frames: time, width, height and faces of each."""
        lines = []
        for time, width, height, faces in frames:
            lines.append(f"{time!r} {width} {height} {len(faces)}")
            for face in faces:
                row = [face.score, *face.box.tolist(), *face.keypoints.ravel().tolist()]
                lines.append(" ".join(map(repr, row)))
        self._write(f"{name}.clip", "\n".join(lines).encode())
        self._cases.append(" ".join([kind, name, *map(str, more)]))

    def paint(self, name: str, buffer: Buffer, box: Sequence[float], style: str) -> None:
        """Gives NAME.covered, the buffer with a box covered."""
        self._write(f"{name}.pixels", buffer.data)
        self._cases.append(f"paint {name} {style} {' '.join(map(repr, box))} {buffer}")

    def run(self, command: Sequence[str]) -> dict[str, list[list[str]]]:
        """The words of each line that a program gives to each case, by the cases' names. Raises BlazeFaceError when it
        fails."""
        (self.folder / "cases.txt").write_text("\n".join(self._cases) + "\n", encoding="ascii")
        done = subprocess.run([*command, str(self.folder)], capture_output=True, text=True)
        if done.returncode:
            raise BlazeFaceError(f"{command[-1]}: {done.stderr.strip()[:500]}")
        found: dict[str, list[list[str]]] = {}
        for line in (self.folder / "results.txt").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[0] == "case":
                lines = found[words[1]] = []
            else:
                lines.append(words)
        return found

    def bytes_of(self, name: str) -> NDArray[np.uint8]:
        """A file that a program wrote."""
        return np.frombuffer((self.folder / name).read_bytes(), np.uint8)

    def _write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)


def faces_in(lines: Iterable[Sequence[str]]) -> NDArray[np.float64]:
    """Faces that a program gave: (N, 18), each track number, score, box and keypoints."""
    rows = [[float(word) for word in words[1:]] for words in lines if words[0] == "face"]
    return np.array(rows).reshape(-1, 18)


def face_rows(faces: Detections) -> NDArray[np.float64]:
    """The same of Python's faces."""
    ids = np.zeros(len(faces)) if faces.track_ids is None else faces.track_ids
    columns = [ids[:, None], faces.scores[:, None], faces.boxes, faces.keypoints.reshape(len(faces), 12)]
    return np.concatenate(columns, axis=1).astype(np.float64)


def largest_difference(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Of two tables of faces; infinite where they do not have as many."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0))


def same_faces(found: NDArray[np.float64], expected: NDArray[np.float64], near: float) -> bool:
    """Whether two tables of faces are the same within `near`, or within two steps of float32, which are wider from
    512 pixels up: exp() differs in the last bit from library to library, and with it the weights of a blend."""
    if found.shape != expected.shape:
        return False
    steps = 2 * np.spacing(np.abs(expected).astype(np.float32))
    return bool((np.abs(found - expected) <= np.maximum(near, steps)).all())


def frames_in(lines: Iterable[Sequence[str]]) -> list[list[Sequence[str]]]:
    """The lines of each frame of a clip."""
    frames: list[list[Sequence[str]]] = []
    for words in lines:
        if words[0] == "frame":
            frames.append([])
        else:
            frames[-1].append(words)
    return frames
