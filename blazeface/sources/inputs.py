"""Classifies the inputs on the command line (pictures, folders, videos, cameras, streams) and puts them in order."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import cv2

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable, shown, without_secrets
from blazeface.files.pictures import PICTURE_SUFFIXES
from blazeface.files.staged import require_regular_file
from blazeface.sources.animations import is_animation

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .mkv .webm .avi .divx .mpg .mpeg .mpe .m2v .vob .ts .mts .m2ts .mod .tod .wmv .asf .flv .f4v .3gp .3g2"  # noqa: SIM905
    " .ogv .ogm .dv .mxf .nut .ivf .rm .rmvb .wtv .lrv .insv .y4m .mjpeg .mjpg .h264 .264 .avc .hevc .h265 .265 .obu".split()
)
URL = re.compile(r"(rtsps?|https?|udp|tcp|rtmps?|rtp|srt)://", re.IGNORECASE)
SEQUENCE = re.compile(r"%(?:0?\d+)?d")
CAMERA_NAMES = "/sys/class/video4linux"
"""Where Linux says how its cameras call themselves."""

QUOTES = "\"' \t\u201c\u201d\u2018\u2019"
_CAMERA = re.compile(r"(?:cam|/dev/video)?(\d{1,3})")
_NEARLY_CAMERA = re.compile(r"(?i:(?:web)?cam(?:era)?)[ _:-]?\d{0,3}")


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
    texts: Iterable[str],
    report: Callable[[BlazeFaceError], None],
    skip: Sequence[str] = (),
    moving: str | None = None,
    videos: bool = True,
) -> list[Input]:
    """The inputs behind what was typed, in that order; folders are walked.

    A text that is nothing readable is reported, and the others are still found. skip: folders that are
    not walked into (those of outputs, which may lie inside an input folder). moving: one of the texts that is meant as
    a video, also where it is a picture that moves. videos: folders give their videos too.
    """
    texts = list(texts)
    found: list[Input] = []
    for text in texts:
        try:
            if os.path.isdir(text):
                below = PurePath(os.path.basename(os.path.abspath(text))) if len(texts) > 1 else PurePath()
                found += walk_folder(text, report, below, skip, videos)
            else:
                found.append(find_input(text, text == moving))
        except BlazeFaceError as fault:
            report(fault)
    return found


def find_input(text: str, moving: bool = False) -> Input:
    """One input that is not a folder: a URL, a file, a sequence, or a camera ("cam0", "0", "/dev/video0", its name).

    moving: a picture that moves (see `animations`) is a video.
    """
    if URL.match(text):
        return Input("stream", printable(without_secrets(text)), text, PurePath("stream"))
    camera = _CAMERA.fullmatch(text) or _CAMERA.fullmatch(camera_behind(text) or "")
    if camera and not os.path.isfile(text):
        return Input("camera", f"cam{int(camera[1])}", camera[1], PurePath(f"cam{int(camera[1])}"))
    typed = text.lstrip(QUOTES)
    # With quotes around it, or without its beginning, it is still an address, and may hold a password.
    if (re.match(r"[A-Za-z][\w+.\-]+:/", typed) or without_secrets(typed) != typed) and not os.path.exists(text):
        raise BlazeFaceError(
            f"{shown(typed)}: no such file, and an address must begin with "
            "rtsp://, rtsps://, http://, https://, udp://, tcp://, rtp://, rtmp:// or srt://"
        )
    if SEQUENCE.search(os.path.basename(text)) and not os.path.exists(text):
        stem = SEQUENCE.sub("", os.path.splitext(os.path.basename(text))[0]).strip("_-. ")
        return Input("sequence", text, text, PurePath(stem or "sequence"))
    if _NEARLY_CAMERA.fullmatch(text) and not os.path.lexists(text):
        raise BlazeFaceError(f"{text}: no such file or folder; the first camera is called cam0")
    require_regular_file(text)
    kind = _file_kind(text)
    if kind == "picture" and moving and is_animation(text):
        kind = "video"
    return Input(kind, text, text, PurePath(os.path.basename(text)))


def camera_behind(text: str) -> str | None:
    """The device of a camera that is named by a link (/dev/v4l/by-id/...) or by what it calls itself; None for others.

    Where several carry one name the first is meant.
    """
    if os.path.islink(text):
        return os.path.realpath(text)
    for path in sorted(glob.glob(os.path.join(CAMERA_NAMES, "video*", "name")), key=lambda p: (len(p), p)):
        with suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
            if file.read().strip().casefold() == text.strip().casefold() != "":
                return f"/dev/{os.path.basename(os.path.dirname(path))}"
    return None


def walk_folder(
    folder: str,
    report: Callable[[BlazeFaceError], None],
    below: PurePath,
    skip: Sequence[str] = (),
    videos: bool = True,
) -> list[Input]:
    """The pictures, and videos where these are meant too, of a folder and of the folders in it (see `files_below`).

    One without any raises BlazeFaceError.
    """
    faults = 0

    def count(fault: BlazeFaceError) -> None:
        nonlocal faults
        faults += 1
        report(fault)

    found = []
    for path in files_below(folder, count, skip):
        whole = os.path.join(folder, path)
        kind: Literal["picture", "video"] = "picture" if suffix_of(path) in PICTURE_SUFFIXES else "video"
        if kind == "picture" or (videos and not _is_text(whole)):
            found.append(Input(kind, whole, whole, below / path))
    if not found and not faults:
        raise BlazeFaceError(f"{printable(folder)}: holds no pictures{' or videos' if videos else ''}")
    return found


def passed_over(texts: Iterable[str], skip: Sequence[str] = ()) -> Iterator[str]:
    """The files, not hidden, of the folders among what was typed that are read neither as a picture nor as a video."""
    for folder in (text for text in texts if os.path.isdir(text)):
        for others in (True, False):
            for path in files_below(folder, lambda fault: None, skip, others=others):
                whole = os.path.join(folder, path)
                if others or (suffix_of(path) not in PICTURE_SUFFIXES and _is_text(whole)):
                    yield whole


def files_below(
    folder: str,
    report: Callable[[BlazeFaceError], None],
    skip: Sequence[str] = (),
    inside: str = "",
    others: bool = False,
) -> Iterator[str]:
    """Paths, below the folder, of its pictures and videos and of those of the folders in it, in sorted order, as found.

    Only files with the suffix of one count, or all but these (`others`); hidden ones and links to folders are passed
    over. A folder that cannot be listed is reported. Only the names of one folder, and of those above it, are held in
    memory.
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
                yield from files_below(folder, report, skip, path, others)
        elif (suffix_of(name) in PICTURE_SUFFIXES | VIDEO_SUFFIXES) != others and not os.path.isdir(
            os.path.join(folder, path)
        ):
            yield path


