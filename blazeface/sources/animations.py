"""Pictures that move: animated GIF, PNG, WebP and AVIF, TIFF of several pages, and the clips in motion photos.

GIF, PNG, AVIF and motion photos are read as videos are, through FFmpeg; WebP and TIFF here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.picture_size import picture_size
from blazeface.files.pictures import MAX_BYTES, captured_stderr, most_pixels
from blazeface.files.staged import require_regular_file
from blazeface.sources.frames import Frame

PAGES_PER_SECOND = Fraction(25)
"""Of a TIFF's pages, which have no times; as of numbered pictures."""

MIN_DURATION, DEFAULT_DURATION = Fraction(11, 1000), Fraction(1, 10)
"""Seconds. A frame of an animation that is shorter than the first is shown for the second, as browsers do."""

ANIMATED = frozenset({".gif", ".png", ".webp", ".avif", ".tif", ".tiff"})
"""Suffixes of pictures that may move."""

_CLIP_BRANDS = (
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"qt  ",
    b"3gp4",
    b"3gp5",
    b"MSNV",
)


def frames_in(path: str) -> int:
    """How many frames an animation or pages a TIFF has, 2 standing for "several"; 1 for any other file."""
    data = _read(path)
    with suppress(struct.error, IndexError):
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif_frames(data)
        if data.startswith(b"\x89PNG"):
            place = data.find(b"acTL", 8, 4096)
            return max(1, struct.unpack_from(">I", data, place + 4)[0]) if place > 0 else 1
        if _is_webp(data):
            return max(1, sum(1 for kind, _ in _chunks(data) if kind == b"ANMF"))
        if data[4:12] == b"ftypavis":
            return 2
        if data.startswith((b"II*\0", b"MM\0*")):
            return 1 if _next_page(data) == 0 else 2
    return 1


def clip_start(path: str) -> int:
    """Where the clip of a motion photo begins in the file, in bytes; 0 for a file without one.

    Phones append an MP4 to the picture, or lay it into a box of a HEIC; its own first box is looked for, since the
    places where makers note it differ.
    """
    data = _read(path)
    if not (data.startswith(b"\xff\xd8") or data[4:8] == b"ftyp"):
        return 0
    place = data.find(b"ftyp", 12)
    while place > 0:
        (size,) = struct.unpack_from(">I", data, place - 4)
        if 16 <= size <= 128 and data[place + 4 : place + 8] in _CLIP_BRANDS:
            return place - 4
        place = data.find(b"ftyp", place + 4)
    return 0


def is_animation(path: str) -> bool:
    """Whether a picture file can be read as a video."""
    return frames_in(path) > 1 or clip_start(path) > 0


