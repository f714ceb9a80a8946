"""From sources through the detector to sinks: one loop for pictures, one for frames of videos, cameras and streams."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from tqdm import tqdm

from blazeface.detections import Detections
from blazeface.detections.draw import draw_faces
from blazeface.errors import BlazeFaceError
from blazeface.files.copies import colour_profile, copy_losses
from blazeface.files.names import printable
from blazeface.files.pictures import read_picture, refuse_animation, write_picture
from blazeface.geometry import Image
from blazeface.options import ReadOptions, WriteOptions
from blazeface.privacy.coverer import Coverer, Covering, Covers, is_due, size_of
from blazeface.sinks.output_paths import make_folder
from blazeface.sinks.records import Recorder
from blazeface.sinks.video_writer import VideoWriter, open_video_writer
from blazeface.sinks.viewer import Viewer
from blazeface.sources.animations import ANIMATED, frames_in
from blazeface.sources.frames import Frame
from blazeface.sources.inputs import Input, suffix_of
from blazeface.sources.opening import open_source
from blazeface.sources.source import NoSound, VideoSource
from blazeface.tracking.roi import Detector, RoiDetector
from blazeface.tracking.tracker import Tracker

NOTHING = Detections.empty()
STOPPED = "stopped before all of it was looked through; nothing of it is written"


class RecordFault(BlazeFaceError):
    """The faces of a frame could not be recorded: a full disk will not take the next ones either."""


@dataclass
class RunCounts:
    """Counts of a run: pictures and frames that were read, those of them with a face, faults that were reported."""

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
    frame first. cover: how faces are covered in copies and in the window, where they shall be; copies then have
    nothing drawn in, and video files are read twice, so that each frame is covered by what is known of all.
    background: what is done to each picture before it is shown or copied, with nothing drawn into copies either.
    read: how long cameras and streams are waited for. write: sound, overwrite and quiet alone are looked at.
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
    cover: Covering | None = None
    background: Callable[[Image], Image] | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    stop: Callable[[], bool] = lambda: False
    counts: RunCounts = field(default_factory=RunCounts)

    def __post_init__(self) -> None:
        self._quit = False  # set by the window's q
        self._said: set[str] = set()  # what copies of pictures lose, once for each kind

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
                    elif self.cover is not None and item.kind in ("video", "sequence"):
                        self._covered_video(item, output, self.cover)
                    else:
                        self._video(item, output)
                except RecordFault:
                    raise
                except BlazeFaceError as fault:
                    self.counts.report(fault)
                bar.update()
        return self.counts

    def _picture(self, item: Input, output: Path | None) -> None:
        if self.cover is not None:
            refuse_animation(item.address)
        frame = Frame(read_picture(item.address), 0, Fraction(0), item.name, alone=True)
        self.counts.pictures += 1
        if self.cover is None and suffix_of(item.address) in ANIMATED and frames_in(item.address) > 1:
            say(f"{printable(item.name)}: the first of its frames is read; --video reads all of them")
        covers: Covers | None = None if self.cover is None else self.cover.given_for(item.name)
        faces: Detections | None = None
        if covers is None:
            candidates = self._find(self.detector.detect, frame)
            faces = self._shown(candidates)
            self._record(frame, faces)
            covers = None if self.cover is None else self.cover.of_picture(frame, candidates)
        image = self._redacted(frame, covers)
        if output is not None:
            stored = b""
            with suppress(OSError):  # one that has gone since it was read
                stored = Path(item.address).read_bytes()
            for loss in set(copy_losses(stored, output.suffix)) - self._said:
                say(f"{printable(item.name)}: its {loss} (and so of others of this run, if any)")
                self._said.add(loss)
            write_picture(output, self._copy(image, faces), self.write.overwrite, colour_profile(stored))
        if self.viewer is not None and self.hold_pictures:
            self._quit = not self.viewer.hold(frame, image, faces or NOTHING)

    def _video(self, item: Input, output: Path | None) -> None:
        """Read once: each frame is written when it is `delay` seconds old, at once where nothing is covered."""
        coverer = None if self.cover is None else self.cover.live()
        delay = 0.0 if self.cover is None else self.cover.delay
        with ExitStack() as stack:
            source = self._open(item, stack)
            sinks = _Sinks(self, source, output, stack, recording=item.kind in ("camera", "stream"))
            waiting: deque[tuple[Frame, Detections | None]] = deque()
            for frame, candidates, faces in self._look_through(item, source, stack):
                if coverer is not None:
                    coverer.add(frame.index, float(frame.time), *size_of(frame), candidates)
                waiting.append((frame, faces))
                while waiting and is_due(waiting[0][0], frame, len(waiting), delay):
                    sinks.put(*waiting.popleft(), coverer)
                if self._should_stop():
                    break
            if coverer is not None:
                coverer.end()
            while waiting:
                sinks.put(*waiting.popleft(), coverer)
            self._log_tracks(coverer)

    def _covered_video(self, item: Input, output: Path | None, cover: Covering) -> None:
        """Read twice: first the faces are looked for, then they are covered. Only boxes are kept in between."""
        covers = cover.given_for(item.name)
        reported = self.counts.faults
        if covers is None:
            covers = coverer = cover.recorded()
            with ExitStack() as stack:
                source = self._open(item, stack)
                for frame, candidates, _ in self._look_through(item, source, stack, "looking"):
                    coverer.add(frame.index, float(frame.time), *size_of(frame), candidates)
                    if self._should_stop():
                        say(printable(f"{item.name}: {STOPPED}"))
                        return
            coverer.end()
        with ExitStack() as stack:
            source = self._open(item, stack)
            sinks = _Sinks(self, source, output, stack)
            bar = stack.enter_context(self._bar(source.length, "frame", text="covering"))
            again = self.counts.faults > reported  # what is wrong with the file has been said
            for frame in self._readable_frames(source, silent=again):
                self.counts.frames += not isinstance(covers, Coverer)  # those were counted as they were looked at
                sinks.put(frame, None, covers)
                bar.update()
                if self._should_stop():
                    break
        if isinstance(covers, Coverer):
            self._log_tracks(covers)

    def _look_through(
        self, item: Input, source: VideoSource, stack: ExitStack, text: str | None = None
    ) -> Iterator[tuple[Frame, Detections | None, Detections | None]]:
        """Each frame with the candidates found in it, and with the faces of it that are recorded and shown."""
        bar = stack.enter_context(self._bar(source.length, "frame", text=text))
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
            candidates = self._find(look, frame)
            faces = self._shown(candidates)
            if tracker is not None and faces is not None:
                faces = tracker.update(faces, float(frame.time))
            self._record(frame, faces)
            yield frame, candidates, faces
            bar.update()

    def _open(self, item: Input, stack: ExitStack) -> VideoSource:
        opened = open_source(item, self.read.timeout, self.stop, self.read.reconnect, say)
        return stack.enter_context(opened)

    def _find(self, look: Callable[[Image], Detections], frame: Frame) -> Detections | None:
        """All that was found; None where detection failed, which is counted in `counts`."""
        try:
            candidates = look(frame.image)
        except Exception as error:  # runtimes raise many types: the other frames are still done
            self.counts.fail(frame, error)
            return None
        self.counts.with_face += len(self._shown(candidates) or ()) > 0
        return candidates

    def _shown(self, candidates: Detections | None) -> Detections | None:
        """Those that are recorded and shown: where faces are covered, fainter ones are looked for as well."""
        if candidates is None or self.cover is None:
            return candidates
        return candidates[candidates.scores >= self.cover.shown]

    def _record(self, frame: Frame, faces: Detections | None) -> None:
        if self.record is None or faces is None:
            return
        try:
            self.record(frame, faces)
        except BlazeFaceError as fault:
            raise RecordFault(str(fault)) from fault

    def _redacted(self, frame: Frame, covers: Covers | None) -> Image:
        """The picture as others may see it: without its faces where they shall be covered."""
        image = frame.image if self.background is None else self.background(frame.image)
        return image if self.cover is None else self.cover.covered(frame, image, covers)

    def _copy(self, image: Image, faces: Detections | None) -> Image:
        if faces is None or self.cover is not None or self.background is not None:
            return image
        return draw_faces(image, faces)

    def _log_tracks(self, coverer: Coverer | None) -> None:
        if coverer is not None and self.cover is not None and self.cover.log is not None:
            self.cover.log.end(coverer.parts)

    @contextmanager
    def _writer(self, output: Path, source: VideoSource, image: Image, recording: bool) -> Iterator[VideoWriter]:
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
            recording,
        ) as writer:
            if writer.soundless is not None:
                say(f"{writer.soundless}; {printable(str(output))} is written without it")
            yield writer

    def _readable_frames(self, source: VideoSource, silent: bool = False) -> Iterator[Frame]:
        """The frames that can be read; the fault that ends them early is reported, and what was read counts."""
        try:
            yield from source.frames()
        except BlazeFaceError as fault:
            if not silent:
                self.counts.report(fault)

    def _should_stop(self) -> bool:
        return self._quit or self.stop()

    def _bar(self, total: int | None, unit: str, hidden: bool = False, text: str | None = None) -> Any:
        """A progress bar with the time left; none when quiet, nor where standard error is no terminal."""
        off = self.write.quiet or hidden or None
        return tqdm(desc=text, total=total, unit=unit, leave=False, dynamic_ncols=True, disable=off)


class _Sinks:
    """Where the frames of one video go: its copy and the window."""

    def __init__(
        self,
        pipeline: Pipeline,
        source: VideoSource,
        output: Path | None,
        stack: ExitStack,
        recording: bool = False,
    ):
        self._recording = recording
        self._pipeline, self._source, self._output, self._stack = pipeline, source, output, stack
        self._writer: VideoWriter | None = None
        if pipeline.viewer is not None:
            pipeline.viewer.begin()

    def put(self, frame: Frame, faces: Detections | None, covers: Covers | None) -> None:
        line = self._pipeline
        image = line._redacted(frame, covers)
        if self._output is not None:
            if self._writer is None:  # only now is the size known
                self._writer = self._stack.enter_context(
                    line._writer(self._output, self._source, image, self._recording)
                )
            self._writer.write(line._copy(image, faces), frame.time)
        if line.viewer is not None:
            line._quit = not line.viewer.show(frame, image, faces or NOTHING)


def say(sentence: str) -> None:
    """Print on standard error; progress bars make room."""
    tqdm.write(sentence, file=sys.stderr)
