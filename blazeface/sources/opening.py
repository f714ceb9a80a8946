"""open_source: the reader that fits an input, with the library behind it imported only then."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager

from blazeface.errors import BlazeFaceError, install_command
from blazeface.files.pictures import PICTURE_SUFFIXES
from blazeface.files.staged import require_regular_file
from blazeface.sources.animations import clip_start, open_animation
from blazeface.sources.inputs import Input, suffix_of
from blazeface.sources.source import VideoSource


def have_av() -> bool:
    """Whether PyAV is installed, which keeps exact frame rates and time stamps and writes H.264."""
    return importlib.util.find_spec("av") is not None


def open_source(
    item: Input,
    timeout: float,
    stop: Callable[[], bool],
    reconnect: float = 0.0,
    say: Callable[[str], None] = lambda sentence: None,
) -> AbstractContextManager[VideoSource]:
    """Open a video file, picture sequence, camera or stream.

    timeout: seconds that a camera or stream may stay silent. stop: polled while waiting; True ends the source.
    reconnect: seconds for which a lost camera or stream is reopened; say receives the sentences about that.
    Raises BlazeFaceError, on opening or reading, for an input that is missing, damaged, silent or not a video.
    """
    # Imported here: each reader loads a library that the others do not need.
    if item.kind in ("camera", "stream"):
        from blazeface.sources.live import open_live

        return open_live(item, timeout, stop, reconnect, say)
    if item.kind == "sequence":
        from blazeface.sources.sequence import SequenceReader

        return SequenceReader(item.address)
    require_regular_file(item.address)
    animation = open_animation(item.address)
    if animation is not None:
        return animation
    start = clip_start(item.address) if suffix_of(item.address) in PICTURE_SUFFIXES else 0
    if have_av():
        from blazeface.sources.av_reader import AvReader

        return AvReader(item.address, start)
    if start:
        raise BlazeFaceError(f"{item.name}: the clip of a motion photo needs PyAV: {install_command('video')}")
    from blazeface.sources.cv2_reader import Cv2Reader

    return Cv2Reader(item.address)
