"""Sample: one labelled picture; and the way from a data folder to a list of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blazeface.data.formats import Found, find_labels
from blazeface.data.labels import LabelledFace, refuse_parts
from blazeface.data.locate import locate
from blazeface.data.sizes import hold_all
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.geometry import box_iou

SPLITS = ("train", "val")

SAME_BOX = 0.9
"""IoU from which two boxes are two labels of one face."""


@dataclass(frozen=True)
class Sample:
    """One picture and its N labelled faces, in pixels of the picture.

    path: the picture file. source: the folder it lies in (WIDER's event, or a data set's name).
    boxes: (N, 4) float32, x1 y1 x2 y2. keypoints: (N, 6, 2) float32.
    visibility: (N, 6) uint8, 2 = annotated, 1 = predicted by a teacher, 0 = unknown (no loss).
    ignore: (N,) bool, true for regions that are neither a face to find nor background.
    decoys: (M, 4) float32, boxes of what a network took for a face: views are aimed at them, they are no labels.
    hard: (K, 4) float32, where labelled faces lie that a network missed: more views are aimed at them.
    listed: how many times the labels list the picture.
    """

    path: Path
    source: str
    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    ignore: NDArray[np.bool_]
    decoys: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    hard: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    listed: int = 1

    def within(self, height: int, width: int) -> Sample:
        """The same for a picture of that size: a face whose middle lies outside of it becomes an ignore region."""
        middle = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        outside = ((middle < 0) | (middle >= (width, height))).any(axis=1)
        return replace(self, ignore=self.ignore | outside) if (outside & ~self.ignore).any() else self


def load_split(
    root: Path,
    split: str,
    form: str | None = None,
    categories: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> list[Sample]:
    """The pictures of one split of a data folder, or of a label file, in any of the known formats.

    See `find_labels` for how the labels are found and `locate` for the pictures. Labels are held against width, height and
    EXIF orientation of the pictures, whose first bytes are read where the labels say something of them, and are brought
    into line. A picture listed twice is one sample with the labels of both. form: a name of FORMATS, to insist.
    categories: what is called so is a face. say: takes sentences about what was brought into line (default: stderr).

    Raises NoLabels when there are none, BlazeFaceError naming file and line of a malformed entry.
    """
    if split not in SPLITS:
        raise BlazeFaceError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    return read_labels(find_labels(root, split, form, categories), say or _say)


def read_labels(found: Found, say: Callable[[str], None]) -> list[Sample]:
    """The samples of labels that were found; say: takes sentences about which category was taken for faces, and about what
    was brought into line."""
    listed = found.read(say)
    if not listed:
        raise BlazeFaceError(f"{printable(str(found.labels))}: it lists no picture")
    refuse_parts(found.labels, listed)
    # Tables often name pictures without a suffix, and pictures of VOC have been converted since.
    any_suffix = found.form in ("voc", "csv")
    places = locate([each.name for each in listed], found.folders, found.labels, any_suffix)
    held = hold_all(listed, [path for path, _ in places], say)
    samples = [_sample(path, name, each.faces) for (path, name), each in zip(places, held, strict=True)]
    return join_repeated(samples, say)


def join_repeated(samples: Sequence[Sample], say: Callable[[str], None]) -> list[Sample]:
    """One sample a picture: where it is listed several times, with all labels, each once.

    Otherwise the faces of one listing would be background in the other. say: takes a sentence where there are such pictures.
    """
    by_path: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_path.setdefault(sample.path, []).append(sample)
    repeated = [path for path, several in by_path.items() if len(several) > 1]
    if repeated:
        say(
            f"pictures listed more than once: {len(repeated):,}, {printable(str(repeated[0]))} for one; the labels of all"
            " their listings are joined"
        )
    return [_joined(several) if len(several) > 1 else several[0] for several in by_path.values()]


def _joined(several: Sequence[Sample]) -> Sample:
    first = several[0]
    for other in several[1:]:
        new = (box_iou(other.boxes, first.boxes) <= SAME_BOX).all(axis=1)
        first = replace(
            first,
            boxes=np.concatenate([first.boxes, other.boxes[new]]),
            keypoints=np.concatenate([first.keypoints, other.keypoints[new]]),
            visibility=np.concatenate([first.visibility, other.visibility[new]]),
            ignore=np.concatenate([first.ignore, other.ignore[new]]),
            listed=first.listed + 1,
        )
    return first


def split_off(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """(train, val): that share of the pictures, at least one, become val; each list in the given order.

    Which ones follows from the names of the pictures alone (SHA-256 of the folder's and the file's name), so it is the
    same again in any order, on any machine, and hardly changes when pictures are added. A picture that is listed twice is
    on one side only. Raises BlazeFaceError for fewer than two pictures.
    """
    paths = {sample.path for sample in samples}
    if len(paths) < 2:
        raise BlazeFaceError(f"--val-split: {len(paths)} picture cannot be shared out between train and val")
    count = min(max(1, round(share * len(paths))), len(paths) - 1)
    chosen = set(sorted(paths, key=_draw)[:count])
    train = [sample for sample in samples if sample.path not in chosen]
    return train, [sample for sample in samples if sample.path in chosen]


def _draw(path: Path) -> tuple[bytes, str]:
    name = f"{path.parent.name}/{path.name}"
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest(), str(path)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _sample(path: Path, name: str, faces: list[LabelledFace]) -> Sample:
    count = len(faces)
    return Sample(
        path=path,
        source=name.split("/")[0] if "/" in name else "",
        boxes=np.array([face.box for face in faces], np.float32).reshape(count, 4),
        keypoints=np.array([face.keypoints for face in faces], np.float32).reshape(count, 6, 2),
        visibility=np.array([face.visibility for face in faces], np.uint8).reshape(count, 6),
        ignore=np.array([face.ignore for face in faces], bool).reshape(count),
    )
