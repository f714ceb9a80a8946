"""kill -9 at random moments of training, export, detection and recording: is anything ever half-written, is what was recorded
lost, does the next run go on?

    python -m reliability.chaos --rounds 50

Each round is a process of its own, forked from this one, which has loaded everything already: so the moments of the
kills fall on the work and not on the loading. After each kill the folder is looked at, and the next round goes on in
it. A round that is not killed in time has to end well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeface.cli.main import run_command
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import read_picture
from reliability.report import table, write_report

ROOT = Path(__file__).parents[1]
LATEST = 15.0
"""Seconds after which a round is killed at the latest; what goes on where it was killed comes to its end all the same."""

MOST_LOST = 2.5
"""Seconds of a recording that a kill may take: the second or so that is not written yet, and what the detector, which looks at
the newest picture alone, has not come to on a busy machine."""

MAX_SECONDS = 300.0
"""A round that takes longer hangs."""


@dataclass
class Trial:
    """One command under kills.

    arguments: of the next round, chosen by what lies in the folder. look: raises AssertionError, or whatever the
    readers raise, where a file is half-written. ended: called after a round that was not killed. begun: whether the
    next round finds something of the one before to go on with.
    """

    command: str
    arguments: Callable[[], list[str]]
    look: Callable[[], None]
    ended: Callable[[], None]
    begun: Callable[[], bool] = lambda: False
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="kills of each command (default 50)")
    parser.add_argument("--only", choices=sorted(TRIALS), nargs="+", default=list(TRIALS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    load_everything()
    trials: dict[str, Trial] = {}
    with tempfile.TemporaryDirectory(prefix="blazeface-chaos-") as folder:
        for name in args.only:
            place = Path(folder) / name.split(",")[0].replace(" ", "") / str(len(trials))
            place.mkdir(parents=True)
            trials[name] = TRIALS[name](place)
            kill_rounds(trials[name], args.rounds, random.Random(f"{args.seed} {name}"), place)
            print(name, dict(trials[name].counts), trials[name].failures, flush=True)
    figures = {
        "rounds": args.rounds,
        "seed": args.seed,
        "trials": {name: {**trial.counts, "failures": trial.failures} for name, trial in trials.items()},
        "passed": not any(trial.failures for trial in trials.values()),
    }
    kind = (
        "chaos" if args.only == list(TRIALS) else "-".join(["kills", *(name.split(",")[0] for name in args.only)])
    )
    path = write_report(kind, figures, as_text(figures))
    print(f"written to {path}: {'passed' if figures['passed'] else 'FAILED'}")
    return 0 if figures["passed"] else 1


def kill_rounds(trial: Trial, rounds: int, rng: random.Random, place: Path) -> None:
    """A round that is left to end, which tells how long one takes; rounds until `rounds` were killed; one to the end."""
    whole = 0.0
    trial.counts.update(dict.fromkeys(("killed", "ended", "went on", "refused"), 0))
    while True:
        last = whole == 0 or trial.counts["killed"] >= rounds
        trial.counts["went on"] += trial.begun()
        start = time.monotonic()
        status, said = round_of(trial, None if last else rng.uniform(0, whole), place / "said.txt")
        elapsed = time.monotonic() - start
        if status == -signal.SIGKILL and not last:
            trial.counts["killed"] += 1
        elif status == 0:
            trial.counts["ended"] += 1
            whole = min(elapsed, LATEST)  # kills shall fall on the whole of the work
        elif status == 1 and "Traceback" not in said:
            trial.counts["refused"] += 1  # it said what is wrong; that is allowed, but hanging on to it is not
            trial.failures.append(said.strip().splitlines()[-1][:200])
        else:
            trial.failures.append(f"status {status}: {said.strip()[-300:]}")
        try:
            trial.look()
            if status == 0:
                trial.ended()
        except (AssertionError, BlazeFaceError, ValueError, OSError) as error:
            trial.failures.append(
                f"after round {trial.counts['killed']}: {type(error).__name__}: {str(error)[:300]}"
            )
        if (last and trial.counts["killed"] >= rounds) or len(trial.failures) > 10:
            break
    trial.counts["parts left"] = sum(1 for path in place.rglob(".*.part*"))


def round_of(trial: Trial, kill_after: float | None, said: Path) -> tuple[int, str]:
    """Run the command in a forked process, killed after some seconds; its status and what it said."""
    arguments = trial.arguments()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            status = run_command(trial.command, arguments, prog=trial.command)
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    end = time.monotonic() + (MAX_SECONDS if kill_after is None else kill_after)
    while time.monotonic() < end:
        done, state = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(state), said.read_text(errors="replace") if said.exists() else ""
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)  # it alone: the processes that it started have to notice by themselves
    _, state = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(state), said.read_text(errors="replace") if said.exists() else ""


def training(place: Path) -> Trial:
    """Training that writes a checkpoint after each step, resumed after each kill, to its end and from the start."""
    from blazeface.data.samples import load_split
    from blazeface.detector import FaceDetector
    from blazeface.models.weights import load_weights, save_weights
    from blazeface.training.checkpoint import load_checkpoint
    from reliability.material import tiny_network, write_data

    data = write_data(place / "data")
    load_split(data, "train")
    save_weights(tiny_network(1), place / "first.safetensors")
    run = place / "run"
    steps = [0]

    def arguments() -> list[str]:
        common = ["--data", str(data), "--threads", "1", "--workers", "1", "--quiet", "--checkpoint-minutes", "0"]
        common += ["--val-pictures", "4", "--evaluate-every", "2", "--cache-mb", "50"]
        if (run / "checkpoint.pt").exists():
            return ["--resume", str(run), *common]
        start = ["--init", str(place / "first.safetensors"), "--epochs", "4", "--batch", "4", "--warmup", "2"]
        return ["--out", str(run), *start, *common]

    def look() -> None:
        if (run / "checkpoint.pt").exists():
            step = load_checkpoint(run).step
            assert step >= steps[0], f"the checkpoint went back from step {steps[0]} to {step}"
            steps[0] = step
        else:
            assert steps[0] == 0, "the checkpoint is gone"
        for name in ("config.json", "report.json"):
            if (run / name).exists():
                json.loads((run / name).read_text(encoding="utf-8"))
        if (run / "model.safetensors").exists():
            load_weights(run / "model.safetensors")
        if (run / "model.onnx").exists():
            FaceDetector(run / "model.onnx")

    def ended() -> None:
        assert all((run / name).exists() for name in ("model.safetensors", "model.onnx", "report.json"))
        rows = (run / "log.csv").read_text(encoding="utf-8").splitlines()[1:]
        numbers = [int(row.split(",")[0]) for row in rows]
        assert numbers == sorted(set(numbers)), "a step stands twice in log.csv"
        shutil.rmtree(run)
        steps[0] = 0

    return Trial("train", arguments, look, ended, lambda: (run / "checkpoint.pt").exists())


def exporting(place: Path) -> Trial:
    """Two networks exported in turns to one file, in two formats."""
    from blazeface.models.weights import save_weights
    from reliability.material import pictures, tiny_network

    shown = pictures(place / "pictures", 2)
    for number in (0, 1):
        save_weights(tiny_network(number), place / f"{number}.safetensors")
    turn = [0]
    whole: dict[str, set[str]] = {}

    def arguments() -> list[str]:
        turn[0] += 1
        kind = ("onnx", "tflite")[turn[0] // 2 % 2]
        weights = place / f"{turn[0] % 2}.safetensors"
        out = str(place / f"model.{kind}")
        return ["--weights", str(weights), "--format", kind, "--out", out, "--pictures", str(shown), "--overwrite"]

    for kind in ("onnx", "tflite"):  # what whole files look like: export gives the same bytes each time
        for number in (0, 1):
            out = place / f"whole{number}" / f"model.{kind}"
            out.parent.mkdir(exist_ok=True)
            child = Trial("export", list, lambda: None, lambda: None)
            command = ["--weights", str(place / f"{number}.safetensors"), "--format", kind, "--out", str(out)]
            child.arguments = lambda command=command: [*command, "--pictures", str(shown)]  # type: ignore[misc]
            status, said = round_of(child, None, place / "said.txt")
            if status:
                raise RuntimeError(said)
            whole.setdefault(kind, set()).add(hashlib.sha256(out.read_bytes()).hexdigest())

    def look() -> None:
        for kind in ("onnx", "tflite"):
            out = place / f"model.{kind}"
            report = out.with_name(f"{out.name}.report.json")
            if out.exists():
                found = hashlib.sha256(out.read_bytes()).hexdigest()
                assert found in whole[kind], f"{out.name} is neither of the two"
                if report.exists():
                    told = json.loads(report.read_text(encoding="utf-8"))["sha256"]
                    assert told == found, f"{report.name} is of another file"

    return Trial("export", arguments, look, lambda: None)


def detecting(place: Path) -> Trial:
    """A folder of pictures, with annotated copies and JSON lines."""
    count = 8
    shown = pictures_for_detection(place / "pictures", count)
    out, lines = place / "out", place / "faces.jsonl"
    expected: dict[str, bytes] = {}

    def arguments() -> list[str]:
        written = ["--output", str(out), "--json", str(lines), "--overwrite"]  # the killed run left some copies
        return [str(shown), *written, "--quiet", "--no-window"]

    def look() -> None:
        for path in out.rglob("*") if out.exists() else ():
            if not path.name.startswith("."):
                read_picture(str(path))
                assert path.read_bytes() == expected.setdefault(path.name, path.read_bytes()), path.name
        if lines.exists():
            records = [json.loads(line) for line in lines.read_text(encoding="ascii").splitlines()]
            assert len(records) == count, f"{len(records)} of {count} lines"
            assert lines.read_bytes() == expected.setdefault(lines.name, lines.read_bytes()), lines.name

    def ended() -> None:
        assert lines.exists() and len(list(out.glob("[0-9]*.jpg"))) == count
        lines.unlink()
        shutil.rmtree(out)

    return Trial("detect", arguments, look, ended)


def detecting_a_batch(place: Path) -> Trial:
    """The same by two processes at once, each run going on where the one before was killed."""
    count = 60
    shown = pictures_for_detection(place / "pictures", count)
    lines = place / "faces.jsonl"
    expected: dict[str, bytes] = {}

    def arguments() -> list[str]:
        return [str(shown), "--jobs", "2", "--jsonl", str(lines), "--resume", "--quiet"]

    def look() -> None:
        if lines.exists():
            records = [json.loads(line) for line in lines.read_text(encoding="ascii").splitlines()]
            names = [Path(record["source"]).name for record in records]
            assert names == [f"{number:02d}.jpg" for number in range(count)], names
            assert lines.read_bytes() == expected.setdefault(lines.name, lines.read_bytes()), lines.name

    def ended() -> None:
        assert lines.exists() and not lines.with_name(f"{lines.name}.part").exists()
        lines.unlink()

    def begun() -> bool:
        part = lines.with_name(f"{lines.name}.part")
        return part.exists() and part.stat().st_size > 0

    return Trial("detect", arguments, look, ended, begun)


def recording(place: Path) -> Trial:
    """A camera recorded with its boxes, in each container in turn: what was written until the kill plays."""
    import av

    from blazeface.sources import live
    from reliability.camera import SteadyCamera

    camera = SteadyCamera(pictures=60, rate=20.0)
    turn = [0]

    def open_live(
        item: Any, timeout: float, stop: Any, reconnect: float = 0.0, say: Any = None
    ) -> live.LiveSource:
        return live.LiveSource(item.name, camera.open, timeout, stop, False, 0.0, say)

    vars(live)["open_live"] = open_live

    def arguments() -> list[str]:
        turn[0] += 1
        camera.forget()
        out = place / f"out{('.mp4', '.mkv', '.mov', '.avi')[turn[0] % 4]}"
        return ["--video", "cam0", "--output", str(out), "--no-window", "--quiet"]

    def look() -> None:
        for part in place.glob("out*"):
            seconds = 0.0
            # A header alone, of a recording that had just begun, cannot be opened.
            with suppress(av.error.FFmpegError), av.open(str(part)) as file:
                seconds = max((float(frame.time or 0) for frame in file.decode(video=0)), default=0.0)
            lost = camera.seconds() - seconds
            part.unlink()
            assert lost < MOST_LOST, f"{part.suffix}: {lost:.1f} of {camera.seconds():.1f} seconds do not play"

    return Trial("detect", arguments, look, lambda: None)


def pictures_for_detection(folder: Path, count: int) -> Path:
    """The shipped portrait, cut `count` times at different places."""
    folder.mkdir()
    image = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    for number in range(count):
        cut = np.ascontiguousarray(image[number : number + 300, 90:390])
        cv2.imwrite(str(folder / f"{number:02d}.jpg"), cut)
    return folder


def load_everything() -> None:
    """Import what the commands would import, and let nothing start a thread that a fork would lose."""
    cv2.setNumThreads(0)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import torch

    torch.set_num_threads(1)
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch.onnx
    import torch.utils.tensorboard
    from ai_edge_litert import interpreter  # noqa: F401
    from matplotlib import pyplot  # noqa: F401

    import blazeface.data.dataset
    import blazeface.export.formats.onnx
    import blazeface.export.formats.tflite
    import blazeface.training.finish
    import blazeface.training.loop  # noqa: F401


def as_text(figures: dict[str, Any]) -> str:
    rows = [
        [
            name,
            trial["killed"],
            trial["ended"],
            trial["went on"],
            trial["refused"],
            trial["parts left"],
            len(trial["failures"]),
        ]
        for name, trial in figures["trials"].items()
    ]
    told = "".join(
        f"\n- {name}: {line}" for name, trial in figures["trials"].items() for line in trial["failures"]
    )
    head = [
        "command",
        "killed",
        "ended",
        "went on with what was there",
        "refused to go on",
        "hidden parts left",
        "failures",
    ]
    return (
        f"kill -9 at a random moment of a round, {figures['rounds']} times for each command, seed {figures['seed']}."
        " After each kill every file that has its final name is opened and compared; the next round goes on from"
        " there. Training writes a checkpoint after each step here. Hidden parts, which a kill may leave, are removed"
        f" by a later run once they are an hour old.\n\n{table(head, rows)}\n\nFailures:{told or ' none.'}"
    )


TRIALS = {
    "training": training,
    "export": exporting,
    "detection": detecting,
    "detection, 2 jobs": detecting_a_batch,
    "recording": recording,
}

if __name__ == "__main__":
    sys.exit(main())
