"""Picture files: read as upright BGR, write whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from blazeface.errors import BlazeFaceError
from blazeface.files.copies import with_profile
from blazeface.files.heif import decode_heic, is_avif, is_heic, turned
from blazeface.files.names import printable
from blazeface.files.opencv_log import SILENT, set_log_level
from blazeface.files.picture_size import is_cut_jpeg, is_cut_png, jpeg_scans, picture_size
from blazeface.files.staged import require_regular_file, staged_file, write_errors
from blazeface.geometry import Image

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .gif .avif .jp2 .ppm .pgm .pbm .pnm .heic .heif".split()  # noqa: SIM905
)
"""HEIC needs an optional library; without it each is named, so that a phone's folder full of it is not passed over."""

MAX_PIXELS = 2**28
"""A picture of more (16384 x 16384) is refused: it would take gigabytes of memory."""

LIMIT_VARIABLE = "BLAZEFACE_MAX_PIXELS"
"""Environment variable that sets another limit than MAX_PIXELS."""

MAX_SCANS, USUAL_SCANS = 64, 16
"""A progressive JPEG has some ten scans. Each goes over the whole picture: hundreds take minutes in a small file.
The largest pictures may have the usual number of them."""

MAX_BYTES = 2**30
"""A larger file is not read as a picture."""


def read_picture(path: str) -> Image:
    """A picture file as BGR uint8 (H, W, 3).

    EXIF orientation is applied; grey, palette, CMYK and 16 bits become 8-bit BGR; an alpha channel is
    left out (the colours under it stay); of several pages or an animation the first is read.
    Raises BlazeFaceError, naming file and fault, for what is missing, empty, damaged, gigantic or no
    picture.
    """
    require_regular_file(path)
    shown = printable(path)
    if os.path.getsize(path) > MAX_BYTES:
        raise BlazeFaceError(f"{shown}: larger than {MAX_BYTES >> 20} MiB, too large for a picture")
    try:
        data = Path(path).read_bytes()  # unlike cv2.imread this opens any name on any system
    except OSError as error:
        raise BlazeFaceError(f"{shown}: cannot be opened: {error.strerror or error}") from error
    size = picture_size(data)
    if size is None and not data[4:8] == b"ftyp":  # whose kind `decode_picture` names
        raise BlazeFaceError(f"{shown}: not a picture, or a damaged one")
    width, height = size or (0, 0)
    limit = most_pixels()
    if width * height > limit:
        raise BlazeFaceError(
            f"{shown}: {width} x {height} pixels, more than the {limit:,} that are read ({LIMIT_VARIABLE} sets the limit)"
        )
    scans = jpeg_scans(data)
    if scans > MAX_SCANS or scans * width * height > USUAL_SCANS * limit:
        raise BlazeFaceError(
            f"{shown}: a JPEG of {scans:,} scans over {width} x {height} pixels, more than are read"
        )
    if is_cut_jpeg(data):
        raise BlazeFaceError(f"{shown}: not a picture, or a damaged one (a JPEG that breaks off)")
    if is_cut_png(data):
        raise BlazeFaceError(f"{shown}: not a picture, or a damaged one (a PNG chunk reaches beyond the file)")
    image, fault = decode_picture(data)
    if image is None:
        raise BlazeFaceError(f"{shown}: {fault}")
    return image


def refuse_animation(path: str) -> None:
    """Raise BlazeFaceError for a file that holds more pictures than the one that `read_picture` gives."""
    require_regular_file(path)
    with captured_stderr():
        try:
            count = int(cv2.imcount(os.path.abspath(path)))
        except (cv2.error, UnicodeEncodeError):  # what read_picture then refuses, or reads all the same
            return
    if count > 1:
        raise BlazeFaceError(
            f"{printable(path)}: holds {count} pictures, of which one alone would be covered: --video covers all of them"
        )


