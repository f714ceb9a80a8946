"""The commands under kills: what they are given, and what must be true of their files after each kill."""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blazeface.files.pictures import read_picture
from reliability.kills import Trial, round_of

ROOT = Path(__file__).parents[1]
MOST_LOST = 1.0
"""Seconds of a recording that a kill may take, and one picture, whose length its container does not know yet. Counted by the times
of the pictures that the writer was given, so that a busy machine changes nothing."""


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

    from blazeface.sinks import video_writer
    from blazeface.sources import live
    from reliability.camera import SteadyCamera

    camera = SteadyCamera(pictures=60, rate=20.0)
    written = SharedTimes()
    turn = [0]

    def open_live(
        item: Any, timeout: float, stop: Any, reconnect: float = 0.0, say: Any = None
    ) -> live.LiveSource:
        return live.LiveSource(item.name, camera.open, timeout, stop, False, 0.0, say)

    fitting: Any = getattr(
        video_writer._Fitting, "plain", video_writer._Fitting
    )  # of an earlier part: without its note

    class Noting(fitting):  # type: ignore[misc]
        plain = fitting

        def write(self, image: Any, time: Any) -> None:
            super().write(image, time)
            written.append(float(time))

    vars(live)["open_live"] = open_live
    vars(video_writer)["_Fitting"] = Noting

    def arguments() -> list[str]:
        turn[0] += 1
        written.clear()
        out = place / f"out{('.mp4', '.mkv', '.mov', '.avi', '.webm')[turn[0] % 5]}"
        return ["--video", "cam0", "--output", str(out), "--no-window", "--quiet"]

    def look() -> None:
        times = written.all()
        safe = [time for time in times if time <= times[-1] - MOST_LOST][:-1]
        for part in place.glob("out*"):
            played: list[float] = []
            # A header alone, of a recording that had just begun, cannot be opened.
            with suppress(av.error.FFmpegError), av.open(str(part)) as file:
                played = [float(frame.time or 0) for frame in file.decode(video=0)]
            part.unlink()
            assert len(played) >= len(safe), (
                f"{part.suffix}: {len(played)} of {len(times)} pictures play, {times[-1]:.1f} s"
            )

    return Trial("detect", arguments, look, lambda: None)


class SharedTimes:
    """Times in seconds that a forked process notes and its parent reads, also after a kill."""

    def __init__(self, most: int = 1024):
        self._memory = mmap.mmap(-1, 8 * (1 + most))

    def clear(self) -> None:
        self._memory[:8] = struct.pack("<q", 0)

    def append(self, time: float) -> None:
        (count,) = struct.unpack("<q", self._memory[:8])
        self._memory[8 * (count + 1) : 8 * (count + 2)] = struct.pack("<d", time)
        self._memory[:8] = struct.pack("<q", count + 1)

    def all(self) -> list[float]:
        (count,) = struct.unpack("<q", self._memory[:8])
        return list(struct.unpack(f"<{count}d", self._memory[8 : 8 * (count + 1)]))


def pictures_for_detection(folder: Path, count: int) -> Path:
    """The shipped portrait, cut `count` times at different places."""
    folder.mkdir()
    image = read_picture(str(ROOT / "data" / "pictures" / "astronaut.png"))
    for number in range(count):
        cut = np.ascontiguousarray(image[number : number + 300, 90:390])
        cv2.imwrite(str(folder / f"{number:02d}.jpg"), cut)
    return folder


TRIALS = {
    "training": training,
    "export": exporting,
    "detection": detecting,
    "detection, 2 jobs": detecting_a_batch,
    "recording": recording,
}
