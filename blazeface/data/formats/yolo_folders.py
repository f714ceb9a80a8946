"""Where a YOLO data set has its pictures and labels: by data.yaml, or by the names of its folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from blazeface.data.formats.yolo import YoloSet, looks_like_yolo, read_names, read_yaml, read_yolo
from blazeface.data.labels import Listed, Say, read_text
from blazeface.data.locate import SPLIT_WORDS
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable


@dataclass(frozen=True)
class YoloFolders:
    """The folder of a split's pictures and that of its labels; names: its pictures, where a file lists them."""

    pictures: Path
    labels: Path
    described: YoloSet
    names: tuple[str, ...] | None = None
    whole: bool = False

    def read(self, wanted: Sequence[str], say: Say) -> list[Listed]:
        return read_yolo(self.labels, self.pictures, self.described, wanted, self.names, say)


def find_yolo(root: Path, split: str) -> YoloFolders | None:
    """The folders of a split; None where the data folder has none that look like YOLO's.

    Raises BlazeFaceError where data.yaml names something that is not there.
    """
    described = YoloSet()
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        data, described = read_yaml(path)
        entry = next((data[word] for word in SPLIT_WORDS[split] if data.get(word)), None)
        if isinstance(entry, list) and len(entry) == 1:
            entry = entry[0]
        if isinstance(entry, str):
            return _by_entry(root, data.get("path"), entry, described, path)
        if entry is not None:
            raise BlazeFaceError(f"{printable(str(path))}: {split} must be one folder or one list of pictures")
        if "train" in data and "names" in data:
            return None
    for path in (*root.glob("*.names"), root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file() and not described.names:
            described = read_names(path)
    for words, whole in ((SPLIT_WORDS[split], False), (("",), True)):
        if whole and split != "train":
            continue
        for word in words:
            for pictures, labels in (
                (root / "images" / word, root / "labels" / word),
                (root / word / "images", root / word / "labels"),
                (root / word, root / "labels" / word),
                (root / word, root / word),
            ):
                if pictures.is_dir() and labels.is_dir() and _holds_labels(labels):
                    return YoloFolders(pictures, labels, described, whole=whole)
    return None


def _by_entry(root: Path, base: object, entry: str, described: YoloSet, source: Path) -> YoloFolders:
    """The folder, or the list of pictures, that data.yaml names: seen from it, from its `path`, or (as some services
    write it) with a ../ too many."""
    text = entry.replace("\\", "/")
    lower = "/".join(part for part in PurePosixPath(text).parts if part != "..")
    places = [root / text, root / lower]
    if isinstance(base, str):
        places[:0] = [root / base / text]
    for place in places:
        if not place.resolve().is_relative_to(root.resolve()):
            continue
        if place.is_dir():
            return YoloFolders(place, _labels_of(place), described)
        if place.is_file():
            return _by_list(place, described)
    raise BlazeFaceError(f"{printable(str(source))}: {printable(entry)} is not in {printable(str(root))}")


def _by_list(path: Path, described: YoloSet) -> YoloFolders:
    """The pictures that a text file lists, one a line, seen from its own folder."""
    root = path.parent
    names = [
        line.strip().replace("\\", "/").removeprefix("./") for line in read_text(path).split("\n") if line.strip()
    ]
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BlazeFaceError(f"{printable(str(path))}: a name leaves its folder: {printable(name)!r}")
    if all(name.startswith("images/") for name in names) and (root / "labels").is_dir():
        short = tuple(name.removeprefix("images/") for name in names)
        return YoloFolders(root / "images", root / "labels", described, short)
    return YoloFolders(root, root, described, tuple(names))


def _labels_of(pictures: Path) -> Path:
    """The folder of labels beside one of pictures: .../labels/train for .../images/train, else the same folder."""
    parts = list(pictures.parts)
    for i in range(len(parts) - 1, -1, -1):
        if parts[i] == "images":
            labels = Path(*parts[:i], "labels", *parts[i + 1 :])
            return labels if labels.is_dir() else pictures
    return pictures


def _holds_labels(folder: Path) -> bool:
    return any(looks_like_yolo(path) for path in folder.rglob("*.txt"))