def most_pixels() -> int:
    """Pixels of the largest picture that is read. Raises BlazeFaceError for a limit that is no number."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text:
        return MAX_PIXELS
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise BlazeFaceError(f"{LIMIT_VARIABLE} must be a number of pixels, not {printable(text[:40])!r}")
    return int(text)


def decode_picture(data: bytes) -> tuple[Image | None, str]:
    """Decode the bytes of a picture file: (BGR picture, ""), or (None, what is wrong with it)."""
    if is_heic(data):
        try:
            return decode_heic(data), ""
        except BlazeFaceError as fault:
            return None, str(fault)
    # Of an AVIF the properties say how it is turned, which OpenCV ignores, and not EXIF, which it would follow.
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if is_avif(data) else 0)
    with captured_stderr() as said:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except (cv2.error, MemoryError) as error:
            image = None
            if _is_about_size(error):
                return None, "too large to decode"
    if image is not None and image.dtype != np.uint8:
        return None, f"pictures of {image.dtype} are not read"
    if image is not None and image.ndim == 2:  # OpenCV gives a grey PFM as it is
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if image is not None:
        return (turned(image, data) if is_avif(data) else image), ""  # type: ignore[arg-type,return-value]
    reason = printable(said[0].strip().splitlines()[-1]) if said[0].strip() else ""
    if data[:4] == b"GIF8" and not cv2.haveImageWriter("a.gif"):  # what reads GIF, writes it
        return None, f"this OpenCV ({cv2.__version__}) reads no GIF: 4.11 does"
    return None, "not a picture, or a damaged one" + (f" ({reason})" if reason else "")


def write_picture(path: Path, image: Image, replace: bool = True, profile: bytes | None = None) -> None:
    """Write a BGR picture in the format that the suffix names (JPEG in quality 95), all of it or nothing.

    replace: as in `staged_file`. profile: an ICC profile to put in, where the format takes one. Raises BlazeFaceError when the format cannot hold it or the disk does not take it.
    """
    suffix = path.suffix.lower()
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg", ".jpe") else []
    with captured_stderr():
        try:
            done, data = cv2.imencode(suffix, image, quality)
        except cv2.error:
            done = False
    if not done:
        height, width = image.shape[:2]
        raise BlazeFaceError(f"{printable(str(path))}: this format cannot hold a picture of {width} x {height}")
    written = data.tobytes()
    if profile is not None:
        written = with_profile(written, profile) or written
    with staged_file(path, replace) as part, write_errors(path):
        part.write_bytes(written)


@lru_cache
def can_write_picture(suffix: str) -> bool:
    """Whether this OpenCV writes pictures with the suffix (".jpg")."""
    with captured_stderr():
        try:
            return bool(suffix) and cv2.haveImageWriter(f"picture{suffix.lower()}")
        except cv2.error:
            return False


def _is_about_size(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "CV_IO_MAX_IMAGE" in text or "Insufficient memory" in text


def _scratch_file() -> IO[bytes]:
    """A file without a name: in memory where the system can, else in the temporary folder.

    Where there is neither (a read-only file system without a temporary folder) it is the null device, and only the
    libraries' own words are lost.
    """
    try:
        if hasattr(os, "memfd_create"):
            return os.fdopen(os.memfd_create("stderr"), "w+b")
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "r+b")


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Keep what OpenCV, libjpeg and libpng print off the terminal; the list holds their text afterwards.

    The C libraries write to file descriptor 2 itself, so that is what is turned aside for the moment.
    """
    said = [""]
    level = set_log_level(SILENT)
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all: nothing to keep quiet
        yield said
        return
    try:
        with _scratch_file() as caught:
            os.dup2(caught.fileno(), 2)
            try:
                yield said
            finally:
                os.dup2(saved, 2)
                caught.seek(0)
                said[0] = caught.read(4096).decode("utf-8", "replace")
    finally:
        os.close(saved)
        set_log_level(level)