def pictures_in(
    texts: Iterable[str],
    report: Callable[[BlazeFaceError], None],
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[str]:
    """The names of the pictures behind what was typed, as they are found: pictures, and folders full of them.

    Inputs that are none of these are reported; say takes how many videos of a folder are left out.
    """
    for text in texts:
        if os.path.isdir(text):
            videos = 0
            for path in files_below(text, report):
                if suffix_of(path) in PICTURE_SUFFIXES:
                    yield os.path.join(text, path)
                else:
                    videos += not _is_text(os.path.join(text, path))
            if videos:
                left = f"{videos} video{'s are' if videos > 1 else ' is'} left out"
                say(f"{printable(text)}: {left}: --jobs reads pictures alone")
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


def suffix_of(name: str) -> str:
    """The suffix of a file's name, in small letters."""
    return os.path.splitext(name)[1].lower()


def _file_kind(path: str) -> Literal["picture", "video"]:
    """By suffix, else by content; a text is refused here, since a video library would render it."""
    suffix = suffix_of(path)
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


def _is_text(path: str) -> bool:
    """Whether a file called like a video holds text (TypeScript is called .ts) rather than pictures."""
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError:
        return False  # reading it will say what is wrong
    return bool(start) and b"\0" not in start and not start.startswith(b"YUV4MPEG2")


def _looks_like_picture(path: str) -> bool:
    try:
        path.encode()  # cv2 crashes on a name that is not UTF-8
        return cv2.haveImageReader(path)
    except (UnicodeEncodeError, cv2.error):
        return False
