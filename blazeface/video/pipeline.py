"""From sources through the detector to sinks: one loop for pictures, one for whatever moves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture, write_picture
from blazeface.files.whole import cannot_write
from blazeface.geometry import Image
from blazeface.video.clips import Clip, open_clip
from blazeface.video.draw import draw_faces, draw_rate
from blazeface.video.frames import Frame
from blazeface.video.inputs import Input
from blazeface.video.records import Recorder
from blazeface.video.video_writer import VideoWriter, open_video_writer
from blazeface.video.window import RateMeter, Window

LONGEST_WAIT = 0.5
"""Seconds that a frame is held back at most to keep the pace: meanwhile nobody asks whether to stop."""


class Detector(Protocol):
    """The part of FaceDetector that is used."""

    def detect(self, image: Image) -> Detections: ...


@dataclass
class Tally:
    """What a run came to. pictures and frames that were read, those of them with a face, faults that were told."""

    pictures: int = 0
    frames: int = 0
    with_face: int = 0
    faults: int = 0

    def report(self, fault: BlazeFaceError) -> None:
        """Say on standard error what could not be read or written, and count it."""
        self.faults += 1
        say(printable(str(fault)))


@dataclass
class Pipeline:
    """Reads inputs, finds the faces, and hands both on.

    record: takes each frame with its faces. window: shows clips, and pictures where hold_pictures is
    set, each until a key is pressed. notice: said once a clip gives its first frame (why there is no
    window, say). pace: show files no faster than they were recorded. timeout: seconds that a camera or
    stream may keep silent. stop: asked between frames; True ends the run, all files completed.

    What cannot be read or written is reported in `tally`, and the rest is still done.
    """

    detector: Detector
    record: Recorder | None = None
    window: Window | None = None
    notice: str | None = None
    hold_pictures: bool = False
    pace: bool = False
    timeout: float = 10.0
    quiet: bool = False
    stop: Callable[[], bool] = lambda: False
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._quit = False  # set by the window's q

    def run(self, inputs: Sequence[Input], outputs: Sequence[Path | None]) -> Tally:
        """Do all inputs in order; outputs: where the annotated copy of each goes, if anywhere."""
        with self._bar(len(inputs), "input", hidden=len(inputs) == 1) as bar:
            for item, output in zip(inputs, outputs, strict=True):
                if self._ended():
                    break
                try:
                    if output is not None:
                        _make_folder(output.parent)
                    if item.kind == "picture":
                        self._picture(item, output)
                    else:
                        self._clip(item, output)
                except BlazeFaceError as fault:
                    self.tally.report(fault)
                bar.update()
        return self.tally

    def _picture(self, item: Input, output: Path | None) -> None:
        frame = Frame(read_picture(item.address), 0, Fraction(0), item.name)
        self.tally.pictures += 1
        held = self.window is not None and self.hold_pictures
        drawn = self._find(frame, draw=output is not None or held)
        if output is not None:
            write_picture(output, drawn)
        if self.window is not None and held:
            self._quit = not (self.window.show(drawn) and self.window.wait(self.stop))

    def _clip(self, item: Input, output: Path | None) -> None:
        with ExitStack() as stack:
            clip = stack.enter_context(open_clip(item, self.timeout, self.stop))
            bar = stack.enter_context(self._bar(clip.length, "frame"))
            writer: VideoWriter | None = None
            meter = RateMeter()
            start = time.monotonic()
            for frame in self._told(clip):
                self.tally.frames += 1
                if self.notice is not None:
                    say(self.notice)
                    self.notice = None
                drawn = self._find(frame, draw=output is not None or self.window is not None)
                if output is not None:
                    if writer is None:  # only now is the size known
                        height, width = drawn.shape[:2]
                        writer = stack.enter_context(
                            open_video_writer(output, width, height, clip.rate, clip.tick)
                        )
                    writer.write(drawn, frame.time)
                if self.window is not None:
                    draw_rate(drawn, meter.tick())
                    early = float(frame.time) - (time.monotonic() - start) if self.pace else 0.0
                    self._quit = not self.window.show(drawn, min(early, LONGEST_WAIT))
                bar.update()
                if self._ended():
                    break

    def _find(self, frame: Frame, draw: bool) -> Image:
        """Detect, record and count; the picture with its faces drawn in where asked for."""
        faces = self.detector.detect(frame.image)
        self.tally.with_face += len(faces) > 0
        if self.record is not None:
            self.record(frame, faces)
        return draw_faces(frame.image, faces) if draw else frame.image

    def _told(self, clip: Clip) -> Iterator[Frame]:
        """The frames that can be read; the fault that ends them early is reported, and what was read counts."""
        try:
            yield from clip.frames()
        except BlazeFaceError as fault:
            self.tally.report(fault)

    def _ended(self) -> bool:
        return self._quit or self.stop()

    def _bar(self, total: int | None, unit: str, hidden: bool = False) -> Any:
        """A progress bar with the time left; none when quiet, nor where standard error is no terminal."""
        return tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True, disable=self.quiet or hidden or None)


def say(sentence: str) -> None:
    """Print on standard error; progress bars make room."""
    tqdm.write(sentence, file=sys.stderr)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
