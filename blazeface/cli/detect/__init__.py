"""`detect`: find faces in pictures, folders, videos, cameras and streams."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from blazeface.cli.detect.batch import run_batch
from blazeface.cli.detect.covers import (
    NOWHERE,
    NoDetector,
    covering,
    refuse_others,
    tell_covers,
    tell_given_bare,
    tell_passed_over,
)
from blazeface.cli.detect.flags import add_arguments, options_from
from blazeface.cli.detect.plan import Plan, make_plan
from blazeface.cli.interrupt import stop_on_signal
from blazeface.detector import FaceDetector
from blazeface.files.names import sentence_without_secrets
from blazeface.options import DetectOptions
from blazeface.pipeline import Pipeline, RunCounts, say
from blazeface.privacy.background import BackgroundBlur
from blazeface.privacy.log import CoverLog
from blazeface.privacy.report import read_report
from blazeface.privacy.rules import RULES
from blazeface.refine import KeypointRefiner, RefinedDetector
from blazeface.sinks.output_paths import WrongUsage
from blazeface.sinks.records import Recorder, print_record, to_all
from blazeface.sinks.viewer import Viewer
from blazeface.sinks.window import Window, window_problem
from blazeface.sources.inputs import Input
from blazeface.spec import KEYPOINT_NAMES
from blazeface.tracking.one_euro import OneEuro
from blazeface.tracking.tracker import Tracker

__all__ = ["add_arguments", "detect", "run", "summary"]


def run(args: argparse.Namespace) -> int:
    """`detect` with the flags of a command line."""
    return detect(options_from(args))


def detect(options: DetectOptions) -> int:
    """Exit status 0 when all inputs were read, 1 when some could not be, 2 for wrong usage."""
    counts = RunCounts()
    read, look, cover, write = options.read, options.look, options.cover, options.write
    try:
        if options.batch.jobs is not None:
            with stop_on_signal() as stop:
                seconds = run_batch(options, counts, stop)
            return _exit_status(write.quiet, counts, seconds, stop)
        detector, shown = _open_detector(options)
        names = KEYPOINT_NAMES if isinstance(detector, NoDetector) else detector.spec.keypoint_names
        plan = make_plan(options, counts.report, names)
    except WrongUsage as fault:
        print(f"detect: {sentence_without_secrets(str(fault))}", file=sys.stderr)
        return 2
    given = None if cover.given is None else read_report(cover.given)
    if given is not None:
        refuse_others(plan, given, str(cover.given))
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signal())
        moving = any(item.kind != "picture" for item in plan.inputs)
        # Nothing but to look was asked for.
        alone = write.output is None and write.json is None and not (plan.files or plan.folders)
        window, notice = _window(write.window, plan, moving, alone, stack)
        if cover.faces is not None and write.output is None and window is None:
            print(f"detect: {NOWHERE}", file=sys.stderr)
            return 2
        log = None if cover.faces is None else CoverLog(thumbnails=plan.report is not None)
        recorders: list[Recorder] = [*(stack.enter_context(opened()) for opened in plan.files), *plan.folders]
        printing = write.json == "-" or (alone and not (window and moving))
        pipeline = Pipeline(
            detector,
            record=to_all([*recorders, *([print_record] if printing else [])]),
            viewer=None if window is None else Viewer(window, pace=alone, stop=stop, say=say),
            notice=notice,
            hold_pictures=alone and sys.stdout.isatty(),
            track=lambda item: _tracker(options, item),
            roi=look.roi,
            cover=None if cover.faces is None else covering(options, cover.faces, shown, given, log),
            background=None if cover.background is None else BackgroundBlur(cover.background, look.threads),
            read=read,
            write=replace(write, quiet=write.quiet or (printing and sys.stdout.isatty())),
            stop=stop,
            counts=counts,
        )
        start = time.monotonic()
        pipeline.run(plan.inputs, plan.outputs)
        seconds = time.monotonic() - start
        if log is not None and given is None:
            tell_covers(log, plan.report, write)
        elif given is not None:
            tell_given_bare(plan, given)
        if cover.faces is not None:
            tell_passed_over(read.texts, plan)
    return _exit_status(write.quiet, counts, seconds, stop)


def _open_detector(options: DetectOptions) -> tuple[FaceDetector | RefinedDetector | NoDetector, float]:
    """The detector, and the score from which faces are recorded; what is covered is looked for from a lower one."""
    look = options.look
    if options.cover.given is not None:
        return NoDetector(), 0.0
    if options.cover.faces is not None:
        smallest = "auto" if look.min_face is None else look.min_face
        look = replace(look, score_threshold=RULES.with_score(look.score_threshold).faint, min_face=smallest)
    detector = FaceDetector(**look.arguments)
    shown = detector.spec.score_threshold if options.look.score_threshold is None else options.look.score_threshold
    if look.refine is not None:
        return RefinedDetector(detector, KeypointRefiner(look.refine, look.threads)), shown
    return detector, shown


def _exit_status(quiet: bool, counts: RunCounts, seconds: float, stop: Callable[[], bool]) -> int:
    if not quiet and (counts.pictures or counts.frames):
        print(summary(counts, seconds), file=sys.stderr)
    if stop():
        raise KeyboardInterrupt  # all files are complete; the exit status says that the rest was not done
    return 1 if counts.faults else 0


def _tracker(options: DetectOptions, item: Input) -> Tracker | None:
    """What follows the faces of a clip as they are recorded and shown, if anything."""
    track, smooth = options.follow.track or options.cover.faces is not None, options.follow.smooth
    if smooth is None:
        smooth = item.kind in ("camera", "stream")
    return Tracker(OneEuro() if smooth else None) if track or smooth else None


def summary(counts: RunCounts, seconds: float) -> str:
    """One line about a run: "25 frames, 24 with a face, in 0.5 s (50.0 per second); 1 fault"."""
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((counts.pictures, "picture"), (counts.frames, "frame"))
        if count
    ]
    rate = (counts.pictures + counts.frames) / max(seconds, 1e-9)
    text = f"{' and '.join(parts)}, {counts.with_face} with a face, in {seconds:.1f} s ({rate:.1f} per second)"
    return f"{text}; {counts.faults} fault{'' if counts.faults == 1 else 's'}" if counts.faults else text


def _window(
    allowed: bool, plan: Plan, moving: bool, alone: bool, stack: ExitStack
) -> tuple[Window | None, str | None]:
    """A window, or why there is none, where the user may have expected one.

    For videos, sequences, cameras and streams; for pictures only when nothing else is written and a terminal is there.
    """
    if not allowed or not plan.inputs or not (moving or (alone and sys.stdout.isatty())):
        return None, None
    problem = window_problem()
    if problem is not None:
        return None, problem if moving else None
    window = Window(plan.inputs[0].name)
    stack.callback(window.close)
    return window, None
