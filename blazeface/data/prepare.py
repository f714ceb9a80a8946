"""WIDER FACE as it is downloaded: its zips named, unpacked and checked."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from blazeface.data.formats.wider import read_wider
from blazeface.data.labels import climbs, is_absolute, picture_name
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.staged import cannot_write, staged_file

HOME = "the home page of WIDER FACE: A Face Detection Benchmark (Yang, Luo, Loy, Tang, 2016)"

BLOCK = 1 << 20

MOST_MEMBERS, LARGEST_MEMBER = 200_000, 1 << 30
"""Files of a zip, and bytes of each, beyond which it is no data set of photographs."""

LARGEST_LABELS = 1 << 28
"""Bytes of all files of a zip of labels, of which no checksum is known: many times what WIDER FACE's holds."""


@dataclass(frozen=True)
class Part:
    """One of the zips. folder: what it unpacks to. pictures: how many it holds. md5: of the whole zip, where it is known.

    The sums are those that torchvision's WIDERFace has of them (torchvision/datasets/widerface.py); of the labels several
    editions are about, so their numbers of pictures and faces are checked in place of a sum.
    """

    zip: str
    folder: str
    what: str
    pictures: int = 0
    md5: str = ""
    needed: bool = True


PARTS = (
    Part("WIDER_train.zip", "WIDER_train", "the pictures to train on", 12_880, "3fedf70df600953d25982bcd13d91ba2"),
    Part("WIDER_val.zip", "WIDER_val", "the pictures of val", 3_226, "dfa7d7e790efa35df3788964cf0bbaea"),
    Part("wider_face_split.zip", "wider_face_split", "the labels of both"),
    Part(
        "WIDER_test.zip",
        "WIDER_test",
        "pictures without labels",
        16_097,
        "e5d8f4248ed24c334bbd12f49c29dd40",
        needed=False,
    ),
)

LABELS = {"train": (12_880, 159_424), "val": (3_226, 39_708)}
"""Pictures and labelled boxes of each split, as the official lists have them."""


def prepare(zips: Path, root: Path, quiet: bool = False) -> Iterator[str]:
    """Unpack the zips in a folder into a data folder; a sentence about each part as it is done.

    What is there already stays, so it goes on where it was stopped. Nothing is downloaded, and no file is replaced. Raises
    BlazeFaceError where a zip is missing (all that are missing are named, with what they are for and where they come from),
    damaged, or not the one of that name.
    """
    if not zips.is_dir():
        raise BlazeFaceError(f"{printable(str(zips))}: no such folder")
    here = {part.zip: _zip_in(zips, part) for part in PARTS}
    missing = [
        part for part in PARTS if part.needed and here[part.zip] is None and not (root / part.folder).is_dir()
    ]
    if missing:
        named = ", ".join(f"{part.zip} ({part.what})" for part in missing)
        raise BlazeFaceError(f"{printable(str(zips))}: {named} {'is' if len(missing) == 1 else 'are'} not there: get it from {HOME}")  # fmt: skip
    for part in PARTS:
        path = here[part.zip]
        if path is not None:
            _check_sum(path, part, quiet)
            new, known = _unpack(path, root, part, quiet)
            yield f"{part.zip}: {part.what}, {new:,} files unpacked, {known:,} were there"
    for split, (pictures, faces) in LABELS.items():
        yield _check_labels(root, split, pictures, faces)


def _zip_in(folder: Path, part: Part) -> Path | None:
    """The zip of a part, whatever the case of its name or the (1) of a browser."""
    stem = part.zip.removesuffix(".zip").lower()
    for path in sorted(folder.glob("*.[zZ][iI][pP]")):
        if path.stem.lower().split("(")[0].strip(" -_") == stem:
            return path
    return None


