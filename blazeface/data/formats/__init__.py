"""The formats of labels, one reader a module; `find_labels` tells which one a data folder is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blazeface.data.formats.coco import read_coco
from blazeface.data.formats.retinaface import looks_like_retinaface, read_retinaface
from blazeface.data.formats.table import looks_like_table, read_table
from blazeface.data.formats.voc import read_voc
from blazeface.data.formats.wider import looks_like_wider, read_wider
from blazeface.data.formats.yolo_folders import YoloFolders, find_yolo
from blazeface.data.labels import UTF16_MARKS, Listed, NoLabels, Say, unsaid
from blazeface.data.locate import SPLIT_WORDS, picture_folders, splits_in
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import PICTURE_SUFFIXES

FORMATS = {
    "wider": "WIDER FACE's text",
    "retinaface": "RetinaFace's label.txt or labelv2.txt",
    "coco": "COCO JSON",
    "yolo": "YOLO's text files, with or without data.yaml",
    "voc": "Pascal VOC's XML files",
    "csv": "a table with a line a face",
}
"""The names for `--format`, in the order in which a folder of several is read after keypoints/SPLIT.json."""

ORDER = ("retinaface", "wider", "coco", "yolo", "voc", "csv")
"""What a folder is taken for where it could be several: RetinaFace's labels are WIDER FACE's, with points."""

DEPTH = 3
"""Folders below the root, itself included, in which label files are looked for."""

HEAD = 1 << 16
"""Bytes of a file that tell its format."""

COCO_WORDS = (b'"images"', b'"annotations"', b'"file_name"')

TEXTS = (".txt", ".json", ".csv", ".xml")

SUFFIXES = {"retinaface": ".txt", "wider": ".txt", "coco": ".json", "csv": ".csv"}
"""Of the files of a format."""

SHOWN = 3
"""Files that a sentence names."""


@dataclass(frozen=True)
class Found:
    """Labels of one split: their format, the file or folder they are in, a reader, and where pictures may lie.

    whole: they name no split, so they are those of train, of which a part may become val.
    """

    form: str
    labels: Path
    read: Callable[[Say], list[Listed]]
    folders: Sequence[Path]
    whole: bool = False


def find_labels(root: Path, split: str, form: str | None = None, wanted: Sequence[str] = ()) -> Found:
    """The labels of a split of a data folder, or of a label file.

    form: one of FORMATS, to insist; otherwise the content tells. wanted: categories that are faces.

    Raises NoLabels where there are none, BlazeFaceError where two files could be meant.
    """
    shown = printable(str(root))
    if form is not None and form not in FORMATS:
        raise BlazeFaceError(f"--format {form}: choose one of {', '.join(FORMATS)}")
    if root.is_file():
        kind = form or _form_of(root)
        if split != "train":
            raise NoLabels(f"{shown}: a label file is all of train, and has no {split}")
        if kind not in SINGLE:
            raise BlazeFaceError(f"{shown}: not a label file in a known format: {', '.join(SINGLE)}")
        return _file(root.parent, split, kind, root, wanted, whole=True)
    if not root.is_dir():
        raise BlazeFaceError(f"{shown}: no such data folder")
    own = root / "keypoints" / f"{split}.json"
    if own.is_file() and form in (None, "coco"):
        return _file(root, split, "coco", own, wanted)
    text = root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
    scan = _Scan(root)
    for kind in ORDER:
        if form not in (None, kind):
            continue
        if kind == "yolo":
            folders = find_yolo(root, split)
            found = None if folders is None else _yolo(folders, wanted)
        elif kind == "voc":
            found = _voc(scan, split, wanted)
        elif kind == "wider" and text.is_file() and (form == "wider" or _form_of(text) != "retinaface"):
            found = _file(root, split, kind, text, wanted)
        else:
            found = _single(scan, split, kind, wanted)
        if found is not None:
            return found
    if form is not None:
        why = _fault(scan, form, wanted)
        raise NoLabels(f"{shown}: it holds no labels of {split} in the format {form}: {FORMATS[form]}{why}")
    unknown = [printable(str(path.relative_to(root))) for path in scan.unknown()[:SHOWN]]
    raise NoLabels(
        f"{shown}: it holds no labels of {split} in a known format ({', '.join(FORMATS)}; data/README.md)"
        + (f"; not recognised: {', '.join(unknown)} (--format says why)" if unknown else "")
    )


SINGLE: dict[str, Callable[[Path, Sequence[str], Say], list[Listed]]] = {
    "retinaface": lambda path, *_: read_retinaface(path),
    "wider": lambda path, *_: read_wider(path),
    "coco": read_coco,
    "csv": read_table,
}
"""Formats that have all pictures of a split in one file."""


class _Scan:
    """The files below a data folder that may hold labels, and their formats: each is looked at once."""

    def __init__(self, root: Path):
        self.root = root
        self._forms: dict[Path, str | None] | None = None

    def _all(self) -> dict[Path, str | None]:
        if self._forms is None:
            self._forms = {path: _form_of(path) for path in _walk(self.root, DEPTH)}
        return self._forms

    def files(self, kind: str) -> list[Path]:
        """Those of a format, in order."""
        return [path for path, form in self._all().items() if form == kind]

    def unknown(self) -> list[Path]:
        """Those that could hold labels, by their names, and are of no known format. Texts that belong to a picture each, and
        notes, are none."""
        return [
            path
            for path, form in self._all().items()
            if form is None and path.suffix.lower() in (".csv", ".json") and path.name != "check.json"
        ]

    def fitting(self, kind: str) -> list[Path]:
        """Those whose names have the suffix of a format, whatever is in them."""
        return [path for path in self._all() if path.suffix.lower() == SUFFIXES.get(kind)]

    def known(self) -> list[Path]:
        """Those of any format."""
        return [path for path, form in self._all().items() if form is not None]


def unread_labels(root: Path, read: Sequence[Path]) -> list[Path]:
    """Label files below a data folder that are none of those that are read, nor lie in a folder of these; those of a split called
    test, and WIDER FACE's own text beside keypoints/, which has the same, are left out."""
    own = root / "wider_face_split"
    return [
        path
        for path in _Scan(root).known()
        if not any(path.is_relative_to(each) for each in read)
        and "test" not in splits_in(path, root)
        and not (path.parent == own and any(each.parent == root / "keypoints" for each in read))
    ]


