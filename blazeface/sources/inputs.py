"""What the user named: pictures, folders, videos, cameras and streams, told apart and put in order."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import cv2

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable, without_secrets
from blazeface.files.pictures import PICTURE_SUFFIXES
from blazeface.files.staged import require_regular_file

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp .ogv .y4m .mjpeg .mjpg .h264 .hevc".split()  # noqa: SIM905
)
URL = re.compile(r"(rtsps?|https?|udp|tcp|rtmps?|rtp|srt)://", re.IGNORECASE)
SEQUENCE = re.compile(r"%(?:0?\d+)?d")
_CAMERA = re.compile(r"(?:cam|/dev/video)?(\d{1,3})")


@dataclass(frozen=True)
class Input:
    """One thing to read.

    kind: "picture", "video" (a file), "sequence" (pictures numbered like img_%04d.jpg), "camera" or "stream" (a URL).
    name: how it is called in JSON and in sentences; never holds a password.
    address: path, pattern, camera number or whole URL; not for printing.
    relative: its name below an output folder: a picture's path within the folder that was named.
    """

    kind: Literal["picture", "video", "sequence", "camera", "stream"]
    name: str
    address: str = field(repr=False)
    relative: PurePath


def find_inputs(
    texts: Iterable[str], report: Callable[[BlazeFaceError], None], skip: Sequence[str] = ()
) -> list[Input]:
    """The inputs behind what was typed, in that order; folders are walked.

    A text that is nothing readable is reported, and the others are still found. skip: folders that are
    not walked into (those of outputs, which may lie inside an input folder).
    """
    texts = list(texts)
    found: list[Input] = []
    for text in texts:
        try:
            if os.path.isdir(text):
                below = PurePath(os.path.basename(os.path.abspath(text))) if len(texts) > 1 else PurePath()
                found += walk_folder(text, report, below, skip)
            else:
                found.append(find_input(text))
        except BlazeFaceError as fault:
            report(fault)
    return found


def find_input(text: str) -> Input:
    """One input that is not a folder: a URL, a file, a sequence, or a camera ("cam0", "0", "/dev/video0")."""
    if URL.match(text):
        return Input("stream", printable(without_secrets(text)), text, PurePath("stream"))
    camera = _CAMERA.fullmatch(text)
    if camera and not os.path.isfile(text):
        return Input("camera", f"cam{int(camera[1])}", camera[1], PurePath(f"cam{int(camera[1])}"))
    if re.match(r"[A-Za-z][\w+.\-]+:/", text) and not os.path.exists(text):
        raise BlazeFaceError(
            f"{printable(without_secrets(text))}: no such file, and an address must begin with "
            "rtsp://, rtsps://, http://, https://, udp://, tcp://, rtp://, rtmp:// or srt://"
        )
    if SEQUENCE.search(os.path.basename(text)) and not os.path.exists(text):
        stem = SEQUENCE.sub("", os.path.splitext(os.path.basename(text))[0]).strip("_-. ")
        return Input("sequence", text, text, PurePath(stem or "sequence"))
    require_regular_file(text)
    return Input(_file_kind(text), text, text, PurePath(os.path.basename(text)))


def walk_folder(
    folder: str, report: Callable[[BlazeFaceError], None], below: PurePath, skip: Sequence[str] = ()
) -> list[Input]:
    """The pictures of a folder and of the folders in it (see `pictures_below`).

    One without a single picture raises BlazeFaceError.
    """
    faults = 0

    def count(fault: BlazeFaceError) -> None:
        nonlocal faults
        faults += 1
        report(fault)

    paths = [PurePath(path) for path in pictures_below(folder, count, skip)]
    if not paths and not faults:
        raise BlazeFaceError(f"{printable(folder)}: holds no pictures")
    return [Input("picture", os.path.join(folder, p), os.path.join(folder, p), below / p) for p in paths]


def pictures_below(
    folder: str, report: Callable[[BlazeFaceError], None], skip: Sequence[str] = (), inside: str = ""
) -> Iterator[str]:
    """Paths, below the folder, of its pictures and of those of the folders in it, in sorted order, as they are found.

    Only files with a picture's suffix count; hidden ones and links to folders are passed over. A folder that cannot
    be listed is reported. Only the names of one folder, and of those above it, are held in memory.
    """
    try:
        with os.scandir(os.path.join(folder, inside)) as entries:
            found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if e.name[0] != ".")
    except OSError as fault:
        report(BlazeFaceError(f"{printable(fault.filename or folder)}: cannot be listed: {fault.strerror}"))
        return
    for name, is_folder in found:
        path = os.path.join(inside, name)
        if is_folder:
            if not _among(os.path.join(folder, path), skip):
                yield from pictures_below(folder, report, skip, path)
        elif _suffix(name) in PICTURE_SUFFIXES and not os.path.isdir(os.path.join(folder, path)):
            yield path


def report_videos_in_folders(
    texts: Iterable[str], report: Callable[[BlazeFaceError], None], skip: Sequence[str] = ()
) -> None:
    """Report each video that lies in a folder among the texts: folders are read for their pictures alone."""
    for folder in (text for text in texts if os.path.isdir(text)):
        for where, folders, names in os.walk(folder):
            folders[:] = sorted(
                name for name in folders if name[0] != "." and not _among(os.path.join(where, name), skip)
            )
            for name in sorted(names):
                if name[0] != "." and _suffix(name) in VIDEO_SUFFIXES:
                    path = printable(os.path.join(where, name))
                    report(BlazeFaceError(f"{path}: a video in a folder is not covered: name it by itself"))


def pictures_in(texts: Iterable[str], report: Callable[[BlazeFaceError], None]) -> Iterator[str]:
    """The names of the pictures behind what was typed, as they are found: pictures, and folders full of them.

    Whatever else was typed is reported.
    """
    for text in texts:
        if os.path.isdir(text):
            for path in pictures_below(text, report):
                yield os.path.join(text, path)
            continue
        try:
            item = find_input(text)
            if item.kind != "picture":
                raise BlazeFaceError(
                    f"{item.name}: not a picture: --jobs reads pictures and folders of them alone"
                )
            yield item.address
        except BlazeFaceError as fault:
            report(fault)


def _among(path: str, others: Sequence[str]) -> bool:
    return any(os.path.realpath(path) == os.path.realpath(other) for other in others)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _file_kind(path: str) -> Literal["picture", "video"]:
    """By suffix, else by content; a text is refused here, since a video library would render it."""
    suffix = _suffix(path)
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise BlazeFaceError(f"{printable(path)}: cannot be opened: {error.strerror or error}") from error
    if _looks_like_picture(path):
        return "picture"
    if b"\0" not in start:
        raise BlazeFaceError(f"{printable(path)}: neither a picture nor a video")
    return "video"


def _looks_like_picture(path: str) -> bool:
    try:
        path.encode()  # cv2 crashes on a name that is not UTF-8
        return cv2.haveImageReader(path)
    except (UnicodeEncodeError, cv2.error):
        return False
