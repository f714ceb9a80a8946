"""Where the pictures lie that labels name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from blazeface.data.even_choice import chosen_evenly
from blazeface.data.labels import is_absolute, one_spelling
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import PICTURE_SUFFIXES

LOOKED_AT = 200
"""Names of a label file, evenly chosen, that tell where all of them lie."""

SPLIT_WORDS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev")}
"""What folders and files of a split are called."""


def picture_folders(root: Path, split: str, near: Path) -> list[Path]:
    """Where pictures of a split may lie below a data folder, the likeliest first. near: the folder of the labels."""
    found = [root / f"WIDER_{split}" / "images"]
    for word in SPLIT_WORDS[split]:
        for name in (word, f"{word}2017", f"{word}2014"):
            found += [root / name / "images", root / "images" / name, root / name]
    found += [near / "images", near, near.parent / "JPEGImages", root / "JPEGImages", root / "images", root]
    return list(dict.fromkeys(found))


def locate(
    names: Sequence[str], folders: Sequence[Path], labels: Path, any_suffix: bool = False
) -> list[tuple[Path, str]]:
    """(file, name below its folder) of each named picture.

    All names of a label file are looked for in one of the folders, in the same way: as they are, or without their first
    folders (labels often name pictures from where their tool was started, or by a path of another machine). Where most
    are found is where they are; where none is, in the first folder, so that they can be named as missing.

    A name counts as found in any of Unicode's forms of its letters. Where no name is found in any folder, and
    none of them has a folder, pictures in the folders below the outermost are, if each is there once.

    any_suffix: a picture of another format with the same name is the one that is meant.

    Raises BlazeFaceError for an absolute name where none of the names was found without its first folders.
    """
    few = chosen_evenly(list(dict.fromkeys(names)), LOOKED_AT)
    present = [folder for folder in folders if folder.is_dir()]
    depth = max((len(PurePosixPath(name).parts) for name in few), default=1)
    ways = [(folder, without) for without in range(depth) for folder in present]
    found = {way: _count(few, *way, any_suffix) for way in ways[: 16 * len(present)]}
    best = max(found, key=lambda way: found[way], default=None)  # the first of equals
    if best is not None and found[best]:
        shortened = [_below(name, best[1]) for name in names]
        if len(set(shortened)) == len(set(names)):
            paths = [best[0] / name for name in shortened]
            # Names below WIDER_train/images begin with the source, wherever the labels were seen from.
            inner = next(folder for folder in folders if all(path.is_relative_to(folder) for path in paths))
            actual = [existing(best[0], name, any_suffix) for name in shortened]
            return [(there, path.relative_to(inner).as_posix()) for there, path in zip(actual, paths, strict=True)]
    elif present and (below := _by_own_name(names, folders, min(present, key=lambda folder: len(folder.parts)))):
        return below
    lost = next((name for name in names if is_absolute(name)), None)
    if lost is not None:
        raise BlazeFaceError(
            f"{printable(str(labels))}: the name of a picture leaves its folder, and it is not found in it:"
            f" {printable(lost)!r}"
        )
    inside = "/".join(folders[0].parts[-2:]) + "/"  # WIDER_train/images/
    names = [name.removeprefix(inside) for name in names]
    return [(folders[0] / name, name) for name in names]


def existing(folder: Path, name: str, any_suffix: bool = False) -> Path:
    """The file of that name in a folder, its letters in any of Unicode's forms; the path of the name as it is where there is
    none. any_suffix: with any suffix of pictures."""
    spellings = (
        [name]
        if name.isascii()
        else [name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]
    )
    for spelling in spellings:
        there = file_of_stem(folder / spelling) if any_suffix else folder / spelling
        if there.is_file():
            return there
    return folder / name


def _by_own_name(names: Sequence[str], folders: Sequence[Path], root: Path) -> list[tuple[Path, str]]:
    """(file, name below the root) of pictures in any folder below it, where their own names tell; none where they do not.

    folders: those of the split. What lies in a folder of another split is not meant.
    """
    own_split = [folder for folder in folders if folder.is_relative_to(root) and splits_in(folder, root)]
    there = [
        path
        for path in root.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES
        and (not splits_in(path.parent, root) or any(path.is_relative_to(folder) for folder in own_split))
    ]
    called = {one_spelling(path.name): path for path in there}
    own = [one_spelling(name) for name in names]
    if any("/" in name for name in own) or len(called) < len(there) or not called.keys() & set(own):
        return []
    paths = [called.get(name, root / name) for name in own]
    return [(path, path.relative_to(root).as_posix()) for path in paths]


def splits_in(path: Path, root: Path) -> set[str]:
    """The splits in a path's name, or in those of its folders below the root where its own names none.

    "test" is a split of its own, which nobody trains on by mistake.
    """
    for part in reversed(path.relative_to(root).parts):
        words = set(re.findall(r"[a-z]+", part.lower()))
        found = {split for split, names in SPLIT_WORDS.items() if words & set(names)} | ({"test"} & words)
        if found:
            return found
    return set()


def file_of_stem(path: Path) -> Path:
    """The picture of that name with any suffix of pictures, where the named one is not there; else the path itself."""
    if path.is_file():
        return path
    for suffix in sorted(PICTURE_SUFFIXES):
        for other in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
            if other.is_file():
                return other
    return path


def _count(names: Sequence[str], folder: Path, without: int, any_suffix: bool) -> int:
    """How many of the names are pictures in a folder, without their first parts."""
    count = 0
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) > without and not (without == 0 and is_absolute(name)):
            count += existing(folder, _below(name, without), any_suffix).is_file()
    return count


def _below(name: str, without: int) -> str:
    """A name without its first parts; the last one always stays."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[min(without, len(parts) - 1) :])
