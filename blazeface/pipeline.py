"""From sources through the detector to sinks: one loop for pictures, one for whatever moves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from tqdm import tqdm

from blazeface.detections import Detections
from blazeface.errors import BlazeFaceError
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture, write_picture
from blazeface.geometry import Image
from blazeface.options import ReadOptions, WriteOptions
from blazeface.privacy.cover import CoverStyle, cover_all, cover_faces
from blazeface.sinks.draw import draw_faces
from blazeface.sinks.output_paths import make_folder
from blazeface.sinks.records import Recorder
from blazeface.sinks.video_writer import VideoWriter, open_video_writer
from blazeface.sinks.viewer import Viewer
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import Input
from blazeface.sources.opening import open_source
from blazeface.sources.source import NoSound, VideoSource
from blazeface.tracking.roi import Detector, RoiDetector
from blazeface.tracking.tracker import Tracker

NOTHING = Detections.empty()


class RecordFault(BlazeFaceError):
    """The faces of a frame could not be recorded: a full disk will not take the next ones either."""


@dataclass
class RunCounts:
    """What a run came to. pictures and frames that were read, those of them with a face, faults that were told."""

    pictures: int = 0
    frames: int = 0
    with_face: int = 0
    faults: int = 0
    failed: int = 0

    def report(self, fault: BlazeFaceError) -> None:
        """Say on standard error what could not be read or written, and count it."""
        self.faults += 1
        say(printable(str(fault)))

    def fail(self, frame: Frame, error: Exception) -> None:
        """Count a frame in which looking for faces failed, and say so of the first."""
        self.faults += 1
        self.failed += 1
        if self.failed == 1:
            reason = (str(error).splitlines() or [""])[0] or type(error).__name__
            where = "" if frame.alone else f", frame {frame.index}"
            say(printable(f"{frame.source}{where}: faces could not be looked for: {reason}"))


@dataclass
class Pipeline:
    """Reads inputs, finds the faces, and hands both on.

    record: takes each frame with its faces. viewer: shows clips, and pictures where hold_pictures is
    set, each until a key is pressed. notice: said once a source gives its first frame (why there is no
    window, say). track: makes what follows the faces of a source, or None. roi: look around the faces of the last
    frame first. cover: in what way faces are hidden in copies and in the window, where they shall be; copies then
    have nothing drawn in. background: what is done to each picture before it is shown or copied, with nothing drawn
    into copies either. read: how long cameras and streams are waited for. write: sound, overwrite and quiet alone are
    looked at.
    stop: asked between frames; True ends the run, all files completed.

    What cannot be read or written is reported in `counts`, and the rest is still done. A record that cannot be written
    ends the run with a RecordFault, since the file that it is missing from must not pass for whole.
    """

    detector: Detector
    record: Recorder | None = None
    viewer: Viewer | None = None
    notice: str | None = None
    hold_pictures: bool = False
    track: Callable[[Input], Tracker | None] = lambda item: None
    roi: bool = False
    cover: CoverStyle | None = None
    background: Callable[[Image], Image] | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    stop: Callable[[], bool] = lambda: False
    counts: RunCounts = field(default_factory=RunCounts)

    def __post_init__(self) -> None:
        self._quit = False  # set by the window's q

    def run(self, inputs: Sequence[Input], outputs: Sequence[Path | None]) -> RunCounts:
        """Do all inputs in order; outputs: where the copy of each goes, if anywhere."""
        with self._bar(len(inputs), "input", hidden=len(inputs) == 1) as bar:
            for item, output in zip(inputs, outputs, strict=True):
                if self._should_stop():
                    break
                try:
                    if output is not None:
                        make_folder(output.parent)
                    if item.kind == "picture":
                        self._picture(item, output)
                    else:
                        self._video(item, output)
                except RecordFault:
                    raise
                except BlazeFaceError as fault:
                    self.counts.report(fault)
                bar.update()
        return self.counts

    def _picture(self, item: Input, output: Path | None) -> None:
        frame = Frame(read_picture(item.address), 0, Fraction(0), item.name, alone=True)
        self.counts.pictures += 1
        faces = self._find(self.detector.detect, frame)
        self._record(frame, faces)
        image = self._redacted(frame.image, faces, None)
        if output is not None:
            write_picture(output, self._copy(image, faces), self.write.overwrite)
        if self.viewer is not None and self.hold_pictures:
            self._quit = not self.viewer.hold(frame, image, faces or NOTHING)

    def _video(self, item: Input, output: Path | None) -> None:
        with ExitStack() as stack:
            source = stack.enter_context(open_source(item, self.read.timeout, self.stop, self.read.reconnect, say))
            bar = stack.enter_context(self._bar(source.length, "frame"))
            writer: VideoWriter | None = None
            if self.viewer is not None:
                self.viewer.begin()
            tracker = self.track(item)
            size: tuple[int, ...] = ()
            for frame in self._readable_frames(source):
                self.counts.frames += 1
                if self.notice is not None:
                    say(self.notice)
                    self.notice = None
                if frame.image.shape != size:  # of another size, nothing is where it was
                    size = frame.image.shape
                    look = RoiDetector(self.detector).detect if self.roi else self.detector.detect
                    if tracker is not None:
                        tracker.forget()
                faces = self._find(look, frame)
                if tracker is not None and faces is not None:
                    faces = tracker.update(faces, float(frame.time))
                self._record(frame, faces)
                image = self._redacted(frame.image, faces, tracker)
                if output is not None:
                    if writer is None:  # only now is the size known
                        writer = stack.enter_context(self._writer(output, source, image))
                    writer.write(self._copy(image, faces), frame.time)
                if self.viewer is not None:
                    self._quit = not self.viewer.show(frame, image, faces or NOTHING)
                bar.update()
                if self._should_stop():
                    break

    def _find(self, look: Callable[[Image], Detections], frame: Frame) -> Detections | None:
        """The faces; None where looking for them failed, which is told of in `counts`."""
        try:
            faces = look(frame.image)
        except Exception as error:  # whatever a runtime may throw: the other frames are still done
            self.counts.fail(frame, error)
            return None
        self.counts.with_face += len(faces) > 0
        return faces

    def _record(self, frame: Frame, faces: Detections | None) -> None:
        if self.record is None or faces is None:
            return
        try:
            self.record(frame, faces)
        except BlazeFaceError as fault:
            raise RecordFault(str(fault)) from fault

    def _redacted(self, image: Image, faces: Detections | None, tracker: Tracker | None) -> Image:
        """The picture as others may see it: without its faces where they shall be hidden."""
        if self.background is not None:
            image = self.background(image)
        if self.cover is None:
            return image
        if faces is None:
            return cover_all(image, self.cover)  # nobody knows where they are
        return cover_faces(image, faces, self.cover, None if tracker is None else tracker.reach)

    def _copy(self, image: Image, faces: Detections | None) -> Image:
        if faces is None or self.cover is not None or self.background is not None:
            return image
        return draw_faces(image, faces)

    @contextmanager
    def _writer(self, output: Path, source: VideoSource, image: Image) -> Iterator[VideoWriter]:
        height, width = image.shape[:2]
        sound = source.audio if self.write.sound else None
        if isinstance(sound, NoSound):
            say(f"{sound.reason}; {printable(str(output))} is written without sound")
            sound = None
        if source.copy_loss is not None:
            say(source.copy_loss)
        with open_video_writer(
            output,
            width,
            height,
            source.rate,
            source.tick,
            sound,
            self.write.overwrite,
            source.pixel_aspect,
            self.write.sound_as == "aac",
        ) as writer:
            if writer.soundless is not None:
                say(f"{writer.soundless}; {printable(str(output))} is written without it")
            yield writer

    def _readable_frames(self, source: VideoSource) -> Iterator[Frame]:
        """The frames that can be read; the fault that ends them early is reported, and what was read counts."""
        try:
            yield from source.frames()
        except BlazeFaceError as fault:
            self.counts.report(fault)

    def _should_stop(self) -> bool:
        return self._quit or self.stop()

    def _bar(self, total: int | None, unit: str, hidden: bool = False) -> Any:
        """A progress bar with the time left; none when quiet, nor where standard error is no terminal."""
        return tqdm(
            total=total, unit=unit, leave=False, dynamic_ncols=True, disable=self.write.quiet or hidden or None
        )


def say(sentence: str) -> None:
    """Print on standard error; progress bars make room."""
    tqdm.write(sentence, file=sys.stderr)
