"""The argument parser of every command: its help begins with examples, and it suggests the nearest flag for a mistyped one."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from blazeface.files.names import sentence_without_secrets

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "detect": (
        ("photo.jpg --output found.jpg", "a picture, annotated"),
        ("holiday/ --json faces.jsonl", "a folder: one JSON object a picture"),
        ("--video clip.mp4 --output hidden.mp4 --blur solid --no-window", "faces made unrecognisable"),
    ),
    "train": (
        ("--data faces --out runs/mine", "from nothing"),
        ("--data faces --resume runs/mine", "goes on where it stopped"),
    ),
    "data": (
        ("check faces --out out/check", "count, look for faults, draw sheets of labels and batches"),
        ("prepare downloads/ --out wider", "unpack WIDER FACE's zips"),
    ),
    "evaluate": (
        ("--data faces --split val --model front-128 --out out/evaluation", "a shipped model, with plots"),
        ("--data faces --model mine.onnx --limit 200", "a first look at a file of your own"),
    ),
    "benchmark": (
        ("--model front-128 back-256 --threads 1", "two models, taking turns"),
        ("--model mine.tflite --json speed.json", "a file of your own, figures kept"),
    ),
    "export": (
        ("--weights front-128 --format onnx --out front.onnx", "a shipped model"),
        (
            "--weights runs/mine/model.safetensors --format tflite --precision float16 --out mine.tflite",
            "for a phone",
        ),
    ),
    "cost": (
        ("front-128", "layer by layer"),
        ("--compare front-128 back-256", "side by side"),
        ("--list --chart cost.png", "every named network, drawn as well"),
    ),
    "lighten": (
        ("front-128 --rule separable --out out/light", "every dense convolution separable"),
        ("mine.safetensors --rule grouped --groups 4 --out out/light --data faces", "scored before and after"),
    ),
    "inspect": (
        ("mine.onnx", "operators, shapes, metadata"),
        ("mine.tflite --layers", "and every operator"),
    ),
    "refine": (
        ("--data faces --out runs/refine", "train the second stage"),
        ("--data faces --evaluate runs/refine/refine.onnx", "measure it"),
    ),
    "segment": (
        ("--data faces --out runs/segment", "train"),
        ("--data faces --out runs/light --kind light --epochs 3", "a smaller one, sooner"),
    ),
    "classify": (
        ("--data pictures --network mobilenet-v2 --width 0.5 --out runs/kinds", "one folder a class"),
        ("--data digits --network shufflenet-32-g2 --size 32 --no-mirror --out runs/digits", "small pictures"),
    ),
    "web": (
        ("--fetch-runtime", "once: brings onnxruntime-web with npm"),
        ("--https --host 0.0.0.0", "for phones in the same network"),
    ),
    "import": (
        ("face_detection_short_range.tflite --out short.safetensors", "Google's short range"),
        ("face_detection_back.tflite --out back.safetensors", "its back camera"),
    ),
    "doctor": (
        ("", "what is here, and what to install for the rest"),
        ("--json", "the same for a report of a fault"),
    ),
}
"""What the help of each command begins with: arguments, and what they do."""


class CommandParser(argparse.ArgumentParser):
    """An argparse parser whose help begins with the examples of its command, and whose errors name the near flag."""

    def __init__(self, command: str, prog: str | None, description: str):
        super().__init__(prog=prog, description=description)
        self._command = command

    def format_help(self) -> str:
        """Examples, then what argparse writes."""
        lines = [
            (f"{self.prog} {arguments}".rstrip(), what) for arguments, what in EXAMPLES.get(self._command, ())
        ]
        width = min(60, max((len(line) for line, _ in lines), default=0))
        shown = "".join(f"  {line:{width}s}  # {what}\n" for line, what in lines)
        return f"examples:\n{shown}\n{super().format_help()}" if shown else super().format_help()

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Status 2 and one line, with the flag that was probably meant, and without the list of all flags above it."""
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        hints = []
        for flag in re.findall(r"(?<!\S)--[\w-]+", message.partition("unrecognized arguments:")[2]):
            hints += [f"{flag}: did you mean {near}?" for near in difflib.get_close_matches(flag, known, n=1)]
        said = sentence_without_secrets("; ".join([message, *hints]))
        self.exit(2, f"{self.prog}: {said} ({self.prog} --help shows all flags)\n")
