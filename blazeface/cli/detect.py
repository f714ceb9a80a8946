"""`detect`: find faces in pictures, folders, videos, cameras and streams."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from blazeface.backends import BACKENDS
from blazeface.detector import FaceDetector
from blazeface.video.inputs import find_inputs
from blazeface.video.outputs import WrongUsage, check_json, names_folder, plan_outputs
from blazeface.video.pipeline import Pipeline, Tally
from blazeface.video.records import Recorder, json_file, print_record
from blazeface.video.window import Window, window_obstacle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a picture, a video, or a folder whose pictures are all read, in sorted order",
    )
    parser.add_argument(
        "--video", metavar="SOURCE", help="a camera (cam0, cam1 ...), a video file, or an rtsp, http or udp URL"
    )
    parser.add_argument(
        "--model", default="front-128", help="a shipped model or a model file (default: front-128)"
    )
    parser.add_argument(
        "--score-threshold", type=_fraction, metavar="T", help="leave out faces of a lower score, 0 to 1"
    )
    parser.add_argument("--backend", choices=BACKENDS, help="what runs the model (default: by its suffix)")
    parser.add_argument(
        "--threads",
        type=_count,
        default=1,
        metavar="N",
        help="CPU threads of the backend; 0: it chooses (default: 1)",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        help="write the faces: a list into a .json, one object per line into a .jsonl, or printed with -",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="write annotated copies: a file for one picture or video, a folder for several inputs or a folder",
    )
    parser.add_argument("--no-window", action="store_true", help="open no window")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="give up on a camera or stream that is silent for so long (default: 10)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when all inputs were read, 1 when some could not be, 2 for wrong usage."""
    tally = Tally()
    try:
        texts = [*args.inputs, *([args.video] if args.video is not None else [])]
        if not texts:
            raise WrongUsage("no input: name pictures, folders or videos, or a camera with --video cam0")
        folder = args.output is not None and names_folder(texts, args.output)
        inputs = find_inputs(texts, tally.report, skip=args.output if folder else None)
        outputs: Sequence[Path | None] = [None] * len(inputs)
        written: list[Path] = []
        if args.output is not None:
            outputs = written = plan_outputs(inputs, args.output, folder)
        json_path = check_json(args.json, written, inputs) if args.json not in (None, "-") else None
    except WrongUsage as fault:
        print(f"detect: {fault}", file=sys.stderr)
        return 2
    detector = FaceDetector(args.model, args.score_threshold, args.backend, args.threads)
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signal())
        moving = any(item.kind != "picture" for item in inputs)
        nothing_asked = args.output is None and args.json is None
        window, notice = _window(args, inputs[0].name, moving, nothing_asked, stack) if inputs else (None, None)
        recorder: Recorder | None = None
        if json_path is not None:
            recorder = stack.enter_context(json_file(json_path))
        elif args.json == "-" or (nothing_asked and not (window and moving)):
            recorder = print_record
        pipeline = Pipeline(
            detector,
            record=recorder,
            window=window,
            notice=notice,
            hold_pictures=nothing_asked and sys.stdout.isatty(),
            pace=nothing_asked,
            timeout=args.timeout,
            quiet=args.quiet or (recorder is print_record and sys.stdout.isatty()),
            stop=stop,
            tally=tally,
        )
        start = time.monotonic()
        pipeline.run(inputs, outputs)
        seconds = time.monotonic() - start
    if not args.quiet and (tally.pictures or tally.frames):
        print(summary(tally, seconds), file=sys.stderr)
    if stop():
        raise KeyboardInterrupt  # all files are complete; the exit status says that the rest was not done
    return 1 if tally.faults else 0


def summary(tally: Tally, seconds: float) -> str:
    """One line about a run: "25 frames, 24 with a face, in 0.5 s (50.0 per second); 1 fault"."""
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((tally.pictures, "picture"), (tally.frames, "frame"))
        if count
    ]
    rate = (tally.pictures + tally.frames) / max(seconds, 1e-9)
    text = f"{' and '.join(counts)}, {tally.with_face} with a face, in {seconds:.1f} s ({rate:.1f} per second)"
    return f"{text}; {tally.faults} fault{'' if tally.faults == 1 else 's'}" if tally.faults else text


def _window(
    args: argparse.Namespace, title: str, moving: bool, nothing_asked: bool, stack: ExitStack
) -> tuple[Window | None, str | None]:
    """A window, or why there is none, where the user may have expected one.

    For whatever moves; for pictures only when a person asked for nothing else and can close it.
    """
    if args.no_window or not (moving or (nothing_asked and sys.stdout.isatty())):
        return None, None
    obstacle = window_obstacle()
    if obstacle is not None:
        return None, obstacle if moving else None
    window = Window(title)
    stack.callback(window.close)
    return window, None


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C (or SIGTERM) only sets the answer of the function given to True.

    So it never falls between the two halves of a write, and all files are completed. A second one ends
    the program as usual. In a thread other than the main one, signals stay as they are.
    """
    came = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: came
        return

    def note(number: int, _: object) -> None:
        nonlocal came
        came = True
        signal.signal(number, before[number] or signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in map(int, (signal.SIGINT, signal.SIGTERM))}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _fraction(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, not {text}")
    return value


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, at most a day, not {text}")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 1024):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 1024, not {text}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text}") from None