def _check_sum(path: Path, part: Part, quiet: bool) -> None:
    if not part.md5:
        return
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as file, tqdm(total=path.stat().st_size, desc=part.zip, unit="B", unit_scale=True, leave=False, disable=quiet or None) as bar:  # fmt: skip
            while block := file.read(BLOCK):
                digest.update(block)
                bar.update(len(block))
    except OSError as error:
        raise BlazeFaceError(f"{printable(str(path))}: cannot be read: {error.strerror or error}") from error
    if digest.hexdigest() != part.md5:
        raise BlazeFaceError(
            f"{printable(str(path))}: not WIDER FACE's {part.zip}, or cut short: its MD5 is {digest.hexdigest()},"
            f" not {part.md5}"
        )


def _unpack(path: Path, root: Path, part: Part, quiet: bool) -> tuple[int, int]:
    """(files unpacked, files that were there)."""
    new = known = 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
            _check_members(path, members, part)
            needed = sum(member.file_size for member in members)
            root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(root).free
            if needed > free and not (root / part.folder).is_dir():
                raise BlazeFaceError(
                    f"{printable(str(root))}: {part.zip} takes {needed >> 20:,} MiB, {free >> 20:,} are free"
                )
            for member in tqdm(members, part.zip, unit="", leave=False, disable=quiet or None):
                target = root / picture_name(member.filename)
                if target.is_file() and target.stat().st_size == member.file_size:
                    known += 1
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with staged_file(target, replace=False) as unfinished, archive.open(member) as source, unfinished.open("wb") as file:  # fmt: skip
                    shutil.copyfileobj(source, file, BLOCK)
                new += 1
    except OSError as error:
        raise cannot_write(root, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise BlazeFaceError(f"{printable(str(path))}: not a zip that can be unpacked: {error}") from error
    return new, known


def _check_members(path: Path, members: list[zipfile.ZipInfo], part: Part) -> None:
    """Raise BlazeFaceError for names that lead out of the part's folder, links, and what is no set of photographs."""
    shown = printable(str(path))
    for member in members:
        name = picture_name(member.filename)
        if is_absolute(name) or climbs(name) or stat.S_ISLNK(member.external_attr >> 16):
            raise BlazeFaceError(f"{shown}: {printable(name)!r} leads out of its folder, nothing was unpacked")
        if name.split("/")[0] not in (part.folder, "__MACOSX"):
            raise BlazeFaceError(f"{shown}: expected {part.folder}/... in it, found {printable(name)!r}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BlazeFaceError(f"{shown}: {printable(name)!r} is packed in another way than WIDER FACE's files")
    sizes = [member.file_size for member in members]
    most = len(members) * LARGEST_MEMBER if part.md5 else LARGEST_LABELS
    if sum(sizes) > most or max(sizes, default=0) > LARGEST_MEMBER or len(members) > MOST_MEMBERS:
        raise BlazeFaceError(f"{shown}: larger than any such zip of WIDER FACE")
    pictures = sum(
        picture_name(m.filename).lower().endswith(".jpg") for m in members if not m.filename.startswith("__")
    )
    if part.pictures and pictures != part.pictures:
        raise BlazeFaceError(f"{shown}: it holds {pictures:,} pictures, {part.folder} has {part.pictures:,}")


def _check_labels(root: Path, split: str, pictures: int, faces: int) -> str:
    """A sentence that the labels and pictures of a split are whole. Raises BlazeFaceError where they are not."""
    path = root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
    listed = read_wider(path)
    found = sum(len(each.faces) for each in listed)
    if (len(listed), found) != (pictures, faces):
        raise BlazeFaceError(
            f"{printable(str(path))}: {len(listed):,} pictures and {found:,} boxes, the official list has {pictures:,} and"
            f" {faces:,}"
        )
    folder = root / f"WIDER_{split}" / "images"
    lost = [each.name for each in listed if not (folder / each.name).is_file()]
    if lost:
        raise BlazeFaceError(
            f"{printable(str(folder))}: {len(lost):,} listed pictures are not there, {lost[0]} for one"
        )
    return f"{split}: {pictures:,} pictures, all there; {faces:,} labelled boxes"