def _single(scan: _Scan, split: str, kind: str, wanted: Sequence[str]) -> Found | None:
    """The one file of a split in a format, or the only one there is, which then is that of train."""
    root, files = scan.root, scan.files(kind)
    named = [path for path in files if splits_in(path, root) == {split}]
    whole = not named and split == "train"
    chosen = [path for path in files if not splits_in(path, root)] if whole else named
    if kind == "coco" and len(chosen) > 1:
        chosen = [path for path in chosen if "keypoint" in path.name.lower()] or chosen
    if len(chosen) > 1:
        names = " or ".join(printable(str(path.relative_to(root))) for path in chosen[:4])
        raise BlazeFaceError(f"{printable(str(root))}: which labels are those of {split}: {names}?")
    return _file(root, split, kind, chosen[0], wanted, whole) if chosen else None


def _fault(scan: _Scan, kind: str, wanted: Sequence[str]) -> str:
    """What is wrong with the only file that could be in a format, by its suffix; nothing where there are several, or none."""
    fitting = scan.fitting(kind)
    if kind not in SINGLE or len(fitting) != 1:
        return ""
    try:
        SINGLE[kind](fitting[0], wanted, unsaid)
    except BlazeFaceError as error:
        return f"; {error}"
    return ""


def _file(root: Path, split: str, kind: str, path: Path, wanted: Sequence[str], whole: bool = False) -> Found:
    folders = picture_folders(root, split, path.parent)
    return Found(kind, path, lambda say: SINGLE[kind](path, wanted, say), folders, whole)


def _yolo(folders: YoloFolders, wanted: Sequence[str]) -> Found:
    return Found("yolo", folders.labels, lambda say: folders.read(wanted, say), [folders.pictures], folders.whole)


def _voc(scan: _Scan, split: str, wanted: Sequence[str]) -> Found | None:
    """The folders of XML files of a split: by their names, or by the list that VOC has of each split."""
    root, files = scan.root, scan.files("voc")
    lists = [root / "ImageSets" / "Main" / f"{word}.txt" for word in SPLIT_WORDS[split]]
    listed = next((path for path in lists if path.is_file()), None)
    if listed is not None:
        stems = {line.split()[0] for line in listed.read_text(encoding="utf-8").split("\n") if line.split()}
        chosen = [path for path in files if path.stem in stems]
    elif (root / "ImageSets" / "Main").is_dir() and split == "val":
        chosen = []
    else:
        chosen = [path for path in files if splits_in(path.parent / "_", root) == {split}]
    whole = not chosen and split == "train"
    chosen = [path for path in files if not splits_in(path.parent / "_", root)] if whole else chosen
    if not chosen:
        return None
    below = chosen[0].parent
    for path in chosen:
        while not path.is_relative_to(below):
            below = below.parent
    return Found(
        "voc",
        below,
        lambda say: read_voc(sorted(chosen), below, wanted, say),
        picture_folders(root, split, below),
        whole,
    )


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in TEXTS and path.is_file():
            yield path
        elif depth > 1 and path.suffix.lower() not in PICTURE_SUFFIXES and path.is_dir():
            yield from _walk(path, depth - 1)


def _form_of(path: Path) -> str | None:
    """What a file's beginning looks like; None for no format of labels."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if path.suffix.lower() == ".json":
                data = head + file.read()
                if data.startswith(UTF16_MARKS):
                    data = data.decode("utf-16", "replace").encode()
                return "coco" if all(word in data for word in COCO_WORDS) else None
    except OSError:
        return None
    text = head.decode("utf-16" if head.startswith(UTF16_MARKS) else "utf-8-sig", "replace").replace("\r", "\n")
    if path.suffix.lower() == ".xml":
        return "voc" if "<annotation" in text else None
    if path.suffix.lower() == ".csv":
        return "csv" if looks_like_table(text) else None
    if looks_like_retinaface(text):
        return "retinaface"
    return "wider" if looks_like_wider(text) else None
