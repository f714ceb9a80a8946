"""Protocols and formats that FFmpeg may open: without limits, a file can make it open other files and addresses."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import LIMIT_VARIABLE, most_pixels
from blazeface.sources.container_bytes import lacks_index

DEMUXERS = "mov,matroska,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg,yuv4mpegpipe,mjpeg,h264,hevc,m4v,ivf,obu,vc1,dv,mxf,nut,rm,wtv,gif,apng,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe,webp_anim"
"""Containers of video. None of them opens another file; concat, HLS, DASH, image lists, scripts and the like do."""

FILE_PROTOCOLS = "file,subfile"
STREAM_PROTOCOLS = (
    "http,https,httpproxy,tcp,tls,udp,udplite,rtp,srtp,rtsp,rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,srt,crypto,data"
)
"""For an address that the user named: a list that comes from there may name other addresses, and no file of this
machine."""

FILE_OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": FILE_PROTOCOLS}
"""For a file on disk, as options of libavformat."""

LISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]", b"[Reference]", b"v=0")
"""How texts begin that FFmpeg would take for lists of other files."""

VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_changing = threading.Lock()
_opening: list[str | None] = []
"""What stood in the variable before, once for each stream that is being opened just now."""


@contextmanager
def stream_options() -> Iterator[None]:
    """Hand the options for streams to libavformat behind OpenCV, which reads them from the environment each time it
    opens a video. Those that the user has set there stay where they do not contradict, and come back afterwards."""
    with _changing:
        before = _opening[0] if _opening else os.environ.get(VARIABLE)
        _opening.append(before)
        os.environ[VARIABLE] = _with({"protocol_whitelist": STREAM_PROTOCOLS, "max_pixels": str(most_pixels())})
    try:
        yield  # without the lock: opening a stream may hang
    finally:
        with _changing:
            _opening.pop()
            if not _opening:
                _put_back(before)


@contextmanager
def file_options() -> Iterator[None]:
    """The options for files, while one is opened. (A stream that another thread opens in that moment does not open, and
    is tried again.)"""
    with _changing:
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = _with({**FILE_OPTIONS, "max_pixels": str(most_pixels())})
        try:
            yield
        finally:
            _put_back(before)


def _put_back(before: str | None) -> None:
    if before is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = before


def _with(options: dict[str, str]) -> str:
    """The variable's text with options over those that stand in it."""
    text = os.environ.get(VARIABLE) or "rtsp_transport;tcp"  # OpenCV's own default
    theirs = dict(pair.split(";", 1) for pair in text.split("|") if ";" in pair)
    return "|".join(f"{key};{value}" for key, value in (theirs | options).items())


def why_not_opened(path: str) -> str | None:
    """What to say of a file that is a list of others, or a recording without its index; None for any other."""
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError:
        return None
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(LISTS):
        return "a list of other files or addresses, which is not followed"
    if start[4:8] == b"ftyp" and lacks_index(path):
        return "its index (moov) is missing: the recording was cut off, or is still being written"
    return None


def check_frame_size(shown: str, width: int, height: int) -> None:
    """Raise BlazeFaceError for frames of more pixels than a picture may have."""
    limit = most_pixels()
    if width * height > limit:
        raise BlazeFaceError(
            f"{printable(shown)}: frames of {width} x {height} pixels, more than the {limit:,} that are read"
            f" ({LIMIT_VARIABLE} sets the limit)"
        )