def open_animation(path: str) -> WebpReader | TiffReader | None:
    """The reader of a WebP or a TIFF; None for other files."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BlazeFaceError(f"{printable(path)}: cannot be opened: {error.strerror or error}") from error
    if _is_webp(head):
        return WebpReader(path)
    return TiffReader(path) if head.startswith((b"II*\0", b"MM\0*")) else None


class _Reader:
    """What both readers share (see `source.VideoSource`)."""

    def __init__(self, path: str):
        require_regular_file(path)
        self._path = path
        self._shown = printable(path)
        self._data = _read(path)
        self.audio = None
        self.pixel_aspect = Fraction(1)
        self.copy_loss: str | None = None
        self.tick = Fraction(1, 1000)
        self.rate = PAGES_PER_SECOND
        self.length: int | None = None
        width, height = picture_size(self._data) or (0, 0)
        if width * height > most_pixels():
            raise BlazeFaceError(f"{self._shown}: {width} x {height} pixels, more than are read")

    def __exit__(self, *_: object) -> None:
        pass


class WebpReader(_Reader):
    """An animated WebP (RFC 9649, 2.7): each frame is decoded as a picture of its own and laid on the canvas."""

    def __init__(self, path: str):
        super().__init__(path)
        self._frames = [content for kind, content in _chunks(self._data) if kind == b"ANMF"]
        self._size = picture_size(self._data) or (1, 1)
        self.length = len(self._frames) or 1
        total = sum((_duration(frame) for frame in self._frames), Fraction(0))
        self.rate = (self.length / total).limit_denominator(1001) if total else PAGES_PER_SECOND

    def __enter__(self) -> WebpReader:
        return self

    def frames(self) -> Iterator[Frame]:
        canvas = np.zeros((self._size[1], self._size[0], 4), np.uint8)
        time = Fraction(0)
        for index, frame in enumerate(self._frames):
            x, y, width, height = _place(frame)
            patch = _decoded(frame)
            part = canvas[y : y + height, x : x + width]
            if patch is None or patch.shape != part.shape:
                raise BlazeFaceError(f"{self._shown}: damaged: frame {index} could not be decoded")
            flags = frame[15]
            part[:] = patch if flags & 2 else _over(patch, part)
            if index == 0 and canvas[..., 3].min() < 255:
                self.copy_loss = f"{self._shown}: its transparency is left out of the copy"
            yield Frame(np.ascontiguousarray(canvas[..., :3]), index, time, self._path)
            if flags & 1:
                part[:] = 0
            time += _duration(frame)


class TiffReader(_Reader):
    """The pages of a TIFF, in order; they may differ in size."""

    def __enter__(self) -> TiffReader:
        return self

    def frames(self) -> Iterator[Frame]:
        data = np.frombuffer(self._data, np.uint8)
        index = 0
        while True:
            with captured_stderr():
                try:
                    read, pages = cv2.imdecodemulti(data, cv2.IMREAD_COLOR, None, (index, index + 1))
                except cv2.error:
                    read, pages = False, ()
            if not read or not pages:
                break
            yield Frame(pages[0], index, index / PAGES_PER_SECOND, self._path)  # type: ignore[arg-type]
            index += 1
        if index == 0:
            raise BlazeFaceError(f"{self._shown}: not a picture, or a damaged one")


def _read(path: str) -> bytes:
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            return b""
        return Path(path).read_bytes()
    except OSError as error:
        raise BlazeFaceError(f"{printable(path)}: cannot be opened: {error.strerror or error}") from error


def _gif_frames(data: bytes) -> int:
    """Counts image descriptors (GIF89a, section 20) up to the second."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    count = 0
    while position < len(data) and count < 2 and data[position] in (0x21, 0x2C):
        if data[position] == 0x2C:
            count += 1
            packed = data[position + 9]
            position += 10 + (3 << (packed & 7) + 1 if packed & 0x80 else 0) + 1
        else:
            position += 2
        while data[position]:  # blocks of up to 255 bytes, to an empty one
            position += 1 + data[position]
        position += 1
    return max(count, 1)


def _next_page(data: bytes) -> int:
    """Where the second directory of a TIFF begins; 0 where there is none (TIFF 6.0, section 2)."""
    order = "<" if data.startswith(b"II") else ">"
    (first,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    return int(struct.unpack_from(order + "I", data, first + 2 + 12 * count)[0])


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def _chunks(data: bytes, position: int = 12) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file or of a frame: kind and content."""
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _u24(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 3], "little")


def _place(frame: bytes) -> tuple[int, int, int, int]:
    """x, y, width and height of a frame on its canvas."""
    return 2 * _u24(frame, 0), 2 * _u24(frame, 3), _u24(frame, 6) + 1, _u24(frame, 9) + 1


def _duration(frame: bytes) -> Fraction:
    stated = Fraction(_u24(frame, 12), 1000)
    return stated if stated >= MIN_DURATION else DEFAULT_DURATION


def _decoded(frame: bytes) -> NDArray[np.uint8] | None:
    """A frame as BGRA, decoded as the still picture that its chunks make."""
    _, _, width, height = _place(frame)
    inner = frame[16:]
    alpha = any(kind in (b"ALPH", b"VP8L") for kind, _ in _chunks(inner, 0))
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes([0x10 if alpha else 0, 0, 0, 0]) + size + inner
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    with captured_stderr():
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            image = None
    if image is None or image.dtype != np.uint8:
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2BGRA) if image.shape[2] == 3 else image  # type: ignore[return-value]


def _over(patch: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A BGRA patch laid over another, neither premultiplied."""
    alpha = patch[..., 3:].astype(np.float32) / 255
    under = below[..., 3:].astype(np.float32) / 255 * (1 - alpha)
    total = alpha + under
    mixed = (patch[..., :3] * alpha + below[..., :3] * under) / np.maximum(total, 1e-6)
    result: NDArray[np.uint8] = np.concatenate([mixed, 255 * total], axis=2).round().astype(np.uint8)
    return result
