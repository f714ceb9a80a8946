"""Pictures sorted into one folder a class, for the classifiers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import PICTURE_SUFFIXES, read_picture
from blazeface.geometry import letterbox_image

HELD_OUT = 5
"""Without a folder `val`, every fifth picture of a class is for validation."""

MAX_BYTES = 4 << 30
"""Of all pictures of a split in memory."""

SPLITS = ("train", "val")


@dataclass(frozen=True)
class LabelledPictures:
    """N pictures of one size. images: (N, S, S, 3) BGR uint8. classes: (N,) int64."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)


def find_classes(root: Path) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]]]:
    """Names of the classes, sorted, and by split ("train", "val") the paths and the numbers of their classes.

    Either ROOT/train/CLASS/ and ROOT/val/CLASS/, or ROOT/CLASS/, of which every fifth picture by name is "val". Folders
    that begin with a dot are passed over. Raises BlazeFaceError for fewer than two classes, a class of val alone, and a
    class or split without a picture.
    """
    if not root.is_dir():
        raise BlazeFaceError(f"{printable(str(root))}: no such folder")
    split = all((root / name).is_dir() for name in SPLITS)
    names = tuple(sorted(_folders(root / "train" if split else root)))
    if len(names) < 2:
        raise BlazeFaceError(f"{printable(str(root))}: a folder a class is needed, for two classes or more")
    if split:
        unknown = sorted(set(_folders(root / "val")) - set(names))
        if unknown:
            raise BlazeFaceError(f"{printable(str(root / 'val' / unknown[0]))}: there is no such class in train")
    found: dict[str, list[tuple[Path, int]]] = {name: [] for name in SPLITS}
    for number, name in enumerate(names):
        if split:
            for part in SPLITS:
                found[part] += [(path, number) for path in _pictures(root / part / name)]
        else:
            for index, path in enumerate(_pictures(root / name)):
                found["val" if index % HELD_OUT == HELD_OUT - 1 else "train"].append((path, number))
        if not found["train"] or found["train"][-1][1] != number:
            raise BlazeFaceError(f"{printable(name)}: there is no picture to train on in the folder of this class")
    if not found["val"]:
        raise BlazeFaceError(f"{printable(str(root))}: there is no picture for validation")
    return names, found


def load_pictures(items: Sequence[tuple[Path, int]], size: int, quiet: bool = False) -> LabelledPictures:
    """Pictures letterboxed to size x size; broken ones are named on stderr and left out. Raises BlazeFaceError where none
    is left, or where all would not fit into MAX_BYTES."""
    if len(items) * size * size * 3 > MAX_BYTES:
        raise BlazeFaceError(
            f"{len(items):,} pictures of {size} x {size} take {len(items) * size * size * 3 / 2**30:.1f} GiB of memory, more"
            f" than {MAX_BYTES >> 30}: choose a smaller --size or fewer pictures"
        )
    images, classes = [], []
    for path, number in tqdm(items, desc="reading", unit="picture", leave=False, disable=quiet or None):
        try:
            images.append(letterbox_image(read_picture(str(path)), size)[0])
        except BlazeFaceError as error:
            print(f"{error}; left out", file=sys.stderr)
            continue
        classes.append(number)
    if not images:
        raise BlazeFaceError("there is no picture that can be read")
    return LabelledPictures(np.stack(images), np.array(classes, np.int64))


def _folders(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
